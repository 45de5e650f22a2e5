import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { type Problem, setKey } from "./api.ts";
import { FieldsPanel } from "./fields-panel.tsx";
import { HistogramChart } from "./histogram.tsx";
import { withCondition } from "./query-text.ts";
import { rangeOf, type TimeChoice } from "./range.ts";
import { Records } from "./records.tsx";
import { remember, SearchBar } from "./search-bar.tsx";
import { ThemeButton } from "./theme.tsx";
import { useKeys } from "./use-keys.ts";
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
  window.history.replaceState(null, "", `?${params}`);
}

export function App() {
  const initial = useMemo(fromAddress, []);
  const [text, setText] = useState(initial.query);
  const [choice, setChoice] = useState(initial.choice);
  const [isTailing, setTailing] = useState(false);
  const [asked, setAsked] = useState<Asked | undefined>(undefined);
  const [open, setOpen] = useState<ReadonlySet<number>>(new Set());
  const [current, setCurrent] = useState(-1);
  const [showFields, setShowFields] = useState(false);
  const [showHelp, setShowHelp] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const [state, more] = useSearch(asked);

  const ask = useCallback((query: string, when: TimeChoice, tailing: boolean) => {
    setText(query);
    setChoice(when);
    setTailing(tailing);
    setOpen(new Set());
    setCurrent(-1);
    remember(query);
    toAddress(query, when);
    setAsked({ query, range: rangeOf(when, Date.now()), isTailing: tailing });
  }, []);
  useEffect(() => ask(initial.query, initial.choice, false), [ask, initial]);

  const toggle = (at: number): void => {
    setCurrent(at);
    setOpen((was) => {
      const next = new Set(was);
      if (!next.delete(at)) next.add(at);
      return next;
    });
  };
  const refine = (field: string, value: string, isWanted: boolean): void =>
    ask(withCondition(text, field, value, isWanted), choice, isTailing);
  const rows = state.found?.rows ?? [];
  useKeys({
    search: () => input.current?.focus(),
    move: (by) => setCurrent((was) => Math.min(rows.length - 1, Math.max(0, was + by))),
    toggle: () => current >= 0 && toggle(current),
    tail: () => ask(text, choice, !isTailing),
    fields: () => setShowFields((was) => !was),
    help: () => setShowHelp((was) => !was),
  });
  useEffect(
    () => document.getElementById(`record-${current}`)?.scrollIntoView({ block: "nearest" }),
    [current],
  );

  return (
    <div class="console">
      <header>
        <h1>
          <span class="mark" aria-hidden="true" />
          Logkeep
        </h1>
        <search class="bar">
          <SearchBar
            text={text}
            input={input}
            choice={choice}
            isTailing={isTailing}
            onText={setText}
            onSearch={() => ask(text, choice, isTailing)}
            onChoice={(chosen) => ask(text, chosen, false)}
            onTail={() => ask(text, choice, !isTailing)}
          />
        </search>
        <button
          type="button"
          class="only-narrow"
          aria-expanded={showFields}
          onClick={() => setShowFields(!showFields)}
        >
          Fields
        </button>
        <button
          type="button"
          aria-label="keyboard"
          title="keyboard (?)"
          onClick={() => setShowHelp(!showHelp)}
        >
          ?
        </button>
        <ThemeButton />
      </header>
      {showHelp && <Help />}
      {state.problem !== undefined && (
        <ProblemBox
          problem={state.problem}
          query={asked?.query ?? ""}
          onKey={() => ask(text, choice, isTailing)}
        />
      )}
      {!isTailing && (
        <HistogramChart
          data={state.chart}
          onSelect={(from, to) => ask(text, { kind: "between", from, to }, false)}
        />
      )}
      <div class="body">
        {!isTailing && (
          <aside class={showFields ? "panel shown" : "panel"} aria-label="fields">
            <h2>Fields</h2>
            {asked !== undefined && (
              <FieldsPanel
                fields={state.fields}
                query={asked.query}
                range={asked.range}
                onRefine={refine}
              />
            )}
          </aside>
        )}
        <main aria-busy={state.isBusy}>
          <Status isTailing={isTailing} count={rows.length} state={state} />
          <Records rows={rows} open={open} current={current} onToggle={toggle} onRefine={refine} />
          {state.found?.cursor !== undefined && (
            <button type="button" class="more" onClick={more}>
              Older records
            </button>
          )}
        </main>
      </div>
    </div>
  );
}

function Status({
  isTailing,
  count,
  state,
}: {
  readonly isTailing: boolean;
  readonly count: number;
  readonly state: ReturnType<typeof useSearch>[0];
}) {
  const { found, isBusy, dropped } = state;
  const took = found?.tookMs === undefined ? "" : ` in ${Math.round(found.tookMs)} ms`;
  return (
    <p class="status" role="status">
      {isBusy ? "searching…" : isTailing ? `live, ${count} shown` : `${count} shown${took}`}
      {found?.partial === true && (
        <strong class="warning"> The answer is partial: some data could not be read.</strong>
      )}
      {dropped > 0 && <strong class="warning"> {dropped} records were too many to show.</strong>}
    </p>
  );
}

function ProblemBox({
  problem,
  query,
  onKey,
}: {
  readonly problem: Problem;
  readonly query: string;
  readonly onKey: () => void;
}) {
  const [key, setText] = useState("");
  const caret =
    problem.column === undefined
      ? undefined
      : `${query.split("\n")[(problem.line ?? 1) - 1] ?? ""}\n${" ".repeat(problem.column - 1)}^`;
  return (
    <div class="problem" role="alert">
      <p>
        {problem.detail}
        {problem.suggestion === undefined ? "" : ` Did you mean ${problem.suggestion}?`}
      </p>
      {caret !== undefined && <pre>{caret}</pre>}
      {problem.status === 401 && (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            setKey(key.trim());
            onKey();
          }}
        >
          <label>
            Key{" "}
            <input
              type="password"
              autocomplete="off"
              value={key}
              onInput={(event) => setText(event.currentTarget.value)}
            />
          </label>
          <button type="submit" class="primary">
            Use
          </button>
        </form>
      )}
    </div>
  );
}

function Help() {
  const keys = [
    ["/", "the query"],
    ["j, k", "next, previous record"],
    ["o", "open or close it"],
    ["t", "live tail"],
    ["f", "fields"],
    ["?", "this help"],
  ];
  return (
    <dl class="help">
      {keys.map(([key, what]) => (
        <div key={key}>
          <dt>
            <kbd>{key}</kbd>
          </dt>
          <dd>{what}</dd>
        </div>
      ))}
    </dl>
  );
}
