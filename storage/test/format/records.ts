import type { Block } from "../../../kit/src/block.ts";
import type { Prng } from "../../../kit/src/prng.ts";
import { BatchBuilder } from "../../src/format/batch-builder.ts";
import { FieldNames } from "../../src/format/field-names.ts";

/** A record as tests write and compare it. */
export interface TestRecord {
  readonly ms: number;
  readonly ns: number;
  readonly stream: string;
  readonly position: number;
  readonly fields: Readonly<Record<string, string>>;
}

/** Appends a record to a builder whose names are `names`. */
export function appendRecord(builder: BatchBuilder, names: FieldNames, record: TestRecord): void {
  const entries = Object.entries(record.fields);
  const source = Buffer.from(entries.map(([, value]) => value).join(""), "utf8");
  const nameIds = new Int32Array(entries.length);
  const starts = new Uint32Array(entries.length);
  const ends = new Uint32Array(entries.length);
  let end = 0;
  for (const [i, [name, value]] of entries.entries()) {
    nameIds[i] = names.idOfText(name);
    starts[i] = end;
    end += Buffer.byteLength(value);
    ends[i] = end;
  }
  builder.append(
    record.ms,
    record.ns,
    record.stream,
    source,
    entries.length,
    nameIds,
    starts,
    ends,
  );
}

/** The records as one encoded batch. */
export function batchOf(
  records: readonly TestRecord[],
  { tenant = "default", retentionClass = "standard", internal = false, receiptMs = 0 } = {},
): Buffer {
  const names = new FieldNames();
  const builder = new BatchBuilder({ tenant, retentionClass, internal, names });
  for (const record of records) appendRecord(builder, names, record);
  return encoded(builder, receiptMs);
}

export function encoded(builder: BatchBuilder, receiptMs = 0): Buffer {
  const bytes = Buffer.from(new ArrayBuffer(builder.byteLength));
  builder.encodeInto(bytes, 0, receiptMs);
  return bytes;
}

/** Compares entries by name. */
export function byName([a]: readonly [string, string], [b]: readonly [string, string]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Every record of a block, read the way a query reads it. */
export function recordsOf(block: Block): TestRecord[] {
  const { ms, ns } = block.times();
  const { labels, codes } = block.streams();
  const positions = block.positions();
  const fields: Record<string, string>[] = Array.from({ length: block.rowCount }, () => ({}));
  for (const name of block.fieldNames) {
    for (const [row, value] of valuesOf(block, name).entries()) {
      if (value !== "") (fields[row] as Record<string, string>)[name] = value;
    }
  }
  return fields.map((each, row) => ({
    ms: ms[row] as number,
    ns: ns?.[row] ?? 0,
    stream: (labels[codes?.[row] ?? 0] as { text: string }).text,
    position: positions[row] as number,
    fields: each,
  }));
}

/** The value of each row. */
export function valuesOf(block: Block, name: string): string[] {
  const column = block.column(name);
  if (column === undefined) return Array.from({ length: block.rowCount }, () => "");
  const { bytes, offsets } = column.values();
  const texts = Array.from({ length: column.valueCount }, (_, i) =>
    bytes.toString("utf8", offsets[i], offsets[i + 1]),
  );
  return Array.from({ length: block.rowCount }, (_, row) => {
    if (column.layout === "const") return texts[0] as string;
    return texts[column.layout === "dict" ? (column.codes?.[row] ?? -1) : row] as string;
  });
}

/** Records with few and many values, rare and long ones, numbers, words and odd bytes. */
export function randomRecords(
  prng: Prng,
  count: number,
  timeFrom = 1_700_000_000_000,
): TestRecord[] {
  const fieldCount = 1 + prng.below(12);
  const shapes = Array.from({ length: fieldCount }, () => prng.below(10));
  const chances = shapes.map(() => prng.pick([1, 1, 0.9, 0.3, 0.02]));
  const streams = Array.from({ length: 1 + prng.below(5) }, (_, i) => `{host="h-${i}"}`);
  const withNs = prng.chance(0.5);
  const records: TestRecord[] = [];
  for (let i = 0; i < count; i++) {
    const fields: Record<string, string> = {};
    for (const [k, shape] of shapes.entries()) {
      if (prng.chance(chances[k] as number)) fields[`f${k}.${shape}`] = randomValue(prng, shape);
    }
    records.push({
      ms: timeFrom + prng.below(100_000) - (prng.chance(0.01) ? 3e12 : 0),
      ns: withNs ? prng.below(1_000_000) : 0,
      stream: prng.pick(streams),
      position: 7,
      fields: withoutEmpty(fields),
    });
  }
  return records;
}

function withoutEmpty(fields: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ""));
}

function randomValue(prng: Prng, shape: number): string {
  switch (shape) {
    case 0:
      return "always";
    case 1:
      return prng.pick(["info", "warn", "error", ""]);
    case 2:
      return String(prng.below(1_000_000));
    case 3:
      return String(prng.below(1e9) - 5e8);
    case 4:
      return prng.pick(["007", "-0", "0", "1e5", "9007199254740993", "-9007199254740991", "1.50"]);
    case 5:
      return `GET /path/${prng.below(300)}?q=${prng.u32().toString(36)} took ${prng.below(99)}ms`;
    case 6:
      return prng.u32().toString(16).repeat(prng.below(40));
    case 7:
      return prng.pick(["naïve", "日本語 テスト", "\u0000\n", "😀", 'a"b\\c']);
    case 8:
      return String(1_700_000_000 + prng.below(5));
    default:
      return `v${prng.below(400)}`;
  }
}
