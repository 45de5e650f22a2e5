import type { Alert, RuleListed } from "../../api/src/alerts.ts";
import { Ago, Amount, Labels, State } from "./alert-parts.tsx";
import { CopyButton } from "./copy-button.tsx";
import { recordsHref } from "./route.ts";

/** More would make the page slow, and nobody would read them. */
const shownMax = 200;

/** The alerts that fire or are pending. */
export function AlertsNow(props: {
  readonly alerts: readonly Alert[];
  readonly rules: readonly RuleListed[];
  readonly now: number;
}) {
  const { alerts, rules, now } = props;
  if (alerts.length === 0) return <Nothing hasRules={rules.length > 0} />;
  return (
    <>
      <ul class="cards">
        {alerts.slice(0, shownMax).map((alert) => (
          <AlertCard
            key={`${alert.rule} ${JSON.stringify(alert.labels)}`}
            {...{ alert, now }}
            rule={rules.find(({ rule }) => rule.name === alert.rule)}
          />
        ))}
      </ul>
      {alerts.length > shownMax && (
        <p class="hint">and {(alerts.length - shownMax).toLocaleString()} more</p>
      )}
    </>
  );
}

function AlertCard({
  alert,
  rule,
  now,
}: {
  readonly alert: Alert;
  readonly rule: RuleListed | undefined;
  readonly now: number;
}) {
  const { status, labels, count, activeAt, startsAt, link } = alert;
  const href = recordsHref(link);
  return (
    <li class="card">
      <State state={status} />
      <strong class="name">{alert.rule}</strong>
      <Amount count={count} listed={rule} />
      <span class="hint">
        began <Ago time={startsAt ?? activeAt} now={now} />
      </span>
      {href !== undefined && (
        <a href={href} aria-label={`records of ${alert.rule}`}>
          Records
        </a>
      )}
      <Labels labels={labels} />
    </li>
  );
}

const example = `logkeep alerts apply - <<'END'
name: payment errors
type: match
query: service:payments level:error
notify:
  - webhook:
      url: https://hooks.example.com/logkeep
END
`;

function Nothing({ hasRules }: { readonly hasRules: boolean }) {
  if (hasRules) return <p class="nothing">Nothing is pending or firing.</p>;
  return (
    <div class="nothing">
      <p>
        Nothing is watched yet. Make a rule with New rule below, with Alert on this beside a search,
        or from a terminal:
      </p>
      <div class="snippet">
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard. */}
        <pre tabIndex={0}>{example}</pre>
        <CopyButton text={example} what="the example" />
      </div>
    </div>
  );
}
