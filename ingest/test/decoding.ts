import type { Column } from "../../kit/src/block.ts";
import { momentPrint } from "../../kit/src/time.ts";
import { openBatch, verifyBatch } from "../../storage/src/format/batch.ts";
import { ArenaOwner, ArenaWriter } from "../../storage/src/shard/arena.ts";
import { slabBytes } from "../../storage/src/shard/limits.ts";
import { Decoder, type DecoderOptions } from "../src/decoder.ts";
import type { DecodeJob, DecodeOptions, DecodeResult, Protocol } from "../src/job.ts";

/** When every body of these tests arrived. */
export const receivedMs = Date.UTC(2026, 10, 20, 12);
export const receivedText = "2026-11-20T12:00:00Z";

export interface StoredRecord {
  readonly time: string;
  readonly stream: string;
  readonly fields: Readonly<Record<string, string>>;
}

export interface Decoded {
  readonly result: DecodeResult;
  /** What the shards would store, in order; and what `_rejected` would. */
  readonly records: readonly StoredRecord[];
  readonly rejected: readonly StoredRecord[];
}

const defaultsOf: Readonly<Record<Protocol, Partial<DecodeOptions>>> = {
  "json-lines": { timeFields: ["_time"], msgFields: ["_msg"] },
  json: { timeFields: ["_time"], msgFields: ["_msg"] },
  text: {},
  "loki-json": {},
  "otlp-protobuf": { msgFields: ["_msg", "message"] },
  "otlp-json": { msgFields: ["_msg", "message"] },
  "elasticsearch-bulk": {
    timeFields: ["@timestamp", "_time"],
    msgFields: ["message", "_msg"],
  },
};

/** A decoder with an arena of its own; one shard unless told otherwise, so that records keep their order. */
export class TestDecoder {
  readonly owner: ArenaOwner;
  readonly decoder: Decoder;

  constructor(options: Partial<DecoderOptions> & { readonly slabs?: number } = {}) {
    this.owner = new ArenaOwner((options.slabs ?? 4) * slabBytes);
    const arena = new ArenaWriter(this.owner.buffers, 0);
    this.decoder = new Decoder({ arena, shardCount: 1, ...options });
  }

  /** Decodes a body and reads back what was stored, as a query would; then gives the room back. */
  run(
    protocol: Protocol,
    body: string | Uint8Array,
    options: Partial<DecodeOptions> = {},
    job: Partial<DecodeJob> = {},
  ): Decoded {
    const result = this.decoder.run({
      options: {
        protocol,
        encoding: "identity",
        streamFields: undefined,
        timeFields: [],
        msgFields: ["_msg"],
        extra: [],
        index: undefined,
        ...defaultsOf[protocol],
        ...options,
      },
      tenant: "default",
      body: typeof body === "string" ? Buffer.from(body) : body,
      receivedMs,
      ...job,
    });
    const decoded = {
      result,
      records: this.#read(result, false),
      rejected: this.#read(result, true),
    };
    this.owner.closed(result.closedSlabs);
    return decoded;
  }

  #read(result: DecodeResult, internal: boolean): StoredRecord[] {
    const records: StoredRecord[] = [];
    for (const part of result.parts.filter((each) => each.internal === internal)) {
      const bytes = this.owner.view(part.offset, part.length);
      verifyBatch(bytes, 0, part.length);
      const batch = openBatch(bytes, 0, part.length, 1);
      const first = records.length;
      const { ms, ns } = batch.times();
      const { labels, codes } = batch.streams();
      for (let row = 0; row < batch.rowCount; row++) {
        const time = momentPrint({ ms: ms[row] as number, ns: ns?.[row] ?? 0 });
        records.push({ time, stream: labels[codes?.[row] ?? 0]?.text ?? "", fields: {} });
      }
      for (const name of batch.fieldNames) {
        const column = batch.column(name);
        if (column === undefined) continue;
        for (let row = 0; row < batch.rowCount; row++) {
          const value = textAt(column, row);
          if (value === "") continue;
          // Not by assignment: `__proto__` is a name like any other.
          const property = { value, enumerable: true };
          Object.defineProperty(records[first + row]?.fields, name, property);
        }
      }
    }
    return records;
  }
}

function textAt(column: Column, row: number): string {
  const { bytes, offsets } = column.values();
  const at = column.layout === "const" ? 0 : column.layout === "dict" ? column.codes?.[row] : row;
  const start = offsets[at ?? 0] as number;
  const end = offsets[(at ?? 0) + 1] as number;
  return start === end ? "" : bytes.toString("utf8", start, end);
}

/** Decodes one body with a fresh decoder. */
export function decode(
  protocol: Protocol,
  body: string | Uint8Array,
  options: Partial<DecodeOptions> = {},
  job: Partial<DecodeJob> = {},
): Decoded {
  return new TestDecoder().run(protocol, body, options, job);
}
