// Goal: every release reads the log files of every version, and no bytes make it do worse than refuse.
// Method: `kept/` holds the files of each version. With REWRITE=1 those of the current version are written
// anew; do that only before its first release. Fuzzing changes them by a seed.
import assert from "node:assert/strict";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ServiceError } from "../../../kit/src/errors.ts";
import { silentLogger } from "../../../kit/src/logger.ts";
import { Prng } from "../../../kit/src/prng.ts";
import { CommitLog, type LogEntry } from "../../src/log/commit-log.ts";
import { nodeDisk } from "../../src/log/disk.ts";
import { EpochFile } from "../../src/log/epoch-file.ts";
import { logFileName } from "../../src/log/log-file.ts";
import { recoverLog } from "../../src/log/recovery.ts";
import { entryOf, temp } from "./temp.ts";

const kept = join(import.meta.dirname, "kept");
const logPath = join(kept, "version-1.entries");
const epochsPath = join(kept, "version-1.epochs");
const rounds = Number(process.env["LOGKEEP_SOAK_SEEDS"] ?? 200);

const source = { source: "inbox/1", previous: 0n, from: 1n, through: 2n ** 63n };
const dedupeKey = new Uint8Array(16).fill(0xab);
const nothing = { rows: 0, tenant: "", class: "" };
const entries: readonly LogEntry[] = [
  entryOf(0, 1, "", { kind: "epoch-start", ...nothing }),
  entryOf(0, 2, "first body", { dedupeKey, source }),
  entryOf(31, 1, '{"tenant":"t","key":"k"}', { kind: "idempotency", rows: 0 }),
  entryOf(0, 3, "second body", { tenant: "größer", class: "short", internal: true }),
];
const lineage = [{ epoch: 1, firstPosition: 1 }];

if (process.env["REWRITE"] === "1") test("kept files are written anew", rewrite);

test("a kept log file of version 1 is read", async (t) => {
  const directory = temp(t);
  copyFileSync(logPath, join(directory, logFileName(1)));
  const recovered = await recoverLog(nodeDisk, directory);
  const bytes = readFileSync(logPath);
  for (const shard of [0, 31]) {
    const found = (recovered.shards.get(shard)?.entries ?? []).map(({ header, bodyOffset }) => {
      const body = bytes.subarray(bodyOffset, bodyOffset + header.bodyLength).toString();
      return { header, body };
    });
    const expected = entries
      .filter(({ header }) => header.shard === shard)
      .map(({ header, body }) => ({
        header: { dedupeKey: undefined, source: undefined, ...header },
        body: body.toString(),
      }));
    assert.deepEqual(found, expected);
  }
  assert.equal(recovered.damaged.size, 0);
});

test("a kept file of epochs of version 1 is read", (t) => {
  const directory = temp(t);
  copyFileSync(epochsPath, join(directory, "epochs"));
  const file = EpochFile.open(nodeDisk, directory);
  assert.deepEqual(file.of(0), { promised: 1, lineage, committed: 2 });
});

test("a log file changed anywhere is refused, or read up to the change", async (t) => {
  const whole = readFileSync(logPath);
  const random = new Prng(11);
  for (let round = 0; round < rounds; round++) {
    const directory = temp(t);
    const bytes = Buffer.from(whole.subarray(0, whole.length - random.below(2) * 4096));
    const changes = 1 + random.below(8);
    for (let i = 0; i < changes; i++) bytes[random.below(5_500)] = random.below(256);
    writeFileSync(join(directory, logFileName(1)), bytes);
    try {
      const { shards, damaged } = await recoverLog(nodeDisk, directory);
      for (const [shard, { entries: found }] of shards) {
        if (damaged.has(shard)) continue;
        const expected = entries.filter(({ header }) => header.shard === shard);
        for (const [i, { header }] of found.entries()) {
          assert.deepEqual(header, { ...header, ...expected[i]?.header });
        }
      }
    } catch (thrown) {
      assert.ok(thrown instanceof ServiceError, String(thrown));
      assert.equal(thrown.code, "storage.damaged");
    }
  }
});

async function rewrite(t: Parameters<typeof temp>[0]): Promise<void> {
  const directory = temp(t);
  const { log } = await CommitLog.open({
    ...{ directory, disk: nodeDisk, logger: silentLogger },
    ...{ fileBytes: 16 * 1024, bytesMax: 64 * 1024 },
    ...{ onSealWanted: () => undefined, onFailed: () => undefined },
  });
  for (const entry of entries) await log.append(entry);
  await log.close();
  copyFileSync(join(directory, logFileName(1)), logPath);
  const file = EpochFile.open(nodeDisk, directory);
  await file.promise(new Map([[0, 1]]));
  await file.begin(new Map([[0, { epoch: 1, firstPosition: 1 }]]));
  await file.commit(new Map([[0, 2]]));
  copyFileSync(join(directory, "epochs"), epochsPath);
}
