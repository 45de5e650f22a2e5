import { useState } from "preact/hooks";
import type { AlertEvent, RuleListed } from "../../api/src/alerts.ts";
import { Ago, Amount, Labels, State } from "./alert-parts.tsx";
import type { Row } from "./api.ts";
import { absolute } from "./moment.ts";
import { withCondition } from "./query-text.ts";
import { Records } from "./records.tsx";
import { recordsHref } from "./route.ts";

/** Recent notifications, and what became of them. */
export function AlertHistory(props: {
  readonly events: readonly AlertEvent[];
  readonly rules: readonly RuleListed[];
  readonly now: number;
}) {
  const { events, rules, now } = props;
  if (events.length === 0) return <p class="nothing">No notification was made yet.</p>;
  return (
    <ul class="cards">
      {events.map((event) => (
        <EventCard
          key={`${event.dedupeKey} ${event.status}`}
          {...{ event, now }}
          listed={rules.find(({ rule }) => rule.name === event.rule)}
        />
      ))}
    </ul>
  );
}

function EventCard(props: {
  readonly event: AlertEvent;
  readonly listed: RuleListed | undefined;
  readonly now: number;
}) {
  const { event, listed, now } = props;
  const { time, rule, status, labels, count, startsAt, endsAt, lines, deliveries, link } = event;
  const href = recordsHref(link);
  return (
    <li class="card">
      <State state={status} />
      <strong class="name">{rule}</strong>
      <Amount count={count} listed={listed} />
      <span class="hint">
        <Ago time={time} now={now} />
      </span>
      {href !== undefined && (
        <a href={href} aria-label={`records of ${rule}`}>
          Records
        </a>
      )}
      <Labels labels={labels} />
      <ul class="deliveries" aria-label="deliveries">
        {deliveries.map((delivery, at) => (
          <Delivery key={at} {...delivery} />
        ))}
        {deliveries.length === 0 && <li class="hint">The rule names no receiver.</li>}
      </ul>
      <details>
        <summary>
          {lines.length === 0
            ? "details"
            : `${lines.length} ${lines.length === 1 ? "line" : "lines"}`}
        </summary>
        <p class="hint">
          Fires from {absolute(startsAt)}
          {endsAt === null ? "" : ` to ${absolute(endsAt)}`}. Dedupe key{" "}
          <code>{event.dedupeKey}</code>
        </p>
        <Lines event={event} />
      </details>
    </li>
  );
}

function Delivery({ url, outcome, attempts, reason }: AlertEvent["deliveries"][number]) {
  const tries = attempts === 1 ? "1 attempt" : `${attempts} attempts`;
  return (
    <li>
      <span class={`outcome outcome-${outcome}`}>{outcome}</span> <code>{url}</code>{" "}
      <span class="hint">
        {tries}
        {reason === undefined ? "" : `: ${reason}`}
      </span>
    </li>
  );
}

/** The records inside; they open to their fields, and a value clicked leads to the search. */
function Lines({ event }: { readonly event: AlertEvent }) {
  const [open, setOpen] = useState<ReadonlySet<number>>(new Set());
  const toggle = (at: number): void =>
    setOpen((was) => {
      const next = new Set(was);
      if (!next.delete(at)) next.add(at);
      return next;
    });
  const refine = (field: string, value: string, isWanted: boolean): void => {
    const params = new URLSearchParams(recordsHref(event.link) ?? "");
    params.set("query", withCondition(params.get("query") ?? "*", field, value, isWanted));
    location.assign(`?${params}`);
  };
  return (
    <Records
      rows={event.lines.map(textsOf)}
      {...{ open, current: -1 }}
      onToggle={toggle}
      onRefine={refine}
      idPrefix={`line-${event.dedupeKey}`}
    />
  );
}

function textsOf(record: AlertEvent["lines"][number]): Row {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, String(value)]));
}
