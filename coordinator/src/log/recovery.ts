import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, renameSync } from "node:fs";
import { basename, join } from "node:path";

import { ServiceError } from "../../../kit/src/errors.ts";
import type { History } from "../core/peer.ts";
import { zxidText } from "../core/zxid.ts";
import { treeRestore } from "../tree/restore.ts";
import { Tree, type TreeOptions } from "../tree/tree.ts";
import { WireError } from "../wire/errors.ts";
import type { TxnBytes } from "../wire/txn-bytes.ts";
import { epochsSettle } from "./epoch-files.ts";
import {
  directoryCreate,
  directorySync,
  fileOpen,
  filesNamed,
  type NamedFile,
  temporariesRemove,
} from "./files.ts";
import { type Directories, installFinish, installPending } from "./install.ts";
import { recentBytesMax } from "./limits.ts";
import { RecentTxns } from "./recent-txns.ts";
import { endsCut, type RecoveryWarning, Replay } from "./replay.ts";
import { snapshotWriteNow } from "./snapshots.ts";

export interface RecoverOptions extends TreeOptions {
  /** Txns kept for learners that are behind: so many, and at most 32 MiB of them; 0 for none. */
  readonly recentMax: number;
  /** Where logs lie, when not in the data directory. */
  readonly dataLogDir?: string | undefined;
}

/** What a data directory held. */
export interface Recovered<W extends object> {
  /** Of snapshots and epochs. */
  readonly directory: string;
  readonly logDirectory: string;
  readonly tree: Tree<W>;
  readonly history: History<TxnBytes> &
    Required<Pick<History<TxnBytes>, "snapshotZxid" | "recent">>;
  /** Txns replayed from logs. */
  readonly replayed: number;
  /** Bytes of an unfinished entry that were cut off. */
  readonly tornBytes: number;
  /** To be logged by the host. */
  readonly warnings: readonly RecoveryWarning[];
}

/**
 * The newest snapshot and every txn after it. Cuts off an entry that a crash left unfinished, goes on with the install of a
 * leader's snapshot that a crash stopped, and writes epochs that lag behind the log. A newest snapshot that is damaged is
 * set aside when an older one and the logs make up for it. What is damaged in any other way, or missing, throws
 * `storage.damaged` and is left as it is.
 */
export function recover<W extends object>(dataDir: string, given: RecoverOptions): Recovered<W> {
  const options = { hashSeed: randomBytes(4).readInt32BE(), ...given };
  const directory = directoryCreate(dataDir);
  const { dataLogDir } = options;
  const logDirectory = dataLogDir === undefined ? directory : directoryCreate(dataLogDir);
  const directories = { snapshots: directory, logs: logDirectory };
  const warnings: RecoveryWarning[] = [];
  layoutCheck(directories);
  for (const path of new Set([directory, logDirectory].flatMap(temporariesRemove))) {
    warnings.push({ message: "a temporary file could not be removed", fields: { path } });
  }
  const pending = installPending(directories);
  if (pending !== undefined) {
    // It is read before the rest is removed, although it was whole when it was named so.
    snapshotRead(pending, options);
    installFinish(pending, directories);
  }
  const logs = filesNamed(logDirectory, "log");
  const snapshots = filesNamed(directory, "snapshot");
  if (snapshots.length === 0) begin(directories, logs, options);
  const base = snapshots.length === 0 ? freshBase<W>(options) : baseRead<W>(snapshots, options);
  const { tree, zxid } = base;
  const recent = new RecentTxns(options.recentMax, recentBytesMax);
  const sought = new Set(base.passedOver.map(({ file }) => file.zxid));
  const replayed = replayOver(base, () => new Replay(tree, recent, warnings, sought).run(logs));
  setAside(directory, base.passedOver, warnings);
  const tornBytes = endsCut(replayed.ends, logDirectory);
  tree.quotas.rebuild();
  const { zxidLast } = tree;
  // A snapshot of an epoch's start is above the last txn of the logs.
  if (recent.zxidLast !== zxidLast) recent.clear();
  if (tree.acls.unlisted > 0) {
    const message = "znodes have ACLs that no snapshot lists and no txn gives: nobody may use them";
    warnings.push({ message, fields: { acls: tree.acls.unlisted } });
  }
  const epochs = epochsSettle(directory, zxidLast);
  const history = { ...epochs, zxidLast, snapshotZxid: zxid, recent: recent.proposals() };
  return { directory, logDirectory, tree, history, replayed: replayed.count, tornBytes, warnings };
}

/** Apache's servers refuse these too: logs that nobody reads would be txns that nobody misses. */
function layoutCheck({ snapshots, logs }: Directories): void {
  if (snapshots === logs) return;
  if (filesNamed(snapshots, "log").length > 0) {
    const message = "there are logs beside the snapshots, although dataLogDir is another directory";
    throw new ServiceError("storage.damaged", message, { path: snapshots });
  }
  if (filesNamed(logs, "snapshot").length > 0) {
    const message = "there are snapshots in dataLogDir";
    throw new ServiceError("storage.damaged", message, { path: logs });
  }
}

/** The first snapshot of a directory that holds nothing. */
function begin({ snapshots }: Directories, logs: readonly NamedFile[], options: TreeOptions): void {
  const hasEpochs = ["acceptedEpoch", "currentEpoch"].some((name) =>
    existsSync(join(snapshots, name)),
  );
  if (logs.length > 0 || hasEpochs) {
    const message = "the data directory has logs or epochs but no snapshot: it is not complete";
    throw new ServiceError("storage.damaged", message, { path: snapshots });
  }
  const compressed = readdirSync(snapshots).find((name) =>
    /^snapshot\.[0-9a-f]+\.(gz|snappy)$/.test(name),
  );
  if (compressed !== undefined) {
    const message = "a compressed snapshot is not read here: have its server write a plain one";
    throw new ServiceError("storage.damaged", message, { path: join(snapshots, compressed) });
  }
  snapshotWriteNow(snapshots, Tree.fresh(options));
}

/** A snapshot's tree, and the newer ones that could not be read. */
interface Base<W extends object> {
  readonly tree: Tree<W>;
  readonly zxid: number;
  readonly passedOver: readonly { readonly file: NamedFile; readonly error: ServiceError }[];
}

function freshBase<W extends object>(options: TreeOptions): Base<W> {
  return { tree: Tree.fresh<W>(options), zxid: 0, passedOver: [] };
}

function baseRead<W extends object>(
  snapshots: readonly NamedFile[],
  options: TreeOptions,
): Base<W> {
  const passedOver: { file: NamedFile; error: ServiceError }[] = [];
  for (const file of [...snapshots].reverse()) {
    try {
      return { tree: snapshotRead<W>(file, options), zxid: file.zxid, passedOver };
    } catch (thrown) {
      if (!(thrown instanceof ServiceError)) throw thrown;
      passedOver.push({ file, error: thrown });
    }
  }
  throw passedOver[0]!.error;
}

function snapshotRead<W extends object>({ path, zxid }: NamedFile, options: TreeOptions): Tree<W> {
  const file = fileOpen(path);
  try {
    return treeRestore<W>(file, zxid, options);
  } catch (thrown) {
    if (!(thrown instanceof WireError)) throw thrown;
    const message = `a snapshot is damaged: ${thrown.message}`;
    const fields = { path, offset: thrown.offset, fault: thrown.fault };
    throw new ServiceError("storage.damaged", message, fields, { cause: thrown });
  } finally {
    file.close();
  }
}

/**
 * Runs the replay. When it starts from an older snapshot, the logs must hold the very txn that each damaged one ends
 * with: one that came from a leader stands for a history that the logs do not have, and they go on after it as
 * if nothing were missing.
 */
function replayOver<W extends object, R extends { readonly seen: ReadonlySet<number> }>(
  { zxid, passedOver }: Base<W>,
  run: () => R,
): R {
  const newest = passedOver[0];
  if (newest === undefined) return run();
  const { error } = newest;
  let cause: unknown;
  try {
    const replayed = run();
    if (passedOver.every(({ file }) => replayed.seen.has(file.zxid))) return replayed;
  } catch (thrown) {
    if (!(thrown instanceof ServiceError)) throw thrown;
    cause = thrown;
  }
  const message = `${error.message}, and the logs do not make up for it`;
  const fields = { ...error.fields, snapshotZxid: zxidText(zxid) };
  throw new ServiceError("storage.damaged", message, fields, { cause: cause ?? error });
}

/** Out of the way of what counts snapshots, so that no whole one is purged in its favour. */
function setAside<W extends object>(
  directory: string,
  passedOver: Base<W>["passedOver"],
  warnings: RecoveryWarning[],
): void {
  for (const { file, error } of passedOver) {
    const path = join(directory, `damaged.${basename(file.path)}`);
    renameSync(file.path, path);
    warnings.push({
      message: `${error.message}: it is set aside, an older one and the logs make up for it`,
      fields: { path },
    });
  }
  if (passedOver.length > 0) directorySync(directory);
}
