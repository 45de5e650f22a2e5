import { useEffect, useState } from "preact/hooks";

const themeName = "logkeep.theme";

/** Light or dark: as the system says until somebody chooses. */
export function ThemeButton() {
  const [theme, setTheme] = useState(() => localStorage.getItem(themeName) ?? systemTheme());
  useEffect(() => {
    document.documentElement.dataset["theme"] = theme;
  }, [theme]);
  const other = theme === "dark" ? "light" : "dark";
  const choose = (): void => {
    localStorage.setItem(themeName, other);
    setTheme(other);
  };
  return (
    <button
      type="button"
      aria-label={`${other} colours`}
      title={`${other} colours`}
      onClick={choose}
    >
      {theme === "dark" ? "☀" : "☾"}
    </button>
  );
}

function systemTheme(): string {
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}
