import { useEffect } from "preact/hooks";
import { AlertHistory } from "./alert-history.tsx";
import { AlertsNow } from "./alerts-now.tsx";
import { ProblemBox } from "./problem-box.tsx";
import { localText } from "./range.ts";
import { hashOf } from "./route.ts";
import { RulesTable } from "./rules-table.tsx";
import type { AlertsState } from "./use-alerts.ts";

/** Alerts, rules, notifications. What is shown stays when it cannot be refreshed. */
export function AlertsView(props: {
  readonly state: AlertsState;
  /** What was done last, as "The rule x is saved." */
  readonly notice: string;
  readonly onChanged: (notice: string) => void;
  /** Called when a key was given. */
  readonly onKey: () => void;
}) {
  const { state, notice, onChanged, onKey } = props;
  const { alerts, rules, events, problem, nowMs } = state;
  useEffect(() => {
    // Whoever cannot see it would not know what became of the form.
    if (notice !== "") document.getElementById("notice")?.focus();
  }, [notice]);
  return (
    <main class="alerts">
      <p class="status" role="status" id="notice" tabIndex={-1}>
        {notice} {asOf(state)}
      </p>
      {problem !== undefined && <ProblemBox problem={problem} query="" onKey={onKey} />}
      <section aria-labelledby="now">
        <h2 id="now">Now</h2>
        {alerts !== undefined && rules !== undefined && (
          <AlertsNow {...{ alerts, rules }} now={nowMs} />
        )}
      </section>
      <section aria-labelledby="rules">
        <div class="title">
          <h2 id="rules">Rules</h2>
          <a class="button" href={hashOf({ view: "rule-new", query: "" })}>
            New rule
          </a>
        </div>
        {rules !== undefined && (
          <RulesTable
            rules={rules}
            now={nowMs}
            onDeleted={(name) => onChanged(`The rule ${name} is deleted.`)}
          />
        )}
      </section>
      <section aria-labelledby="notifications">
        <h2 id="notifications">Notifications</h2>
        {events !== undefined && <AlertHistory {...{ events }} rules={rules ?? []} now={nowMs} />}
      </section>
    </main>
  );
}

/** Since when what is shown is old, where it is. */
function asOf({ rules, heardMs, problem }: AlertsState): string {
  if (problem === undefined) return rules === undefined ? "asking…" : "";
  if (rules === undefined || heardMs === undefined) return "";
  return `What is shown is of ${localText(heardMs).slice(11)}.`;
}
