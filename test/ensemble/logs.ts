import { existsSync, globSync, readFileSync } from "node:fs";
import path from "node:path";
import { WireError } from "../../coordinator/src/wire/errors.ts";
import { fileHeaderRead, logMagic, logRecordRead } from "../../coordinator/src/wire/files.ts";
import { JuteReader } from "../../coordinator/src/wire/reader.ts";
import { type Txn, TxnEntry } from "../../coordinator/src/wire/txns.ts";

/** What a member has on disk of one zxid. */
export interface LoggedTxn {
  /** All of it in hex: header, txn, digest. */
  readonly bytes: string;
  readonly txn: Txn;
}

/** The txns in the logs of a data directory, by zxid. A file is read up to an entry that a kill cut off. */
export function txnsOf(dataDir: string): ReadonlyMap<number, LoggedTxn> {
  const folder = path.join(dataDir, "version-2");
  const found = new Map<number, LoggedTxn>();
  if (!existsSync(folder)) return found;
  for (const file of globSync("log.*", { cwd: folder }).sort()) {
    const from = new JuteReader(readFileSync(path.join(folder, file)));
    try {
      fileHeaderRead(from, logMagic);
      for (let one = logRecordRead(from); one !== undefined; one = logRecordRead(from)) {
        const { header, txn } = TxnEntry.read(new JuteReader(one));
        found.set(Number(header.zxid), { bytes: one.toString("hex"), txn });
      }
    } catch (thrown) {
      if (!(thrown instanceof WireError)) throw thrown;
    }
  }
  return found;
}

/** Where members' logs say different things of one zxid; empty when they agree on all that several have. */
export function logDifferences(logs: readonly ReadonlyMap<number, LoggedTxn>[]): string[] {
  const known = new Map<number, { readonly member: number; readonly txn: LoggedTxn }>();
  const faults: string[] = [];
  for (const [at, log] of logs.entries()) {
    for (const [zxid, txn] of log) {
      const before = known.get(zxid);
      if (before === undefined) known.set(zxid, { member: at + 1, txn });
      else if (before.txn.bytes !== txn.bytes) {
        const where = `0x${zxid.toString(16)} of members ${before.member} and ${at + 1}`;
        faults.push(`${where}\n  ${before.txn.bytes}\n  ${txn.bytes}`);
      }
    }
  }
  return faults.slice(0, 10);
}

/** How many zxids at least two of the logs have. */
export function sharedTxns(logs: readonly ReadonlyMap<number, LoggedTxn>[]): number {
  const counts = new Map<number, number>();
  for (const log of logs) {
    for (const zxid of log.keys()) counts.set(zxid, (counts.get(zxid) ?? 0) + 1);
  }
  return [...counts.values()].filter((count) => count > 1).length;
}

/** Ephemerals that a log takes away more than once: each has a name of its own and goes once. */
export function goneTwice(log: ReadonlyMap<number, LoggedTxn>, prefix: string): string[] {
  const gone = new Map<string, number>();
  for (const { txn } of log.values()) {
    const paths =
      txn.type === "closeSession" ? (txn.paths ?? []) : txn.type === "delete" ? [txn.path] : [];
    for (const each of paths) {
      if (each.startsWith(prefix)) gone.set(each, (gone.get(each) ?? 0) + 1);
    }
  }
  return [...gone].filter(([, count]) => count > 1).map(([each]) => each);
}
