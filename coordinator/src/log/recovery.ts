import { closeSync, fsyncSync, ftruncateSync, openSync, unlinkSync } from "node:fs";

import { ServiceError } from "../../../kit/src/errors.ts";
import type { History } from "../core/peer.ts";
import { zxidEpoch, zxidText } from "../core/zxid.ts";
import { treeRestore } from "../tree/restore.ts";
import { Tree } from "../tree/tree.ts";
import { WireError } from "../wire/errors.ts";
import type { TxnEntry } from "../wire/txns.ts";
import { epochRead } from "./epoch-files.ts";
import {
  directoryCreate,
  directorySync,
  filesNamed,
  type NamedFile,
  readWhole,
  temporariesRemove,
} from "./files.ts";
import { logRead } from "./log-reader.ts";
import { snapshotWriteNow } from "./snapshots.ts";

/** What a data directory held. */
export interface Recovered<W extends object> {
  readonly directory: string;
  readonly tree: Tree<W>;
  readonly history: History;
  readonly snapshotZxid: number;
  /** Txns replayed from logs. */
  readonly replayed: number;
  /** Bytes of an unfinished entry that were cut off. */
  readonly tornBytes: number;
}

/**
 * The newest snapshot and every txn after it. Cuts off an entry that a crash left unfinished; what is damaged in any
 * other way, or missing, throws `storage.damaged` and is left as it is.
 */
export function recover<W extends object>(dataDir: string): Recovered<W> {
  const directory = directoryCreate(dataDir);
  temporariesRemove(directory);
  const logs = filesNamed(directory, "log");
  const snapshot = filesNamed(directory, "snapshot").at(-1);
  const acceptedEpoch = epochRead(directory, "acceptedEpoch");
  const currentEpoch = epochRead(directory, "currentEpoch");
  if (snapshot === undefined) {
    if (logs.length > 0 || acceptedEpoch !== undefined || currentEpoch !== undefined) {
      const message = "the data directory has logs or epochs but no snapshot: it is not complete";
      throw new ServiceError("storage.damaged", message, { directory });
    }
    snapshotWriteNow(directory, Tree.fresh());
  }
  const zxid = snapshot?.zxid ?? 0;
  const tree = snapshot === undefined ? Tree.fresh<W>() : snapshotRead<W>(snapshot);
  const { replayed, tornBytes } = replay(tree, logs, zxid);
  tree.quotas.rebuild();
  const epochOfLast = zxidEpoch(tree.zxidLast);
  const current = Math.max(currentEpoch ?? 0, epochOfLast);
  // A crash between the two files may leave the promise behind the epoch that was led: never below it.
  const history = {
    acceptedEpoch: Math.max(acceptedEpoch ?? 0, current),
    currentEpoch: current,
    zxidLast: tree.zxidLast,
  };
  return { directory, tree, history, snapshotZxid: zxid, replayed, tornBytes };
}

function snapshotRead<W extends object>({ path, zxid }: NamedFile): Tree<W> {
  try {
    return treeRestore<W>(readWhole(path), zxid);
  } catch (thrown) {
    if (!(thrown instanceof WireError)) throw thrown;
    const message = `a snapshot is damaged: ${thrown.message}`;
    const fields = { path, offset: thrown.offset, fault: thrown.fault };
    throw new ServiceError("storage.damaged", message, fields, { cause: thrown });
  }
}

/** Applies the entries above the snapshot, from the last log that can hold the first of them. */
function replay<W extends object>(
  tree: Tree<W>,
  logs: readonly NamedFile[],
  snapshotZxid: number,
): { readonly replayed: number; readonly tornBytes: number } {
  const first = logs.findLastIndex((log) => log.zxid <= snapshotZxid + 1);
  const needed = logs.slice(Math.max(0, first));
  let replayed = 0;
  let tornBytes = 0;
  for (const [index, log] of needed.entries()) {
    const isLast = index === needed.length - 1;
    let last: number | undefined;
    const end = logRead(log.path, { isLast }, (entry) => {
      const zxid = Number(entry.header.zxid);
      orderCheck(log, zxid, last);
      last = zxid;
      if (zxid <= snapshotZxid) return;
      gapCheck(log, zxid, tree.zxidLast);
      applyEntry(tree, zxid, entry);
      replayed++;
    });
    if (end.isTorn) tornBytes += tailCut(log.path, end.bytes);
  }
  return { replayed, tornBytes };
}

function applyEntry<W extends object>(tree: Tree<W>, zxid: number, entry: TxnEntry): void {
  const { sessionId, timeMs } = entry.header;
  tree.apply({ sessionId, zxid, timeMs: Number(timeMs) }, entry.txn, entry.digest);
}

function orderCheck(log: NamedFile, zxid: number, last: number | undefined): void {
  const isFirst = last === undefined;
  if (isFirst ? zxid === log.zxid : zxid > last) return;
  const message = "a txn log is damaged: its entries are out of order";
  throw new ServiceError("storage.damaged", message, { path: log.path, zxid: zxidText(zxid) });
}

/** Within an epoch every zxid is there: failed requests take one too, and are logged. */
function gapCheck(log: NamedFile, zxid: number, last: number): void {
  if (zxid === last + 1 || zxidEpoch(zxid) > zxidEpoch(last)) return;
  throw new ServiceError("storage.damaged", "txns are missing before those of a log", {
    path: log.path,
    zxid: zxidText(zxid),
    zxidLast: zxidText(last),
  });
}

/** Returns the bytes cut off. A file that holds nothing whole goes, so that its name is free again. */
function tailCut(path: string, bytes: number): number {
  const torn = readWhole(path).length - bytes;
  if (bytes === 0) {
    unlinkSync(path);
    directorySync(path.slice(0, path.lastIndexOf("/")));
    return torn;
  }
  const fd = openSync(path, "r+");
  try {
    ftruncateSync(fd, bytes);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  return torn;
}
