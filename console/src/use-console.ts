import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { rangeOf, type TimeChoice } from "./range.ts";
import { remember } from "./search-bar.tsx";
import { type Asked, useSearch } from "./use-search.ts";

/** The question of the address bar, so that a link shows what its sender saw. */
function fromAddress(): { query: string; choice: TimeChoice } {
  const params = new URLSearchParams(location.search);
  const from = Date.parse(params.get("from") ?? "");
  const to = Date.parse(params.get("to") ?? "");
  const last = { kind: "last", minutes: Number(params.get("last") ?? 60) || 60 } as const;
  const choice =
    Number.isNaN(from) || Number.isNaN(to) ? last : ({ kind: "between", from, to } as const);
  return { query: params.get("query") ?? "*", choice };
}

function toAddress(query: string, choice: TimeChoice): void {
  const params = new URLSearchParams({ query });
  if (choice.kind === "last") params.set("last", String(choice.minutes));
  else {
    params.set("from", new Date(choice.from).toISOString());
    params.set("to", new Date(choice.to).toISOString());
  }
  window.history.replaceState(null, "", `?${params}${location.hash}`);
}

/** Asks what the address says, at first and when going back changes it. */
function useAddress(
  isShown: boolean,
  written: { readonly current: string | undefined },
  ask: (query: string, choice: TimeChoice, isTailing: boolean) => void,
): void {
  useEffect(() => {
    if (!isShown) return;
    const follow = (): void => {
      if (location.search === written.current) return;
      const { query, choice } = fromAddress();
      ask(query, choice, false);
    };
    follow();
    window.addEventListener("popstate", follow);
    return () => window.removeEventListener("popstate", follow);
  }, [ask, isShown, written]);
}

/** Everything the search knows and can do. It asks for the first time when it is shown. */
export function useConsole(isShown: boolean) {
  const initial = useMemo(fromAddress, []);
  const [text, setText] = useState(initial.query);
  const [choice, setChoice] = useState(initial.choice);
  const [isTailing, setTailing] = useState(false);
  const [asked, setAsked] = useState<Asked | undefined>(undefined);
  const [open, setOpen] = useState<ReadonlySet<number>>(new Set());
  const [current, setCurrent] = useState(-1);
  const [state, more] = useSearch(asked);
  /** The address of what is shown; undefined until something was asked. */
  const written = useRef<string | undefined>(undefined);

  const ask = useCallback((query: string, when: TimeChoice, tailing: boolean) => {
    setText(query);
    setChoice(when);
    setTailing(tailing);
    setOpen(new Set());
    setCurrent(-1);
    remember(query);
    toAddress(query, when);
    written.current = location.search;
    setAsked({ query, range: rangeOf(when, Date.now()), isTailing: tailing });
  }, []);
  useAddress(isShown, written, ask);

  const toggle = (at: number): void => {
    setCurrent(at);
    setOpen((was) => {
      const next = new Set(was);
      if (!next.delete(at)) next.add(at);
      return next;
    });
  };
  const rows = state.found?.rows ?? [];
  // Keys come faster than the page is drawn, so what they count from is kept beside it.
  const at = useRef(current);
  at.current = current;
  const move = (by: number): void => {
    at.current = Math.min(rows.length - 1, Math.max(0, at.current + by));
    setCurrent(at.current);
  };
  const toggleCurrent = (): void => {
    if (at.current >= 0) toggle(at.current);
  };
  useEffect(() => {
    document.getElementById(`record-${current}`)?.scrollIntoView({ block: "nearest" });
  }, [current]);
  return {
    text,
    setText,
    choice,
    isTailing,
    asked,
    open,
    current,
    state,
    more,
    rows,
    ask,
    toggle,
    toggleCurrent,
    move,
  };
}
