import { BatchBuilder } from "../../storage/src/format/batch-builder.ts";
import { FieldNames } from "../../storage/src/format/field-names.ts";
import { generateCorpus } from "./corpus.ts";

/** A record as a decoder hands it to the builder. */
interface Parsed {
  readonly timeMs: number;
  readonly timeNs: number;
  readonly stream: number;
  readonly source: Buffer;
  readonly nameIds: Int32Array;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
}

/** The corpus, parsed once, so that what is measured is not that. */
export class ParsedCorpus {
  readonly #names = new FieldNames();
  readonly #streamTexts = new FieldNames();
  readonly #builder: BatchBuilder;
  readonly #out = Buffer.from(new ArrayBuffer(8 << 20));
  #records: readonly Parsed[];
  /** Of the lines. */
  rawBytes = 0;

  constructor(options: { readonly seed: number; readonly records: number }) {
    const [names, streamTexts] = [this.#names, this.#streamTexts];
    this.#builder = new BatchBuilder({ tenant: "t", retentionClass: "c", names, streamTexts });
    this.#records = Array.from(generateCorpus(options), (line) => this.#parsed(line));
  }

  get count(): number {
    return this.#records.length;
  }

  /** Builds batches of all records; `keep` is given each, good until it returns, and its rows. */
  build(keep: (batch: Buffer, rows: number) => void): void {
    const builder = this.#builder;
    const flush = (): void => {
      const rows = builder.rowCount;
      const length = builder.encodeInto(this.#out, 0, 0);
      builder.reset();
      keep(this.#out.subarray(0, length), rows);
    };
    for (const each of this.#records) {
      const { nameIds, starts, ends } = each;
      builder.append(
        each.timeMs,
        each.timeNs,
        each.stream,
        each.source,
        nameIds.length,
        nameIds,
        starts,
        ends,
      );
      if (builder.isFull) flush();
    }
    if (builder.rowCount > 0) flush();
  }

  /** A large heap would make every collection dear, and that is not what is measured. */
  forget(): void {
    this.#records = [];
  }

  #parsed(line: Buffer): Parsed {
    this.rawBytes += line.length;
    const { _time, ...fields } = JSON.parse(line.toString()) as Record<string, string | number>;
    const entries = Object.entries(fields);
    const ends = new Uint32Array(entries.length);
    const starts = new Uint32Array(entries.length);
    let end = 0;
    for (const [i, [, value]] of entries.entries()) {
      starts[i] = end;
      end += Buffer.byteLength(String(value));
      ends[i] = end;
    }
    const text = String(_time);
    const stream = `{host="${fields["host"]}",service="${fields["service"]}"}`;
    return {
      timeMs: Date.parse(text),
      timeNs: Number(text.slice(23, 26)) * 1_000,
      stream: this.#streamTexts.idOfText(stream),
      source: Buffer.from(entries.map(([, value]) => String(value)).join("")),
      nameIds: Int32Array.from(entries, ([name]) => this.#names.idOfText(name)),
      starts,
      ends,
    };
  }
}
