import { useState } from "preact/hooks";
import type { RuleListed } from "../../api/src/alerts.ts";
import { Ago, State } from "./alert-parts.tsx";
import { RuleDetails } from "./rule-details.tsx";

/** Those that narrow windows leave out come last, since their cells leave no gap. */
const columns = [
  { name: "Name", style: "name", isWide: false },
  { name: "State", style: "state", isWide: false },
  { name: "Query", style: "query", isWide: false },
  { name: "Type", style: "short", isWide: true },
  { name: "Condition", style: "short", isWide: true },
  { name: "Times", style: "times", isWide: true },
  { name: "Evaluated", style: "short", isWide: true },
] as const;

/** All rules; one opens to the whole of it and what can be done with it. */
export function RulesTable(props: {
  readonly rules: readonly RuleListed[];
  readonly now: number;
  readonly onDeleted: (name: string) => void;
}) {
  const { rules, now, onDeleted } = props;
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  if (rules.length === 0) return <p class="nothing">There is no rule.</p>;
  const toggle = (id: string): void =>
    setOpen((was) => {
      const next = new Set(was);
      if (!next.delete(id)) next.add(id);
      return next;
    });
  return (
    <table class="rules">
      <colgroup>
        {columns.map(({ name, style }) => (
          <col key={name} class={`column-${style}`} />
        ))}
      </colgroup>
      <thead>
        <tr>
          {columns.map(({ name, isWide }) => (
            <th key={name} scope="col" class={isWide ? "wide" : ""}>
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rules.flatMap((listed) => [
          <RuleRow
            key={listed.id}
            {...{ listed, now }}
            isOpen={open.has(listed.id)}
            onToggle={() => toggle(listed.id)}
          />,
          open.has(listed.id) && (
            <tr key={`${listed.id} details`} class="details">
              <td colSpan={columns.length}>
                <RuleDetails {...{ listed, now, onDeleted }} />
              </td>
            </tr>
          ),
        ])}
      </tbody>
    </table>
  );
}

function RuleRow(props: {
  readonly listed: RuleListed;
  readonly now: number;
  readonly isOpen: boolean;
  readonly onToggle: () => void;
}) {
  const { listed, now, isOpen, onToggle } = props;
  const { rule, state, evaluatedAt, error } = listed;
  return (
    <tr>
      <th scope="row">
        <button type="button" class="opener" aria-expanded={isOpen} onClick={onToggle}>
          {rule.name}
        </button>
      </th>
      <td>
        <State state={state} />
      </td>
      <td>
        <code class="cut" title={rule.query}>
          {rule.query}
        </code>
        {error !== undefined && <span class="warning">not evaluated: {error}</span>}
      </td>
      <td class="wide">{rule.type}</td>
      <td class="wide">
        <code>{rule.condition ?? "–"}</code>
      </td>
      <td class="wide times">{timesOf(rule)}</td>
      <td class="wide">{evaluatedAt === undefined ? "–" : <Ago time={evaluatedAt} now={now} />}</td>
    </tr>
  );
}

/** When it is looked at, how long the condition must hold, and how long it fires after it held. */
function timesOf({ type, every, for: wait, keepFor }: RuleListed["rule"]): string {
  const keep = `keepFor ${keepFor}`;
  return type === "match" ? keep : `every ${every ?? "–"}, for ${wait}, ${keep}`;
}
