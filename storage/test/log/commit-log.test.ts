import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { ServiceError } from "../../../kit/src/errors.ts";
import { silentLogger } from "../../../kit/src/logger.ts";
import { Prng } from "../../../kit/src/prng.ts";
import { CommitLog, type CommitLogOptions } from "../../src/log/commit-log.ts";
import { type Disk, nodeDisk } from "../../src/log/disk.ts";
import { entryBytesOf, headerDecode, headerEncode } from "../../src/log/entry.ts";
import { logFileHeadBytes } from "../../src/log/limits.ts";
import { logFileName } from "../../src/log/log-file.ts";
import type { RecoveredLog } from "../../src/log/recovery.ts";
import { closeAfter, entryOf, temp } from "./temp.ts";

const fileBytes = 64 * 1024;

function optionsOf(directory: string, over: Partial<CommitLogOptions> = {}): CommitLogOptions {
  return {
    directory,
    disk: nodeDisk,
    logger: silentLogger,
    fileBytes,
    bytesMax: 16 * fileBytes,
    onSealWanted: () => undefined,
    onFailed: () => undefined,
    ...over,
  };
}

async function openAt(
  t: TestContext,
  directory: string,
  over: Partial<CommitLogOptions> = {},
): Promise<{ readonly log: CommitLog; readonly recovered: RecoveredLog }> {
  const opened = await CommitLog.open(optionsOf(directory, over));
  closeAfter(t, () => opened.log.close());
  return opened;
}

/** Texts of a shard's entries as recovered, read from their files. */
function textsOf(directory: string, recovered: RecoveredLog, shard: number): string[] {
  return (recovered.shards.get(shard)?.entries ?? []).map(({ file, bodyOffset, header }) =>
    readFileSync(join(directory, file)).toString(
      "utf8",
      bodyOffset,
      bodyOffset + header.bodyLength,
    ),
  );
}

async function appendWaiting(log: CommitLog, entry: ReturnType<typeof entryOf>): Promise<void> {
  while (!log.fits(entry.header)) await log.room();
  return log.append(entry);
}

test("a header comes back as it was, and counts only in its own file", () => {
  const fileId = new Uint8Array(16).fill(7);
  const source = { source: "inbox-1", previous: 5n, from: 6n, through: 2n ** 64n - 1n };
  const dedupeKey = new Uint8Array(16).fill(9);
  const { header } = entryOf(3, 2 ** 40, "body", { dedupeKey, source, internal: true });
  const bytes = headerEncode(header, { fileId, groupOffset: 4096 });
  const decoded = headerDecode(bytes, 0, fileId);
  assert.deepEqual(decoded, { header, headerLength: bytes.length, groupOffset: 4096 });
  assert.equal(headerDecode(bytes, 0, new Uint8Array(16)), undefined);
  for (let at = 0; at < bytes.length; at++) {
    const damaged = Buffer.from(bytes);
    damaged[at]! ^= 0x10;
    assert.equal(headerDecode(damaged, 0, fileId), undefined, `byte ${at}`);
  }
});

test("entries of many shards come back in order over files and restarts", async (t) => {
  const directory = temp(t);
  const random = new Prng(1);
  const expected = new Map<number, string[]>([0, 1, 2].map((shard) => [shard, []]));
  for (let round = 0; round < 4; round++) {
    const { log, recovered } = await CommitLog.open(optionsOf(directory));
    for (const [shard, texts] of expected) {
      assert.deepEqual(textsOf(directory, recovered, shard), texts);
    }
    const appends: Promise<void>[] = [];
    for (let i = 0; i < 60; i++) {
      const shard = random.below(3);
      const texts = expected.get(shard)!;
      const text = `${round}/${i}/`.repeat(1 + random.below(400));
      texts.push(text);
      const entry = entryOf(shard, texts.length, text);
      while (!log.fits(entry.header)) await log.room();
      appends.push(log.append(entry));
    }
    await Promise.all(appends);
    await log.close();
  }
});

test("who brought an entry is told when it is on disk, and may then use its memory anew, whoever read it before", async (t) => {
  const directory = temp(t);
  const { log } = await openAt(t, directory);
  const { header, body } = entryOf(1, 1, "a body");
  let told = 0;
  const written = (): void => {
    told++;
    body.fill(0xdd);
  };
  const appended = log.append({ header, body, written });
  const early = log.read(1, 1);
  assert.equal(told, 0);
  await appended;
  assert.equal(told, 1);
  assert.equal(String(early?.body), "a body");
  assert.equal(String(log.read(1, 1)?.body), "a body");
});

test("a tail torn at any byte of its last entry loses that entry and no other", async (t) => {
  const directory = temp(t);
  const { log } = await CommitLog.open(optionsOf(directory));
  for (let position = 1; position <= 3; position++) {
    await log.append(entryOf(0, position, `text ${position}`));
  }
  await log.close();
  const path = join(directory, logFileName(1));
  const whole = readFileSync(path);
  const size = entryBytesOf(entryOf(0, 1, "text 1").header);
  const last = logFileHeadBytes + 2 * size;
  for (let torn = last; torn < last + size - 2; torn++) {
    const bytes = Buffer.from(whole);
    bytes.fill(0, torn);
    writeFileSync(path, bytes);
    const again = await CommitLog.open(optionsOf(directory));
    assert.deepEqual(textsOf(directory, again.recovered, 0), ["text 1", "text 2"], `at ${torn}`);
    await again.log.append(entryOf(0, 3, "another"));
    await again.log.close();
    const third = await CommitLog.open(optionsOf(directory));
    assert.deepEqual(textsOf(directory, third.recovered, 0), ["text 1", "text 2", "another"]);
    await third.log.close();
  }
});

test("what is left of an unsynced group behind a torn entry is never met again", async (t) => {
  const directory = temp(t);
  const { log } = await CommitLog.open(optionsOf(directory));
  await log.append(entryOf(0, 1, "first"));
  await Promise.all([2, 3, 4].map((at) => log.append(entryOf(0, at, `text ${at}`))));
  await log.close();
  const path = join(directory, logFileName(1));
  const bytes = readFileSync(path);
  // As after a power cut: a later page of the group reached the disk and an earlier one did not.
  const torn = logFileHeadBytes + entryBytesOf(entryOf(0, 1, "first").header);
  bytes.fill(0, torn, torn + 40);
  writeFileSync(path, bytes);
  const again = await CommitLog.open(optionsOf(directory));
  assert.deepEqual(textsOf(directory, again.recovered, 0), ["first"]);
  await again.log.append(entryOf(0, 2, "text 2"));
  await again.log.close();
  const third = await openAt(t, directory);
  assert.deepEqual(textsOf(directory, third.recovered, 0), ["first", "text 2"]);
});

test("an entry that is refused leaves no hole behind it", async (t) => {
  const directory = temp(t);
  let openFails = false;
  const disk: Disk = {
    ...nodeDisk,
    open(path, flags) {
      if (openFails) throw Object.assign(new Error("too many open files"), { code: "EMFILE" });
      return nodeDisk.open(path, flags);
    },
  };
  const { log } = await CommitLog.open(optionsOf(directory, { disk }));
  const texts: string[] = [];
  const append = (): Promise<void> => {
    texts.push(`${texts.length}/`.repeat(4_000));
    return appendWaiting(log, entryOf(0, texts.length, texts.at(-1)!));
  };
  await append();
  assert.throws(() => void log.append(entryOf(0, 7, "of which none before it is there")));
  assert.throws(() => void log.append(entryOf(1, 7, "gone", { kind: "truncate", epoch: 1 })));
  await append();
  // Into a file that cannot be opened.
  openFails = true;
  const next = entryOf(0, texts.length + 1, "x".repeat(fileBytes - 8_192));
  while (!log.fits(next.header)) await log.room();
  assert.throws(() => void log.append(next), /too many open files/);
  openFails = false;
  while (readdirSync(directory).length < 4) await append();
  await log.close();
  const { recovered } = await openAt(t, directory);
  assert.deepEqual([...recovered.damaged], []);
  assert.deepEqual(textsOf(directory, recovered, 0), texts);
});

test("files whose entries are all sealed are let go, oldest first, and used again", async (t) => {
  const directory = temp(t);
  const { log } = await openAt(t, directory, { bytesMax: 6 * fileBytes });
  for (let position = 1; position <= 100; position++) {
    await appendWaiting(log, entryOf(0, position, "x".repeat(9_000)));
    if (position % 10 === 0) log.sealed(0, position);
  }
  assert.ok(log.usedBytes <= 3 * fileBytes, `${log.usedBytes}`);
  await log.close();
  assert.ok(readdirSync(directory).length <= 6, readdirSync(directory).join());
  const { recovered } = await openAt(t, directory);
  assert.equal(recovered.shards.get(0)?.entries.at(-1)?.header.position, 100);
});

test("a log at its limit asks for seals, refuses, and goes on when they came", async (t) => {
  const directory = temp(t);
  let wanted = 0;
  const onSealWanted = (): void => {
    wanted++;
  };
  const { log } = await openAt(t, directory, { bytesMax: 3 * fileBytes, onSealWanted });
  let position = 0;
  const fill = async (): Promise<void> => {
    for (;;) {
      const entry = entryOf(0, position + 1, "x".repeat(20_000));
      if (!log.fits(entry.header)) await log.room();
      await log.append(entry);
      position++;
    }
  };
  await assert.rejects(fill(), { code: "storage.full" });
  assert.ok(wanted > 0);
  log.sealed(0, position);
  await appendWaiting(log, entryOf(0, position + 1, "x".repeat(20_000)));
});

test("a disk injected as full refuses at preparation, keeps what is there, and resumes by itself", async (t) => {
  const directory = temp(t);
  let isFull = false;
  const disk: Disk = {
    ...nodeDisk,
    write: (fd, bytes, position) =>
      isFull
        ? Promise.reject(Object.assign(new Error("no space left"), { code: "ENOSPC" }))
        : nodeDisk.write(fd, bytes, position),
  };
  const { log } = await openAt(t, directory, { disk });
  isFull = true;
  let position = 0;
  const one = async (): Promise<void> => {
    const entry = entryOf(0, position + 1, "x".repeat(20_000));
    if (!log.fits(entry.header)) await log.room();
    await log.append(entry);
    position++;
  };
  await assert.rejects(
    async () => {
      for (;;) await one();
    },
    { code: "storage.full" },
  );
  assert.ok(position >= 2);
  assert.ok(!readdirSync(directory).includes("prepare.tmp"));
  isFull = false;
  const deadline = Date.now() + 60_000;
  for (const before = position; position === before; ) {
    await one().catch(() => new Promise((resolve) => setTimeout(resolve, 50)));
    assert.ok(Date.now() < deadline, "resumes within its retry time");
  }
});

for (const fault of ["writev", "fdatasync"] as const) {
  test(`an injected error of ${fault} is final: everyone waiting is told, nothing is retried`, async (t) => {
    const directory = temp(t);
    let calls = 0;
    let isFailing = false;
    const failed = (): never => {
      calls++;
      throw Object.assign(new Error("injected"), { code: "EIO" });
    };
    const disk: Disk = {
      ...nodeDisk,
      writev: (fd, buffers, position) =>
        fault === "writev" && isFailing ? failed() : nodeDisk.writev(fd, buffers, position),
      fdatasync: async (fd) =>
        fault === "fdatasync" && isFailing ? failed() : nodeDisk.fdatasync(fd),
    };
    const told: string[] = [];
    const onFailed = (error: ServiceError): void => void told.push(error.code);
    const { log } = await openAt(t, directory, { disk, onFailed });
    await log.append(entryOf(0, 1, "good"));
    isFailing = true;
    const waiting = [2, 3].map((at) => log.append(entryOf(0, at, "lost")));
    for (const append of waiting) await assert.rejects(append, { code: "storage.failed" });
    isFailing = false;
    await assert.rejects(log.append(entryOf(0, 4, "later")), { code: "storage.failed" });
    await assert.rejects(log.room(), { code: "storage.failed" });
    assert.deepEqual(told, ["storage.failed"]);
    assert.equal(calls, 1);
  });
}
