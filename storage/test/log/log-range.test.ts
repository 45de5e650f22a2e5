// Goal: what the running log says of a shard is what a restart finds, through appends, truncations, seals and files written again.
// Method: a seed draws steps over a few shards; a model in memory keeps what each shard should have.
import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "../../../kit/src/logger.ts";
import { Prng } from "../../../kit/src/prng.ts";
import { CommitLog, type LogEntry } from "../../src/log/commit-log.ts";
import { nodeDisk } from "../../src/log/disk.ts";
import { cutHeader } from "../../src/log/entry.ts";
import { rewriteOldest } from "../../src/log/rewrite-oldest.ts";
import { entryOf, temp } from "./temp.ts";

const fileBytes = 64 * 1024;
const rounds = Number(process.env["LOGKEEP_SOAK_SEEDS"] ?? 12);
const noBody = Buffer.alloc(0);

function open(directory: string): Promise<{ readonly log: CommitLog }> {
  return CommitLog.open({
    ...{ directory, disk: nodeDisk, logger: silentLogger, fileBytes, bytesMax: 64 * fileBytes },
    ...{ onSealWanted: () => undefined, onFailed: () => undefined },
  });
}

async function append(log: CommitLog, entry: LogEntry): Promise<void> {
  while (!log.fits(entry.header)) await log.room();
  return log.append(entry);
}

test("entries are read from the running log, before and after they are on disk", async (t) => {
  const directory = temp(t);
  const { log } = await open(directory);
  const appended = append(log, entryOf(3, 1, "first"));
  assert.equal(String(log.read(3, 1)?.body), "first");
  await appended;
  assert.equal(String(log.read(3, 1)?.body), "first");
  assert.deepEqual(log.read(3, 1)?.header.tenant, "default");
  assert.equal(log.read(3, 2), undefined);
  assert.equal(log.range(1), undefined);
  await log.close();
});

test("a truncated tail is gone for good, and another goes on where it ended", async (t) => {
  const directory = temp(t);
  let { log } = await open(directory);
  for (let at = 1; at <= 5; at++) await append(log, entryOf(0, at, `old ${at}`));
  await append(log, {
    header: cutHeader("truncate", 0, {
      to: { epoch: 1, position: 3 },
      from: { epoch: 1, position: 5 },
    }),
    body: noBody,
  });
  assert.deepEqual(log.range(0)?.end, { epoch: 1, position: 3 });
  await append(log, entryOf(0, 4, "new 4", { epoch: 2 }));
  await log.close();
  ({ log } = await open(directory));
  const texts = [1, 2, 3, 4, 5].map((at) => log.read(0, at)?.body.toString());
  assert.deepEqual(texts, ["old 1", "old 2", "old 3", "new 4", undefined]);
  await log.close();
});

test("a reset empties a shard's log, and the next entry follows its point", async (t) => {
  const directory = temp(t);
  let { log } = await open(directory);
  for (let at = 1; at <= 5; at++) await append(log, entryOf(0, at, `old ${at}`));
  const base = { epoch: 7, position: 40 };
  await append(log, {
    header: cutHeader("reset", 0, { to: base, from: { epoch: 1, position: 5 } }),
    body: noBody,
  });
  await log.close();
  ({ log } = await open(directory));
  assert.deepEqual(log.range(0)?.end, base);
  await append(log, entryOf(0, 41, "next", { epoch: 7, previousEpoch: 7 }));
  await log.close();
  ({ log } = await open(directory));
  assert.deepEqual(log.range(0)?.base, base);
  assert.equal(String(log.read(0, 41)?.body), "next");
  assert.equal(log.read(0, 5), undefined);
  await log.close();
});

for (let seed = 1; seed <= rounds; seed++) {
  test(`the log of seed ${seed} says the same before and after each restart`, async (t) => {
    const directory = temp(t);
    const random = new Prng(seed);
    /** By shard: texts with their epochs behind what is sealed. */
    const model = new Map([0, 1, 2].map((shard) => [shard, new Model(shard)]));
    for (let run = 0; run < 3; run++) {
      const { log } = await open(directory);
      for (const shard of model.values()) shard.check(log);
      for (let step = 0; step < 60; step++) await stepOf(log, random, model);
      for (const shard of model.values()) shard.check(log);
      await log.close();
    }
  });
}

class Model {
  readonly shard: number;
  readonly texts = new Map<number, { readonly epoch: number; readonly text: string }>();
  sealed = 0;
  end = 0;
  epoch = 1;

  constructor(shard: number) {
    this.shard = shard;
  }

  epochAt(position: number): number {
    return this.texts.get(position)?.epoch ?? 0;
  }

  check(log: CommitLog): void {
    log.sealed(this.shard, this.sealed);
    for (let at = this.sealed + 1; at <= this.end; at++) {
      const { epoch, text } = this.texts.get(at)!;
      const entry = log.read(this.shard, at);
      assert.deepEqual([entry?.header.epoch, entry?.body.toString()], [epoch, text], `at ${at}`);
    }
    if (this.end > this.sealed) assert.equal(log.range(this.shard)?.end.position, this.end);
    assert.equal(log.read(this.shard, this.end + 1), undefined);
  }
}

async function stepOf(
  log: CommitLog,
  random: Prng,
  model: ReadonlyMap<number, Model>,
): Promise<void> {
  const shard = model.get(random.below(3))!;
  const kind = random.below(20);
  if (kind === 0) shard.sealed += random.below(shard.end - shard.sealed + 1);
  if (kind === 0) log.sealed(shard.shard, shard.sealed);
  if (kind === 1 && shard.end > shard.sealed + 1) {
    const position = shard.sealed + 1 + random.below(shard.end - shard.sealed - 1);
    const from = { epoch: shard.epochAt(shard.end), position: shard.end };
    const to = { epoch: shard.epochAt(position), position };
    await append(log, { header: cutHeader("truncate", shard.shard, { to, from }), body: noBody });
    for (let at = position + 1; at <= shard.end; at++) shard.texts.delete(at);
    shard.end = position;
    shard.epoch++;
  }
  if (kind === 2) await rewriteOldest(log);
  if (kind < 3) return;
  const position = ++shard.end;
  const text = `${shard.epoch}/${position}/`.repeat(1 + random.below(900));
  const previousEpoch = shard.epochAt(position - 1);
  const entry = entryOf(shard.shard, position, text, { epoch: shard.epoch, previousEpoch });
  shard.texts.set(position, { epoch: shard.epoch, text });
  await append(log, entry);
}
