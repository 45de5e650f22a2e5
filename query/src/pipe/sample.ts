import { hashBytes, mixed } from "../table/bytes-table.ts";
import { codeAt } from "../table/column.ts";
import type { RowPipe, Rows } from "./pipe.ts";

/**
 * `sample 100`: about one row in so many. Which ones, the rows' times, positions and messages say, so that the same
 * question has the same answer, whatever blocks the rows lie in.
 */
export class SamplePipe implements RowPipe {
  readonly #every: number;

  constructor(every: number) {
    this.#every = every;
  }

  apply({ view, rows }: Rows): Rows {
    const { ms, ns } = view.times();
    const positions = view.positions();
    const message = view.column("_msg");
    const bytesOf = message?.values();
    const chosen = rows.filter((row) => {
      const time = (ms[row] as number) % 2 ** 32;
      let hash = mixed(
        time ^ mixed((ns?.[row] ?? 0) ^ mixed((positions[row] as number) % 2 ** 32)),
      );
      if (message !== undefined && bytesOf !== undefined) {
        const code = codeAt(message, row);
        const { bytes, offsets } = bytesOf;
        hash = mixed(hash ^ hashBytes(bytes, offsets[code] as number, offsets[code + 1] as number));
      } else if (view.shape === "table") hash = mixed(hash ^ row);
      return hash % this.#every === 0;
    });
    return { view, rows: chosen };
  }
}
