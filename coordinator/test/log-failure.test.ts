// Goal: a disk that fails once is never trusted again: no txn becomes durable after it, no cut, no snapshot.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs, {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
} from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";

import { directoryCreate } from "../src/log/files.ts";
import { SnapshotSpool } from "../src/log/spool.ts";
import { TxnLog } from "../src/log/txn-log.ts";
import { WireImage } from "../src/tree/image.ts";
import { createTxn, entryBytes, logWrite, recoverAll, temporaryDirectory } from "./log-harness.ts";

const epoch1 = 2 ** 32;
const descriptors = "/proc/self/fd";
const isLinux = existsSync(descriptors);

function descriptorOf(path: string): number {
  for (const name of readdirSync(descriptors)) {
    try {
      if (readlinkSync(join(descriptors, name)) === path) return Number(name);
    } catch {
      // The one that lists them is gone.
    }
  }
  throw new Error(`nobody has ${path} open`);
}

function isOpenAt(descriptor: number, path: string): boolean {
  try {
    return readlinkSync(join(descriptors, String(descriptor))) === path;
  } catch {
    return false;
  }
}

/** Opens a device under this number: whoever has the number writes there from now on, and closes it. */
function deviceAt(device: string, descriptor: number): void {
  const others: number[] = [];
  // Each gets the lowest number that is free, so this one's turn comes.
  for (let opened = openSync(device, "r+"); opened !== descriptor; ) {
    assert(opened < descriptor, "somebody else was given the number");
    others.push(opened);
    opened = openSync(device, "r+");
  }
  for (const other of others) closeSync(other);
}

/** Devices in place of a disk: one takes no byte, the other takes all and has nothing to sync. */
for (const { device, code } of [
  { device: "/dev/full", code: "ENOSPC" },
  { device: "/dev/null", code: "EINVAL" },
]) {
  test(`after ${code} nothing is durable any more, and nothing is cut`, {
    skip: !isLinux,
  }, async (context) => {
    const directory = directoryCreate(temporaryDirectory(context));
    const durable: number[] = [];
    const failures: Error[] = [];
    const log = new TxnLog(directory, {
      onDurable: (zxid) => durable.push(zxid),
      onFailed: (error) => failures.push(error),
    });
    const append = (counter: number) => {
      const txn = createTxn(`/n${counter}`, counter);
      log.append(epoch1 + counter, entryBytes(epoch1 + counter, txn));
      log.flush();
    };
    append(1);
    while (durable.length === 0) await new Promise(setImmediate);
    const descriptor = descriptorOf(join(directory, "log.100000001"));
    closeSync(descriptor);
    deviceAt(device, descriptor);
    append(2);
    while (failures.length === 0) await new Promise(setImmediate);
    append(3);
    await assert.rejects(log.truncate(epoch1 + 1), { code });
    await log.close();
    // A file that failed is closed in the pool, whenever that is done: under its number then lies nothing of the next test's.
    while (isOpenAt(descriptor, device)) await new Promise(setImmediate);
    assert.deepEqual(durable, [epoch1 + 1]);
    assert.equal(failures.length, 1);
  });
}

test("a cut or a snapshot that the disk refuses half way is the end of the log", async (context) => {
  for (const change of ["truncate", "replaceWith"] as const) {
    const dataDir = temporaryDirectory(context);
    const { directory } = recoverAll(dataDir);
    await logWrite(
      directory,
      [1, 2, 3].map((counter) => epoch1 + counter),
    );
    const spool = new SnapshotSpool(directory, epoch1 * 2, { bytesMax: 1_000_000 });
    const image = new WireImage(recoverAll(dataDir).tree);
    while (!image.isDone) await spool.write(image.next());
    await spool.end();
    const failures: Error[] = [];
    const log = new TxnLog(directory, {
      onDurable: () => undefined,
      onFailed: (error) => failures.push(error),
    });
    // Nobody took the directory away from a disk that works.
    renameSync(directory, `${directory}-gone`);
    const made = change === "truncate" ? log.truncate(epoch1 + 1) : log.replaceWith(spool);
    await assert.rejects(made, { code: "ENOENT" });
    assert.equal(failures.length, 1);
    await assert.rejects(log.truncate(epoch1 + 1), { code: "ENOENT" });
    await log.close();
    renameSync(`${directory}-gone`, directory);
    assert.equal(recoverAll(dataDir).history.zxidLast, epoch1 + 3);
  }
});

test("a file that may not grow ends the log with what was durable", {
  skip: !isLinux,
}, (context) => {
  const dataDir = temporaryDirectory(context);
  recoverAll(dataDir);
  const script = fileURLToPath(new URL("log-failure-child.ts", import.meta.url));
  // In blocks of 1,024 bytes: one stretch of zeros written ahead, and half of the next.
  const command = `ulimit -f 6144; exec "$0" "$1" "$2"`;
  const child = spawnSync("bash", ["-c", command, process.execPath, script, dataDir], {
    encoding: "utf8",
    timeout: 60_000,
  });
  assert.equal(child.status, 0, child.stderr);
  const { durable, failures, code } = JSON.parse(child.stdout) as {
    readonly durable: number;
    readonly failures: number;
    readonly code: string;
  };
  assert.deepEqual([failures, code], [1, "EFBIG"]);
  assert(durable > epoch1 + 10, `${durable}`);
  const { history } = recoverAll(dataDir);
  assert(history.zxidLast >= durable, "what was said to be durable is there");
});

test("a file begins with its header from its first bytes on, as Apache's servers need it", (context) => {
  const directory = directoryCreate(temporaryDirectory(context));
  const path = join(directory, "log.100000001");
  const seen: string[] = [];
  const original = fs.writeSync;
  Object.assign(fs, {
    writeSync: (...args: Parameters<typeof fs.writeSync>) => {
      const count = original(...args);
      if (existsSync(path)) seen.push(readFileSync(path).subarray(0, 4).toString());
      return count;
    },
  });
  syncBuiltinESMExports();
  const log = new TxnLog(directory, { onDurable: () => undefined, onFailed: () => undefined });
  try {
    for (let counter = 1; counter <= 300; counter++) {
      const zxid = epoch1 + counter;
      log.append(zxid, entryBytes(zxid, createTxn(`/${"x".repeat(20_000)}`, counter)));
      if (counter % 100 === 0) log.flush();
    }
  } finally {
    Object.assign(fs, { writeSync: original });
    syncBuiltinESMExports();
  }
  assert(seen.length >= 5, `${seen.length} writes`);
  assert.deepEqual(new Set(seen), new Set(["ZKLG"]));
  return log.close();
});
