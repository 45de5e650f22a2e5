import type { RuleListed } from "../../api/src/alerts.ts";
import { absolute, ago } from "./moment.ts";

/** What rules, alerts and notifications are shown with. */

/** A state as a word in its colour. */
export function State({ state }: { readonly state: string }) {
  return <span class={`state state-${state}`}>{state}</span>;
}

/** How long ago; the moment itself where one points at it. */
export function Ago({ time, now }: { readonly time: string; readonly now: number }) {
  return (
    <time dateTime={time} title={absolute(time)}>
      {ago(time, now)}
    </time>
  );
}

/** `12 records` of a match, the value that a threshold compared. */
export function Amount(props: {
  readonly count: number;
  /** Undefined when it is not known, or no longer there. */
  readonly listed: RuleListed | undefined;
}) {
  const { count, listed } = props;
  const shown = count.toLocaleString("en", { maximumFractionDigits: 3 });
  return <span class="amount">{amountOf(count, shown, listed)}</span>;
}

function amountOf(count: number, shown: string, listed: RuleListed | undefined): string {
  if (listed === undefined) return shown;
  const { type, condition = "" } = listed.rule;
  if (type === "match") return `${shown} ${count === 1 ? "record" : "records"}`;
  return `value ${shown} (${condition})`;
}

export function Labels({ labels }: { readonly labels: Readonly<Record<string, string>> }) {
  const all = Object.entries(labels);
  if (all.length === 0) return null;
  return (
    <ul class="labels" aria-label="labels">
      {all.map(([name, value]) => (
        <li key={name}>
          {name}={value}
        </li>
      ))}
    </ul>
  );
}
