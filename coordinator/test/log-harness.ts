import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

import { type Recovered, type RecoverOptions, recover } from "../src/log/recovery.ts";
import { TxnLog } from "../src/log/txn-log.ts";
import { encode } from "../src/wire/codec.ts";
import { opCodes } from "../src/wire/constants.ts";
import { type Txn, TxnEntry } from "../src/wire/txns.ts";

/** A directory that goes with the test. */
export function temporaryDirectory(context: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "logkeep-coordinator-"));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Recovers, keeping as many txns as there are unless told otherwise. */
export function recoverAll(
  dataDir: string,
  options: Partial<RecoverOptions> = {},
): Recovered<object> {
  return recover(dataDir, { recentMax: 10_000, ...options });
}

export function entryBytes(zxid: number, txn: Txn): Buffer {
  const header = {
    sessionId: 1n,
    cxid: 0,
    zxid,
    timeMs: 1_000,
    type: opCodes[txn.type],
  };
  return encode(TxnEntry, { header, txn, digest: undefined });
}

export function createTxn(path: string, parentCversion: number): Txn {
  const acl = [{ perms: 31, id: { scheme: "world", id: "anyone" } }];
  const data = Buffer.from(`data of ${path}`);
  return { type: "create", path, data, acl, ephemeral: false, parentCversion };
}

/** Writes creates of /n1, /n2, … (of later epochs /n2-1, …) at these zxids into one log and closes it. */
export async function logWrite(directory: string, zxids: readonly number[]): Promise<void> {
  const log = new TxnLog(directory, { onDurable: () => undefined, onFailed: rethrow });
  for (const zxid of zxids) {
    const counter = zxid % 2 ** 32;
    const epoch = Math.floor(zxid / 2 ** 32);
    const path = epoch === 1 ? `/n${counter}` : `/n${epoch}-${counter}`;
    log.append(zxid, entryBytes(zxid, createTxn(path, counter)));
  }
  await log.close();
}

function rethrow(error: Error): void {
  throw error;
}
