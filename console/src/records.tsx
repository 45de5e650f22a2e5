import type { Row } from "./api.ts";
import { levelOf } from "./histogram.tsx";
import { shownTime } from "./range.ts";

export type Refine = (field: string, value: string, isWanted: boolean) => void;

/** Records as lines that open to their fields; rows of pipes that aggregate as a table. */
export function Records(props: {
  readonly rows: readonly Row[];
  readonly open: ReadonlySet<number>;
  readonly current: number;
  readonly onToggle: (at: number) => void;
  readonly onRefine: Refine;
  /** In front of a record's number in its id, where a page shows several lists. */
  readonly idPrefix?: string;
}) {
  const { rows, open, current, onToggle, onRefine, idPrefix = "record" } = props;
  if (rows.length > 0 && rows.every((row) => row["_msg"] === undefined))
    return <Table rows={rows} />;
  return (
    <ol class="records">
      {rows.map((row, at) => (
        <li
          key={`${row["_time"]} ${at}`}
          class={at === current ? "record current" : "record"}
          id={`${idPrefix}-${at}`}
        >
          <button
            type="button"
            class="line"
            aria-expanded={open.has(at)}
            onClick={() => onToggle(at)}
          >
            <time>{shownTime(row["_time"] ?? "")}</time>
            <span class={`level level-${levelOf(row["level"] ?? "")}`}>{row["level"] ?? ""}</span>
            <span class="source">{sourceOf(row)}</span>
            <span class="message">{row["_msg"] || "(no message)"}</span>
          </button>
          {open.has(at) && <Fields row={row} onRefine={onRefine} />}
        </li>
      ))}
    </ol>
  );
}

function sourceOf(row: Row): string {
  const named = row["service"] ?? row["service.name"] ?? row["app"];
  return named ?? (row["_stream"] === "{}" ? "" : (row["_stream"] ?? ""));
}

function Fields({ row, onRefine }: { readonly row: Row; readonly onRefine: Refine }) {
  return (
    <table class="fields">
      <tbody>
        {Object.entries(row).map(([field, value]) => (
          <tr key={field}>
            <th scope="row">{field}</th>
            <td>
              <button
                type="button"
                class="value"
                title="only records with this value"
                onClick={() => onRefine(field, value, true)}
              >
                {value}
              </button>
              <button
                type="button"
                class="tool"
                aria-label={`leave out ${field} ${value}`}
                title="leave out"
                onClick={() => onRefine(field, value, false)}
              >
                −
              </button>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Table({ rows }: { readonly rows: readonly Row[] }) {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const numbers = new Set(names.filter((name) => isNumeric(rows, name)));
  const classOf = (name: string): string => (numbers.has(name) ? "number" : "");
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard.
    <section class="scroll" tabIndex={0} aria-label="results">
      <table class="results">
        <thead>
          <tr>
            {names.map((name) => (
              <th key={name} scope="col" class={classOf(name)}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, at) => (
            <tr key={at}>
              {names.map((name) => (
                <td key={name} class={classOf(name)}>
                  {row[name] ?? ""}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** Whether every value of a column that is there is a number. */
function isNumeric(rows: readonly Row[], name: string): boolean {
  const values = rows.map((row) => row[name] ?? "").filter((value) => value !== "");
  return values.length > 0 && values.every((value) => /^-?\d+(\.\d+)?(e[-+]\d+)?$/i.test(value));
}
