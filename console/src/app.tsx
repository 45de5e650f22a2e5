import { useRef, useState } from "preact/hooks";
import { type Problem, setKey } from "./api.ts";
import { FieldsPanel } from "./fields-panel.tsx";
import { HistogramChart } from "./histogram.tsx";
import { filterOf, withCondition } from "./query-text.ts";
import { Records, type Refine } from "./records.tsx";
import { SearchBar } from "./search-bar.tsx";
import { ThemeButton } from "./theme.tsx";
import { useConsole } from "./use-console.ts";
import { useKeys } from "./use-keys.ts";
import type { useSearch } from "./use-search.ts";

const emptyHint =
  "Nothing matches in this time range. A longer range or fewer words may find more.";
const waitingHint = "Records appear here as they are stored.";

export function App() {
  const view = useConsole();
  const { text, setText, choice, isTailing, asked, state, ask, toggleCurrent, move } = view;
  const [showFields, setShowFields] = useState(false);
  const [showHelp, setShowHelp] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const refine = (field: string, value: string, isWanted: boolean): void =>
    ask(withCondition(text, field, value, isWanted), choice, isTailing);
  const flipTail = (): void => ask(text, choice, !isTailing);
  useKeys({
    search: () => input.current?.focus(),
    move,
    toggle: toggleCurrent,
    tail: flipTail,
    fields: () => setShowFields((was) => !was),
    help: () => setShowHelp((was) => !was),
  });
  return (
    <div class="console">
      <header>
        <h1>
          <span class="mark" aria-hidden="true" />
          Logkeep
        </h1>
        <search class="bar">
          <SearchBar
            {...{ text, input, choice, isTailing }}
            onText={setText}
            onSearch={() => ask(text, choice, isTailing)}
            onChoice={(chosen) => ask(text, chosen, false)}
            onTail={flipTail}
          />
        </search>
        <Tools {...{ showFields, setShowFields, showHelp, setShowHelp }} />
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
          range={asked?.range}
          onSelect={(from, to) => ask(text, { kind: "between", from, to }, false)}
        />
      )}
      <Body view={view} showFields={showFields} onRefine={refine} />
    </div>
  );
}

function Body(props: {
  readonly view: ReturnType<typeof useConsole>;
  readonly showFields: boolean;
  readonly onRefine: Refine;
}) {
  const { view, showFields, onRefine } = props;
  const { isTailing, asked, state, rows, open, current, toggle, more } = view;
  return (
    <div class="body">
      {!isTailing && (
        <aside class={showFields ? "panel shown" : "panel"} aria-label="fields">
          <h2>Fields</h2>
          {asked !== undefined && (
            <FieldsPanel
              fields={state.fields}
              query={filterOf(asked.query)}
              range={asked.range}
              onRefine={onRefine}
            />
          )}
        </aside>
      )}
      <main aria-busy={state.isBusy}>
        <Status isTailing={isTailing} count={rows.length} state={state} />
        {rows.length === 0 && state.found !== undefined && !state.isBusy && (
          <p class="nothing">{isTailing ? waitingHint : emptyHint}</p>
        )}
        <Records rows={rows} open={open} current={current} onToggle={toggle} onRefine={onRefine} />
        {state.found?.cursor !== undefined && (
          <button type="button" class="more" onClick={more}>
            Older records
          </button>
        )}
      </main>
    </div>
  );
}

function Tools(props: {
  readonly showFields: boolean;
  readonly setShowFields: (show: boolean) => void;
  readonly showHelp: boolean;
  readonly setShowHelp: (show: boolean) => void;
}) {
  const { showFields, setShowFields, showHelp, setShowHelp } = props;
  return (
    <>
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
    </>
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
