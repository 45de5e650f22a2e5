import { FieldsPanel } from "./fields-panel.tsx";
import { HistogramChart } from "./histogram.tsx";
import { ProblemBox } from "./problem-box.tsx";
import { filterOf, withCondition } from "./query-text.ts";
import { Records, type Refine } from "./records.tsx";
import { hashOf } from "./route.ts";
import type { useConsole } from "./use-console.ts";
import type { useSearch } from "./use-search.ts";

const emptyHint =
  "Nothing matches in this time range. A longer range or fewer words may find more.";
const waitingHint = "Records appear here as they are stored.";

/** What was found: counts over time, fields, records. */
export function SearchView(props: {
  readonly view: ReturnType<typeof useConsole>;
  readonly showFields: boolean;
  /** Called when a key was given. */
  readonly onKey: () => void;
}) {
  const { view, showFields, onKey } = props;
  const { text, choice, isTailing, asked, state, ask } = view;
  const refine = (field: string, value: string, isWanted: boolean): void =>
    ask(withCondition(text, field, value, isWanted), choice, isTailing);
  return (
    <>
      {state.problem !== undefined && (
        <ProblemBox problem={state.problem} query={asked?.query ?? ""} onKey={onKey} />
      )}
      {!isTailing && (
        <HistogramChart
          data={state.chart}
          range={asked?.range}
          onSelect={(from, to) => ask(text, { kind: "between", from, to }, false)}
        />
      )}
      <Body view={view} showFields={showFields} onRefine={refine} />
    </>
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
        <div class="over-records">
          <Status isTailing={isTailing} count={rows.length} state={state} />
          <a class="button" href={hashOf({ view: "rule-new", query: asked?.query ?? "" })}>
            Alert on this
          </a>
        </div>
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
