// Goal: whatever bit of a log or a snapshot flips, a start ends with the whole history or with an error that says what
// is damaged; only of the last entry may a start take no notice, and only when part of it is missing.
// Method: every bit of every kind of record, read on its own; then random bits of a whole directory. A failure prints
// the seed, and SEED=<n> replays that run.
import assert from "node:assert/strict";
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import test, { type TestContext } from "node:test";

import { Prng } from "../../kit/src/prng.ts";
import { directoryCreate } from "../src/log/files.ts";
import { entryRead, entryZxid, logRead } from "../src/log/log-reader.ts";
import { snapshotWriteNow } from "../src/log/snapshots.ts";
import { TxnLog } from "../src/log/txn-log.ts";
import { treeFingerprint } from "../src/tree/fingerprint.ts";
import { treeRestore } from "../src/tree/restore.ts";
import { logRecordWrite } from "../src/wire/files.ts";
import { JuteWriter } from "../src/wire/writer.ts";
import { everyEntry, everyTxn } from "./log-given.ts";
import { recoverAll, temporaryDirectory } from "./log-harness.ts";
import { seedsOf } from "./sim/seeds.ts";

const seed = Number(process.env["SEED"] ?? 1);
const flips = seedsOf({ few: 250, whole: 1000 });
const epoch1 = 2 ** 32;
const damaged = { name: "ServiceError", code: "storage.damaged" };

/** Writes entries `from` to `end` of all kinds into one log. */
async function logOf(directory: string, from: number, end: number): Promise<void> {
  const log = new TxnLog(directory, {
    onDurable: () => undefined,
    onFailed: (error) => assert.fail(error),
  });
  for (let index = from; index < end; index++) log.append(epoch1 + 1 + index, everyEntry(index));
  await log.close();
}

/** Two snapshots, the older of nothing, and two logs: all kinds of txns, once before the newer snapshot and once after. */
async function directoryOf(context: TestContext, end = everyTxn.length): Promise<string> {
  const dataDir = temporaryDirectory(context);
  const { directory } = recoverAll(dataDir);
  const half = Math.min(9, end);
  await logOf(directory, 0, half);
  snapshotWriteNow(directory, recoverAll(dataDir).tree);
  await logOf(directory, half, end);
  recoverAll(dataDir);
  return dataDir;
}

function recordBytes(index: number): number {
  const writer = new JuteWriter();
  logRecordWrite(writer, everyEntry(index));
  return writer.length;
}

test("a flipped bit anywhere in any kind of txn is an error that says where, also in the last", async (context) => {
  const directory = directoryCreate(temporaryDirectory(context));
  await logOf(directory, 0, everyTxn.length);
  const path = join(directory, "log.100000001");
  const whole = readFileSync(path);
  const header = 16;
  for (const padding of [0, 3000]) {
    let at = header;
    for (const index of everyTxn.keys()) {
      const end = at + recordBytes(index);
      for (let byte = at; byte < end; byte++) {
        const bytes = Buffer.concat([whole, Buffer.alloc(padding)]);
        bytes[byte]! ^= 1 << (byte % 8);
        writeFileSync(path, bytes);
        const fields = { path, offset: at };
        assert.throws(
          () => logRead(path, (entry) => void entryRead(entry)),
          (error: { readonly code?: string; readonly fields?: object }) => {
            assert.equal(error.code, damaged.code);
            assert.deepEqual({ ...fields, ...error.fields }, error.fields);
            return true;
          },
          `byte ${byte - at} of the ${everyTxn[index]?.type}`,
        );
      }
      at = end;
    }
    assert.equal(at, whole.length);
  }
});

test("a flipped bit in a log's header is an error, but for what nobody reads", async (context) => {
  const directory = directoryCreate(temporaryDirectory(context));
  await logOf(directory, 0, 3);
  const path = join(directory, "log.100000001");
  const whole = readFileSync(path);
  for (let bit = 0; bit < 16 * 8; bit++) {
    const bytes = Buffer.from(whole);
    bytes[bit >>> 3]! ^= 1 << (bit & 7);
    writeFileSync(path, bytes);
    if (bit < 64) assert.throws(() => logRead(path, () => undefined), damaged);
    else assert.equal(logRead(path, () => undefined).entries, 3);
  }
});

test("a flipped bit anywhere in a snapshot is an error", async (context) => {
  const dataDir = await directoryOf(context);
  snapshotWriteNow(join(dataDir, "version-2"), recoverAll(dataDir).tree);
  for (const zxid of [epoch1 + 9, epoch1 + everyTxn.length]) {
    const whole = readFileSync(join(dataDir, "version-2", `snapshot.${zxid.toString(16)}`));
    treeRestore(whole, zxid);
    for (let bit = 0; bit < whole.length * 8; bit++) {
      const bytes = Buffer.from(whole);
      bytes[bit >>> 3]! ^= 1 << (bit & 7);
      assert.throws(() => treeRestore(bytes, zxid), { name: "WireError" }, `bit ${bit}`);
    }
    for (let length = 0; length < whole.length; length++) {
      // Earlier seals are ends too: servers of other versions write less after the znodes.
      if ([whole.length - 21, whole.length - 54].includes(length)) continue;
      assert.throws(() => treeRestore(whole.subarray(0, length), zxid), { name: "WireError" });
    }
  }
});

test("a write that a crash cut off at any byte is no error, in a file of that length or of zeros", async (context) => {
  const directory = directoryCreate(temporaryDirectory(context));
  await logOf(directory, 0, 4);
  const path = join(directory, "log.100000001");
  const whole = readFileSync(path);
  const begin = whole.length - recordBytes(3);
  for (const padding of [0, 3000]) {
    for (let length = begin; length < whole.length; length++) {
      writeFileSync(path, Buffer.concat([whole.subarray(0, length), Buffer.alloc(padding)]));
      const { bytes, entries } = logRead(path, () => undefined);
      assert.deepEqual([bytes, entries], [begin, 3], `cut to ${length} and ${padding} zeros`);
    }
  }
});

test("sectors that never came are a torn end, and no other entry may follow them", async (context) => {
  const directory = directoryCreate(temporaryDirectory(context));
  await logOf(directory, 0, 4);
  const path = join(directory, "log.100000001");
  const large = Buffer.alloc(4000, 7);
  const writer = new JuteWriter();
  logRecordWrite(writer, Buffer.concat([everyEntry(4).subarray(0, 32), large]));
  const whole = Buffer.concat([readFileSync(path), writer.copy()]);
  const begin = whole.length - writer.length;
  const zeroed = (from: number) => Buffer.from(whole).fill(0, from, from + 512);
  for (let sector = 512; sector + 512 <= whole.length; sector += 512) {
    if (sector < begin) continue;
    writeFileSync(path, Buffer.concat([zeroed(sector), Buffer.alloc(100)]));
    assert.equal(logRead(path, () => undefined).torn, "lost");
    const later = new JuteWriter();
    logRecordWrite(later, everyEntry(5));
    writeFileSync(path, Buffer.concat([zeroed(sector), later.copy()]));
    assert.throws(() => logRead(path, () => undefined), damaged);
  }
});

test(`${flips} random flips end in the whole history or in an error`, async (context) => {
  const dataDir = await directoryOf(context);
  const whole = treeFingerprint(recoverAll(dataDir).tree);
  const less = recoverAll(await directoryOf(context, everyTxn.length - 1)).tree;
  const prng = new Prng(seed);
  const outcomes = { damaged: 0, whole: 0, less: 0 };
  const names = ["snapshot.0", "log.100000001", "snapshot.100000009", "log.10000000a"];
  const last = recordBytes(everyTxn.length - 1);
  const copy = join(dataDir, "..", `${basename(dataDir)}-copy`);
  context.after(() => rmSync(copy, { recursive: true, force: true }));
  for (let round = 0; round < flips; round++) {
    const name = prng.pick(names);
    rmSync(copy, { recursive: true, force: true });
    cpSync(dataDir, copy, { recursive: true });
    const path = join(copy, "version-2", name);
    const bytes = readFileSync(path);
    const at = prng.below(bytes.length);
    const bit = prng.below(8);
    bytes[at]! ^= 1 << bit;
    writeFileSync(path, bytes);
    const outcome = outcomeOf(copy, whole, treeFingerprint(less));
    outcomes[outcome]++;
    const isLast = name === names[3] && at >= bytes.length - last;
    assert(outcome !== "less" || isLast, `SEED=${seed}: bit ${bit} of byte ${at} of ${name}`);
  }
  context.diagnostic(JSON.stringify(outcomes));
  assert(outcomes.damaged > 0 && outcomes.whole > 0);
});

function outcomeOf(dataDir: string, whole: string, less: string): "damaged" | "whole" | "less" {
  let found: string;
  try {
    found = treeFingerprint(recoverAll(dataDir).tree);
  } catch (thrown) {
    assert.equal((thrown as { readonly code?: string }).code, "storage.damaged");
    return "damaged";
  }
  assert([whole, less].includes(found), "a tree that never was");
  return found === whole ? "whole" : "less";
}

test("an entry that was cut off and is followed by another log is passed over when nothing is missing", async (context) => {
  const dataDir = await directoryOf(context);
  const directory = join(dataDir, "version-2");
  const whole = treeFingerprint(recoverAll(dataDir).tree);
  rmSync(join(directory, "snapshot.100000009"));
  const path = join(directory, "log.100000001");
  const bytes = readFileSync(path);
  const cut = everyEntry(9).subarray(0, 30);
  const writer = new JuteWriter();
  logRecordWrite(writer, everyEntry(9));
  // As Apache's servers leave it: what their buffer held, among zeros written ahead.
  const torn = Buffer.concat([bytes, writer.view().subarray(0, cut.length), Buffer.alloc(500)]);
  writeFileSync(path, torn);
  const recovered = recoverAll(dataDir);
  assert.equal(treeFingerprint(recovered.tree), whole);
  assert.equal(recovered.warnings.length, 1);
  writeFileSync(path, torn.subarray(0, bytes.length + cut.length));
  assert.throws(() => recoverAll(dataDir), damaged, "a file that ends is no write that stopped");
  const changed = Buffer.concat([bytes, Buffer.alloc(500)]);
  changed[bytes.length - 10]! ^= 1;
  writeFileSync(path, changed);
  assert.throws(
    () => recoverAll(dataDir),
    damaged,
    "an entry that was changed is none that stopped",
  );
});

test("a txn whose checksum holds and that cannot be read is an error", (context) => {
  const directory = directoryCreate(temporaryDirectory(context));
  const path = join(directory, "log.100000001");
  const begin = Buffer.from("5a4b4c47000000020000000000000000", "hex");
  const strange = [
    everyEntry(1).subarray(0, 31),
    everyEntry(1).subarray(0, 40),
    Buffer.concat([everyEntry(1), Buffer.from("more")]),
    Buffer.concat([everyEntry(0).subarray(0, 28), Buffer.from("0000270f", "hex")]),
  ];
  for (const entry of strange) {
    const writer = new JuteWriter();
    logRecordWrite(writer, entry);
    writeFileSync(path, Buffer.concat([begin, writer.copy()]));
    const read = () =>
      logRead(path, (bytes) => {
        entryZxid(bytes);
        entryRead(bytes);
      });
    assert.throws(read, damaged);
  }
});
