import { useState } from "preact/hooks";

/** Puts a text into the clipboard, and says so. */
export function CopyButton({ text, what }: { readonly text: string; readonly what: string }) {
  const [said, setSaid] = useState("");
  const copy = async (): Promise<void> => setSaid((await copied(text)) ? "copied" : "not allowed");
  return (
    <>
      <button type="button" aria-label={`copy ${what}`} onClick={() => void copy()}>
        Copy
      </button>
      <span class="hint" role="status">
        {said}
      </span>
    </>
  );
}

async function copied(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // A page without TLS has no clipboard of its own, but may copy what is selected.
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const isDone = document.execCommand("copy");
    area.remove();
    return isDone;
  }
}
