import { hash } from "node:crypto";
import type { Block, Column, Streams, Times, Values } from "../../../kit/src/block.ts";
import type { Moment } from "../../../kit/src/time.ts";
import { codeAt } from "../../../query/src/table/column.ts";
import { writeEscaped } from "../../../query/src/table/ndjson.ts";
import { TimePrinter, timeTextBytesMax } from "../../../query/src/table/time-text.ts";
import { documentField, documentFields } from "./field-name.ts";
import { indexedTime } from "./index-name.ts";

/** Characters of a hash, 6 bits each: records of one entry are at most 8,192, so that none meets another's. */
const hashChars = 12;

/** Characters of a cluster's uuid that an id begins with. */
const clusterChars = 12;

/** What ids of a shard's documents begin with. */
export function idPrefix(cluster: string, shard: number): string {
  return `${cluster.replaceAll("-", "").slice(0, clusterChars)}-${shard.toString(36)}-`;
}

/** The id of one of several records that are equal in everything, counted from 0. */
export function numberedId(id: string, count: number): string {
  return count === 0 ? id : `${id}-${count.toString(36)}`;
}

interface Field {
  /** `,"name":"` */
  readonly prefix: Buffer;
  readonly column: Column;
  readonly values: Values;
}

/**
 * Writes rows of a block as documents. The bytes are the same for the same record in any block: ids are made of
 * them, so what is changed here makes documents that were sent before be sent again under other ids.
 */
export class DocumentWriter {
  readonly rowCount: number;
  readonly times: Times;
  readonly positions: Float64Array;
  readonly #streams: Streams;
  /** `","_tenant":"…","_stream":"…","_position":` of each stream of the block. */
  readonly #middles: readonly Buffer[];
  readonly #fields: readonly Field[];
  readonly #printer = new TimePrinter();
  #scratch: Buffer = Buffer.allocUnsafeSlow(4096);

  constructor(block: Block, tenant: string) {
    this.rowCount = block.rowCount;
    this.times = block.times();
    this.positions = block.positions();
    this.#streams = block.streams();
    this.#middles = this.#streams.labels.map(({ text }) => middleOf(tenant, text));
    this.#fields = fieldsOf(block);
  }

  timeOf(row: number): Moment {
    const { ms, ns } = this.times;
    return { ms: ms[row] as number, ns: ns?.[row] ?? 0 };
  }

  /** Whether two rows are of one entry, stream and time. */
  isAlike(a: number, b: number): boolean {
    const { ms, ns } = this.times;
    const { codes } = this.#streams;
    return (
      this.positions[a] === this.positions[b] &&
      ms[a] === ms[b] &&
      ns?.[a] === ns?.[b] &&
      codes?.[a] === codes?.[b]
    );
  }

  id(prefix: string, row: number, source: Buffer): string {
    const digest = hash("sha256", source, "base64url");
    return `${prefix}${(this.positions[row] as number).toString(36)}-${digest.slice(0, hashChars)}`;
  }

  /** The document of a row as a line; its bytes are overwritten by the next. */
  source(row: number): Buffer {
    let at = this.#head(row);
    for (const { prefix, column, values } of this.#fields) {
      const code = codeAt(column, row);
      const { bytes, offsets } = values;
      const from = offsets[code] as number;
      const to = offsets[code + 1] as number;
      // Absent and empty are the same thing.
      if (from === to) continue;
      // A byte becomes at most six: \u0000.
      this.#room(at, prefix.length + 6 * (to - from) + 3);
      at += prefix.copy(this.#scratch, at);
      at = writeEscaped(this.#scratch, at, bytes, from, to);
      this.#scratch[at++] = 0x22;
    }
    this.#scratch[at++] = 0x7d;
    this.#scratch[at++] = 0x0a;
    return this.#scratch.subarray(0, at);
  }

  /** What every document has, but for the closing brace. */
  #head(row: number): number {
    const { codes } = this.#streams;
    const middle = this.#middles[codes === undefined ? 0 : (codes[row] as number)] as Buffer;
    const position = String(this.positions[row]);
    this.#room(0, headBytesMax + middle.length);
    const { ms, ns } = this.timeOf(row);
    const indexed = indexedTime(ms, ns);
    let at = timestampPrefix.copy(this.#scratch, 0);
    at = this.#printer.write(this.#scratch, at, indexed.ms, indexed.ns);
    at += timePrefix.copy(this.#scratch, at);
    at = this.#printer.write(this.#scratch, at, ms, ns);
    at += middle.copy(this.#scratch, at);
    return at + this.#scratch.write(position, at, "latin1");
  }

  #room(at: number, more: number): void {
    if (at + more <= this.#scratch.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#scratch.length * 2, at + more));
    this.#scratch.copy(larger, 0, 0, at);
    this.#scratch = larger;
  }
}

const timestampPrefix = Buffer.from(`{"${documentFields.timestamp}":"`);
const timePrefix = Buffer.from(`","${documentFields.time}":"`);

/** Two times, two prefixes, a position, the end of the line. */
const headBytesMax = 2 * timeTextBytesMax + timestampPrefix.length + timePrefix.length + 32;

function middleOf(tenant: string, stream: string): Buffer {
  const values = {
    [documentFields.tenant]: tenant,
    [documentFields.stream]: stream.toWellFormed(),
  };
  const text = JSON.stringify(values);
  return Buffer.from(`",${text.slice(1, -1)},"${documentFields.position}":`);
}

/** In the order of their names, which is another in each block. */
function fieldsOf(block: Block): Field[] {
  const names = [...block.fieldNames].map((name) => [documentField(name.toWellFormed()), name]);
  names.sort(([a = ""], [b = ""]) => (a < b ? -1 : 1));
  const fields: Field[] = [];
  for (const [shown = "", name = ""] of names) {
    const column = block.column(name);
    if (column === undefined) continue;
    const prefix = Buffer.from(`,${JSON.stringify(shown)}:"`);
    fields.push({ prefix, column, values: column.values() });
  }
  return fields;
}
