import { useEffect, useRef } from "preact/hooks";

export interface KeyActions {
  readonly search: () => void;
  readonly move: (by: number) => void;
  readonly toggle: () => void;
  readonly tail: () => void;
  readonly fields: () => void;
  readonly alerts: () => void;
  readonly cluster: () => void;
  readonly help: () => void;
}

/** Single keys, where no text is being typed; Escape leaves a text. */
export function useKeys(actions: KeyActions): void {
  const latest = useRef(actions);
  latest.current = actions;
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const target = event.target as HTMLElement;
      const isTyping = /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName);
      if (isTyping) {
        if (event.key === "Escape") target.blur();
        return;
      }
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const act = actionOf(event.key, latest.current);
      if (act === undefined) return;
      event.preventDefault();
      act();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
}

function actionOf(key: string, actions: KeyActions): (() => void) | undefined {
  switch (key) {
    case "/":
      return actions.search;
    case "j":
      return () => actions.move(1);
    case "k":
      return () => actions.move(-1);
    case "o":
      return actions.toggle;
    case "t":
      return actions.tail;
    case "f":
      return actions.fields;
    case "a":
      return actions.alerts;
    case "c":
      return actions.cluster;
    case "?":
      return actions.help;
    default:
      return undefined;
  }
}
