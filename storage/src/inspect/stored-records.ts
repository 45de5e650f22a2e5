import type { Block } from "../../../kit/src/block.ts";
import { type Moment, momentCompare } from "../../../kit/src/time.ts";
import { openBatch } from "../format/batch.ts";
import { passCacheBytes } from "../format/limits.ts";
import { BlockCache } from "../segment/block-cache.ts";
import { openSegment } from "../segment/reader.ts";
import { readLogFile } from "./log-reading.ts";
import type { StoredFile } from "./stored-files.ts";

/** Which records are wanted. */
export interface RecordChoice {
  readonly tenant: string;
  /** Streams that Logkeep itself writes, too. */
  readonly internal: boolean;
  readonly from: Moment | undefined;
  /** Not in it. */
  readonly to: Moment | undefined;
}

/** Records of one block that are wanted; `rows` ascend, and there is at least one. */
export interface ChosenRows {
  readonly block: Block;
  readonly rows: Uint32Array;
}

/**
 * The records of files as they lie there, block by block. Of segments that another of them replaces, and of log
 * entries that lie in a segment, nothing is given, so that each record comes once. Throws `storage.damaged`.
 */
export function* storedRecords(
  files: readonly StoredFile[],
  choice: RecordChoice,
): Generator<ChosenRows> {
  const replaced = new Set<string>();
  const sealed = new Map<number, number>();
  const segments = files.filter(({ kind }) => kind === "segment");
  for (const { path } of segments) {
    const segment = openSegment(path);
    const { replaces, shard, positionThrough } = segment.footer;
    segment.close();
    for (const uuid of replaces) replaced.add(uuid);
    sealed.set(shard, Math.max(positionThrough, sealed.get(shard) ?? 0));
  }
  for (const { path } of segments) {
    if (![...replaced].some((uuid) => path.endsWith(uuid))) yield* ofSegment(path, choice);
  }
  for (const { path, kind } of files) if (kind === "log") yield* ofLog(path, sealed, choice);
}

function* ofSegment(path: string, choice: RecordChoice): Generator<ChosenRows> {
  const segment = openSegment(path, new BlockCache(passCacheBytes));
  const { tenant, from, to } = choice;
  const times = { ...(from && { timeFrom: from }), ...(to && { timeTo: to }) };
  try {
    for (const block of segment.blocks({ tenant, ...times })) {
      if (segment.partitionOf(block).internal && !choice.internal) continue;
      yield* chosen(block, choice);
    }
  } finally {
    segment.close();
  }
}

function* ofLog(
  path: string,
  sealed: ReadonlyMap<number, number>,
  choice: RecordChoice,
): Generator<ChosenRows> {
  const { bytes, scan } = readLogFile(path);
  for (const { header, bodyOffset, isDamaged } of scan.entries) {
    const { kind, shard, position, tenant, internal, bodyLength } = header;
    if (kind !== "records" || isDamaged || tenant !== choice.tenant) continue;
    if ((internal && !choice.internal) || position <= (sealed.get(shard) ?? 0)) continue;
    yield* chosen(openBatch(bytes, bodyOffset, bodyLength, position), choice);
  }
}

function* chosen(block: Block, { from, to }: RecordChoice): Generator<ChosenRows> {
  const { ms, ns } = block.times();
  const isWanted = (row: number): boolean => {
    const time = { ms: ms[row] as number, ns: ns?.[row] ?? 0 };
    const isLate = from === undefined || momentCompare(time, from) >= 0;
    return isLate && (to === undefined || momentCompare(time, to) < 0);
  };
  const rows = Uint32Array.from({ length: block.rowCount }, (_, row) => row).filter(isWanted);
  if (rows.length > 0) yield { block, rows };
}
