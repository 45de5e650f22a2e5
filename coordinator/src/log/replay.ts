import { statSync, unlinkSync } from "node:fs";

import { ServiceError } from "../../../kit/src/errors.ts";
import { zxidCounter, zxidEpoch, zxidText } from "../core/zxid.ts";
import type { Tree } from "../tree/tree.ts";
import type { TxnEntry } from "../wire/txns.ts";
import { directorySync, type NamedFile } from "./files.ts";
import { recentBytesMax } from "./limits.ts";
import { entryRead, entryZxid, type LogEnd, logRead, logRecordsCount } from "./log-reader.ts";
import type { RecentTxns } from "./recent-txns.ts";
import { fileCut } from "./truncate.ts";

/** Something that is not as it should be and does no harm. */
export interface RecoveryWarning {
  readonly message: string;
  readonly fields: Readonly<Record<string, string | number>>;
}

/** What a replay finds besides the tree. */
export interface Replayed {
  /** Txns applied. */
  readonly count: number;
  /** Txns at or below the snapshot's zxid that the logs hold as well, among those asked for. */
  readonly seen: ReadonlySet<number>;
  /** Ends of logs that a crash tore; nothing is cut yet. */
  readonly ends: readonly { readonly log: NamedFile; readonly end: LogEnd }[];
}

/**
 * Applies the logs' entries above a snapshot to its tree, and keeps the newest. Throws `storage.damaged` for everything but
 * the torn end of the last entry there is.
 */
export class Replay<W extends object> {
  readonly #tree: Tree<W>;
  readonly #snapshotZxid: number;
  readonly #recent: RecentTxns;
  readonly #warnings: RecoveryWarning[];
  #applied = 0;
  /** Files whose end is torn or that hold nothing, as long as nothing follows them. */
  #open: { readonly log: NamedFile; readonly end: LogEnd }[] = [];
  readonly #sought: ReadonlySet<number>;
  readonly #seen = new Set<number>();

  /** `sought` are zxids to be looked out for. */
  constructor(
    tree: Tree<W>,
    recent: RecentTxns,
    warnings: RecoveryWarning[],
    sought: ReadonlySet<number>,
  ) {
    this.#tree = tree;
    this.#snapshotZxid = tree.zxidLast;
    this.#recent = recent;
    this.#warnings = warnings;
    this.#sought = sought;
  }

  run(logs: readonly NamedFile[]): Replayed {
    // The last log that begins at or below the snapshot may hold the first txns after it.
    const first = Math.max(
      0,
      logs.findLastIndex(({ zxid }) => zxid <= this.#snapshotZxid + 1),
    );
    for (const log of olderLogs(logs, first, this.#recent)) this.#readOlder(log);
    for (const log of logs.slice(first)) this.#read(log);
    return { count: this.#applied, seen: this.#seen, ends: this.#open };
  }

  #read(log: NamedFile): void {
    let last: number | undefined;
    const end = logRead(log.path, (bytes) => {
      const zxid = entryZxid(bytes);
      orderCheck(log, zxid, last);
      if (last === undefined) this.#close();
      last = zxid;
      if (this.#sought.has(zxid)) this.#seen.add(zxid);
      if (zxid <= this.#snapshotZxid) this.#pushOlder(zxid, bytes);
      else this.#apply(log, zxid, bytes);
    });
    this.#recent.fileEnd();
    if (end.torn !== undefined || end.entries === 0) this.#open.push({ log, end });
  }

  #apply(log: NamedFile, zxid: number, bytes: Buffer): void {
    const { zxidLast } = this.#tree;
    gapCheck(log, zxid, zxidLast);
    applyEntry(this.#tree, zxid, entryRead(bytes));
    this.#applied++;
    if (this.#recent.zxidLast !== zxidLast) this.#recent.clear();
    this.#recent.push(zxid, bytes);
  }

  /**
   * Txns that the snapshot holds are kept back to the beginning of their epoch at most: from one epoch to the next only a
   * replay shows that nothing is missing, as a snapshot from a leader may have stood between them.
   */
  #pushOlder(zxid: number, bytes: Buffer): void {
    const last = this.#recent.zxidLast;
    if (last !== undefined && (zxid !== last + 1 || zxidCounter(zxid) === 0)) this.#recent.clear();
    this.#recent.push(zxid, bytes);
  }

  /** A log that only learners might want: what is wrong with it stops nobody. */
  #readOlder(log: NamedFile): void {
    try {
      const end = logRead(log.path, (bytes) => this.#pushOlder(entryZxid(bytes), bytes));
      if (end.torn !== undefined) this.#recent.clear();
    } catch (thrown) {
      if (!(thrown instanceof ServiceError)) throw thrown;
      this.#recent.clear();
      const message = "a txn log that is not needed any more is damaged";
      this.#warnings.push({ message, fields: { path: log.path } });
    }
    this.#recent.fileEnd();
  }

  /**
   * More follows what seemed to be the end. Apache's servers leave an entry that was cut off where it is and go on in a new
   * file; that the next txn follows on the last whole one is checked with that txn. No other torn end has a successor.
   */
  #close(): void {
    for (const { log, end } of this.#open) {
      if (end.torn === undefined) continue;
      const fields = { path: log.path, offset: end.bytes, tornBytes: end.tornBytes };
      if (end.torn === "lost") {
        const message = "a txn log is damaged: its end is missing, and another log follows";
        throw new ServiceError("storage.damaged", message, fields);
      }
      const message = "an entry that was cut off is passed over: another log follows";
      this.#warnings.push({ message, fields });
    }
    this.#open = [];
  }
}

/** Cuts off what a crash tore; returns its bytes. A file that holds nothing goes, so that its name is free again. */
export function endsCut(ends: Replayed["ends"], directory: string): number {
  let torn = 0;
  for (const { log, end } of ends) {
    torn += end.tornBytes;
    if (end.entries > 0) fileCut(log.path, end.bytes);
    else {
      unlinkSync(log.path);
      directorySync(directory);
    }
  }
  return torn;
}

/** Logs before the first that is needed which may hold txns for learners: as many as there is room for. */
function olderLogs(
  logs: readonly NamedFile[],
  first: number,
  recent: RecentTxns,
): readonly NamedFile[] {
  if (!recent.isWanted) return [];
  // Mostly those that are needed have more than are kept.
  let count = 0;
  for (const { path } of logs.slice(first).reverse()) {
    if (count <= recent.countMax) count += logRecordsCount(path, recent.countMax + 1);
  }
  if (count > recent.countMax) return [];
  let from = first;
  for (let bytes = 0; from > 0 && bytes < recentBytesMax; from--) {
    bytes += statSync(logs[from]!.path).size;
  }
  return logs.slice(from, first);
}

function applyEntry<W extends object>(tree: Tree<W>, zxid: number, entry: TxnEntry): void {
  const { sessionId, timeMs } = entry.header;
  tree.apply({ sessionId, zxid, timeMs }, entry.txn, entry.digest);
}

function orderCheck(log: NamedFile, zxid: number, last: number | undefined): void {
  const isFirst = last === undefined;
  if (isFirst ? zxid === log.zxid : zxid > last) return;
  const message = "a txn log is damaged: its entries are out of order";
  throw new ServiceError("storage.damaged", message, { path: log.path, zxid: zxidText(zxid) });
}

/** Within an epoch every zxid is there, from 1 on: failed requests take one too, and are logged. */
function gapCheck(log: NamedFile, zxid: number, last: number): void {
  if (zxid === last + 1 && zxidCounter(zxid) > 0) return;
  if (zxidEpoch(zxid) > zxidEpoch(last) && zxidCounter(zxid) === 1) return;
  throw new ServiceError("storage.damaged", "txns are missing before those of a log", {
    path: log.path,
    zxid: zxidText(zxid),
    zxidLast: zxidText(last),
  });
}
