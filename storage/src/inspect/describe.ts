import type { Moment } from "../../../kit/src/time.ts";
import type { PartitionMeta } from "../format/footer.ts";
import { passCacheBytes } from "../format/limits.ts";
import { noShard } from "../log/entry.ts";
import { BlockCache } from "../segment/block-cache.ts";
import { openSegment } from "../segment/reader.ts";
import type { SegmentBlock } from "../segment/segment-block.ts";
import { readLogFile } from "./log-reading.ts";

/** A segment as `inspect` shows it. */
export interface SegmentDescription {
  readonly path: string;
  readonly bytes: number;
  readonly version: number;
  readonly uuid: string;
  readonly shard: number;
  readonly epoch: number;
  readonly level: number;
  readonly positionFrom: number;
  readonly positionThrough: number;
  readonly replaces: readonly string[];
  readonly records: number;
  /** Of the values before encoding. */
  readonly rawBytes: number;
  readonly partitions: readonly PartitionMeta[];
  readonly blocks: readonly BlockDescription[];
  /** The largest first; what rows have besides fields is among them. */
  readonly columns: readonly ColumnDescription[];
  /** Of all columns that have templates, the most frequent first. */
  readonly templates: readonly TemplateDescription[];
}

export interface BlockDescription {
  readonly ordinal: number;
  readonly partition: number;
  readonly rows: number;
  readonly streams: number;
  readonly fields: number;
  readonly timeMin: Moment;
  readonly timeMax: Moment;
  readonly bytes: number;
  readonly rawBytes: number;
}

export interface ColumnDescription {
  readonly name: string;
  /** How many blocks have it encoded how. */
  readonly kinds: Readonly<Record<string, number>>;
  /** As stored; unknown, and 0, in format version 1. */
  readonly bytes: number;
}

export interface TemplateDescription {
  readonly field: string;
  /** `<*>` where a variable is. */
  readonly text: string;
  readonly rows: number;
}

/** Reads a segment's description, without its records. Throws `storage.damaged` where it cannot. */
export function describeSegment(path: string): SegmentDescription {
  const segment = openSegment(path, new BlockCache(passCacheBytes));
  try {
    const { footer, bytes } = segment;
    const columns = new Map<string, { kinds: Record<string, number>; bytes: number }>();
    const templates = new Map<string, TemplateDescription>();
    const blocks: BlockDescription[] = [];
    let version = 0;
    for (const block of segment.blocks()) {
      version = block.version;
      blocks.push(describeBlock(block));
      addColumns(columns, block);
      addTemplates(templates, block);
    }
    const { uuid, shard, epoch, level, positionFrom, positionThrough, replaces } = footer;
    return {
      ...{ path, bytes, version, uuid, shard, epoch, level },
      ...{ positionFrom, positionThrough, replaces, partitions: footer.partitions, blocks },
      records: blocks.reduce((sum, { rows }) => sum + rows, 0),
      rawBytes: blocks.reduce((sum, each) => sum + each.rawBytes, 0),
      columns: [...columns]
        .map(([name, each]) => ({ name, kinds: each.kinds, bytes: Math.round(each.bytes) }))
        .sort((a, b) => b.bytes - a.bytes),
      templates: [...templates.values()].sort((a, b) => b.rows - a.rows),
    };
  } finally {
    segment.close();
  }
}

function describeBlock(block: SegmentBlock): BlockDescription {
  const { partition, byteLength, rawBytes } = block.meta;
  return {
    ordinal: block.ordinal,
    partition,
    rows: block.rowCount,
    streams: block.streams().labels.length,
    fields: block.fieldNames.length,
    timeMin: block.timeMin,
    timeMax: block.timeMax,
    bytes: byteLength,
    rawBytes,
  };
}

function addColumns(
  columns: Map<string, { kinds: Record<string, number>; bytes: number }>,
  block: SegmentBlock,
): void {
  const sizes = new Map(block.storedBytes());
  const { byteLength, header } = block.meta;
  if (sizes.size > 0) {
    const told = [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0);
    // A constant's value stands in the header, and is told of its field.
    const constants = [...sizes].filter(([name]) => block.kindOf(name) === "const");
    const inHeader = constants.reduce((sum, [, bytes]) => sum + bytes, 0);
    const headers = Math.max(0, header.length - inHeader);
    sizes.set("headers of blocks", headers);
    // Columns of their own within a column of templates.
    sizes.set("variables of templates", Math.max(0, byteLength - headers - told));
  }
  for (const name of new Set([...block.fieldNames, ...sizes.keys()])) {
    const sum = columns.get(name) ?? { kinds: {}, bytes: 0 };
    columns.set(name, sum);
    sum.bytes += sizes.get(name) ?? 0;
    const kind = block.kindOf(name);
    if (kind !== undefined) sum.kinds[kind] = (sum.kinds[kind] ?? 0) + 1;
  }
}

function addTemplates(templates: Map<string, TemplateDescription>, block: SegmentBlock): void {
  for (const field of block.fieldNames) {
    if (block.kindOf(field) !== "templates") continue;
    for (const { literals, rowCount } of block.column(field)?.templates?.templates ?? []) {
      const text = literals.map((literal) => literal.toString("utf8")).join("<*>");
      const key = JSON.stringify([field, text]);
      const rows = (templates.get(key)?.rows ?? 0) + rowCount;
      if (rows > 0) templates.set(key, { field, text, rows });
    }
  }
}

/** A file of the commit log as `inspect` shows it. */
export interface LogDescription {
  readonly path: string;
  readonly bytes: number;
  readonly sequence: number;
  /** `closed`: another file follows. `open`: it is written on. `damaged`: an entry in its middle is. */
  readonly end: "closed" | "open" | "damaged";
  /** Bytes up to the end of the last entry. */
  readonly usedBytes: number;
  readonly shards: readonly {
    readonly shard: number;
    readonly entries: number;
    readonly records: number;
    readonly positionFrom: number;
    readonly positionThrough: number;
    readonly epoch: number;
  }[];
}

/** Throws `storage.damaged` for a file without a head. */
export function describeLogFile(path: string): LogDescription {
  const { bytes, sequence, scan } = readLogFile(path);
  const entriesOfShards = scan.entries.filter(({ header }) => header.shard !== noShard);
  const byShard = Map.groupBy(entriesOfShards, ({ header }) => header.shard);
  const shards = [...byShard].sort(([a], [b]) => a - b);
  return {
    path,
    bytes: bytes.length,
    sequence,
    end: scan.holes.length > 0 ? "damaged" : scan.end,
    usedBytes: scan.endOffset,
    shards: shards.map(([shard, entries]) => ({
      shard,
      entries: entries.length,
      records: entries.reduce((sum, { header }) => sum + header.rows, 0),
      positionFrom: entries[0]?.header.position ?? 0,
      positionThrough: entries.at(-1)?.header.position ?? 0,
      epoch: entries.at(-1)?.header.epoch ?? 0,
    })),
  };
}
