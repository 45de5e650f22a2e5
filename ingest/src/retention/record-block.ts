import type { Block, Column, StreamLabels, Streams, Times } from "../../../kit/src/block.ts";
import type { Moment } from "../../../kit/src/time.ts";
import { PlainColumn } from "../../../storage/src/format/columns.ts";
import { streamLabels } from "../../../storage/src/format/stream-labels.ts";
import type { RecordValues } from "./record-values.ts";

const noMoment: Moment = { ms: 0, ns: 0 };

/**
 * A record that is being taken in, as a block of one row: the query language's own filters are asked about it, so
 * that a rule means what the same filter finds. Only its stream and fields are known yet.
 */
export class RecordBlock implements Block {
  readonly rowCount = 1;
  readonly timeMin = noMoment;
  readonly timeMax = noMoment;
  readonly fieldNames: readonly string[] = [];
  readonly #values: RecordValues;
  #labels: StreamLabels = streamLabels("{}");

  constructor(values: RecordValues) {
    this.#values = values;
  }

  times(): Times {
    return { ms: new Float64Array(1), ns: undefined };
  }

  streams(): Streams {
    const { stream } = this.#values;
    if (this.#labels.text !== stream) this.#labels = streamLabels(stream);
    return { labels: [this.#labels], codes: undefined };
  }

  positions(): Float64Array {
    return new Float64Array(1);
  }

  column(field: string): Column | undefined {
    const found = this.#values.valueOf(field);
    if (found === undefined) return undefined;
    const [start, end] = found.offsets as unknown as readonly [number, number];
    // Only these bytes: a search looks through all that it is given.
    const bytes = found.bytes.subarray(start, end);
    return new PlainColumn("const", { bytes, offsets: Uint32Array.of(0, end - start) });
  }

  mayContain(): boolean {
    return true;
  }

  bounds(): undefined {
    return undefined;
  }

  valueCounts(): undefined {
    return undefined;
  }
}
