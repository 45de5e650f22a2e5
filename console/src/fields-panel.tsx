import { useEffect, useState } from "preact/hooks";
import { type Counted, fieldValues, type Range } from "./api.ts";
import { ownFirst } from "./field-order.ts";
import type { Refine } from "./records.tsx";

/** The fields of what was found; one opens to its most frequent values. */
export function FieldsPanel(props: {
  readonly fields: readonly Counted[];
  readonly query: string;
  readonly range: Range;
  readonly onRefine: Refine;
}) {
  const [opened, setOpened] = useState("");
  return (
    <ul class="field-list">
      {ownFirst(props.fields).map(({ name, count }) => (
        <li key={name}>
          <button
            type="button"
            class="field"
            aria-expanded={opened === name}
            onClick={() => setOpened(opened === name ? "" : name)}
          >
            <span>{name}</span>
            <span class="count">{short(count)}</span>
          </button>
          {opened === name && (
            <FieldValues
              name={name}
              query={props.query}
              range={props.range}
              onRefine={props.onRefine}
            />
          )}
        </li>
      ))}
    </ul>
  );
}

function FieldValues(props: {
  readonly name: string;
  readonly query: string;
  readonly range: Range;
  readonly onRefine: Refine;
}) {
  const { name, query, range, onRefine } = props;
  const [values, setValues] = useState<readonly Counted[] | undefined>(undefined);
  const [isFailed, setFailed] = useState(false);
  useEffect(() => {
    const abort = new AbortController();
    setValues(undefined);
    setFailed(false);
    fieldValues(name, query, range, abort.signal).then(setValues, () => {
      if (!abort.signal.aborted) setFailed(true);
    });
    return () => abort.abort();
  }, [name, query, range]);
  if (isFailed) return <p class="hint">could not be counted</p>;
  if (values === undefined) return <p class="hint">counting…</p>;
  if (values.length === 0) return <p class="hint">no values</p>;
  const most = Math.max(1, ...values.map(({ count }) => count));
  return (
    <ul class="values">
      {values.map(({ name: value, count }) => (
        <li key={value}>
          <button
            type="button"
            class="share"
            style={{ "--share": `${(count / most) * 100}%` }}
            title={value}
            onClick={() => onRefine(name, value, true)}
          >
            <span>{value}</span>
            <span class="count">{short(count)}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}

function short(count: number): string {
  return Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 }).format(count);
}
