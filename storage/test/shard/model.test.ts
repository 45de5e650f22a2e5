// Goal: whatever is appended, sealed, merged, dropped, cut off by a crash or restarted, every cut shows each
// acknowledged record exactly once and in the order of its shard's log, and nothing that had gone.
// Method: a seed draws the run against a plain list; a failure names the seed, and SEED=<n> replays exactly
// that run. A crash is a copy of the directory, taken in one turn while work is under way, and opened anew.
import assert from "node:assert/strict";
import { cpSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Clock } from "../../../kit/src/clock.ts";
import { Prng } from "../../../kit/src/prng.ts";
import type { StoreCut } from "../../src/shard/cut.ts";
import { routerKey } from "../../src/shard/dedupe-key.ts";
import { temp } from "../log/temp.ts";
import { always, openRig, type PartOptions, type Rig, readCut } from "./rig.ts";

const seeds = Number(process.env["LOGKEEP_SOAK_SEEDS"] ?? 25);
const firstSeed = Number(process.env["SEED"] ?? 1);
const lastSeed = process.env["SEED"] === undefined ? seeds : firstSeed;
const steps = 40;
const dayMs = 24 * 60 * 60 * 1000;
const retention = { defaultMs: 7 * dayMs, classMs: { short: 2 * dayMs } };
const tenants = ["red", "blue"];

interface Batch {
  readonly records: readonly string[];
  readonly over: Partial<PartOptions> & { readonly shard: number; readonly tenant: string };
  readonly sentMs: number;
  readonly expiresMs: number;
  /** `maybe`: a crash came before the answer. `dropped`: retention took it. */
  state: "waiting" | "acked" | "maybe" | "dropped";
  /** In its shard's log, once acknowledged. */
  position: number;
}

class Model {
  readonly #random: Prng;
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #batches: Batch[] = [];
  #nowMs = 1_700_000_000_000;
  #incarnation = 0;
  #sequence = 0;
  #copies = 0;
  #rig: Rig | undefined;
  #waiting: Promise<void>[] = [];
  #cuts: { readonly cut: StoreCut; readonly expected: readonly string[] }[] = [];

  constructor(seed: number, directory: string) {
    this.#random = new Prng(seed);
    this.#directory = directory;
    this.#clock = { now: () => this.#nowMs, monotonicMs: () => performance.now() };
  }

  async run(): Promise<void> {
    mkdirSync(this.#path());
    await this.#open();
    for (let step = 0; step < steps; step++) {
      await this.#step();
      if (this.#random.chance(0.3)) this.#check();
    }
    await this.#settle();
    await this.#restart();
    this.#check();
    await this.#opened().close();
  }

  async #step(): Promise<void> {
    const roll = this.#random.below(100);
    if (roll < 60) this.#append();
    else if (roll < 66) this.#appendAgain();
    else if (roll < 74) await this.#settle();
    else if (roll < 81) await this.#opened().store.seal();
    else if (roll < 85) await this.#opened().store.merge();
    else if (roll < 88) await this.#retain();
    else if (roll < 92) this.#hold();
    else if (roll < 94) this.#opened().coordinator.lose([0, 1, 2]);
    else if (roll < 97) await this.#crash();
    else await this.#restart();
  }

  #append(): void {
    const random = this.#random;
    const sequence = ++this.#sequence;
    const retentionClass = random.pick(["default", "short"]);
    const ageMs = random.below(10) * dayMs;
    const time = { ms: this.#nowMs - ageMs, ns: 0 };
    const records = Array.from({ length: 1 + random.below(4) }, (_, i) => {
      return `${sequence}.${i}`.padEnd(8 + random.below(900), "~");
    });
    const over = {
      ...{ shard: random.below(3), tenant: random.pick(tenants), class: retentionClass },
      ...{ internal: random.chance(0.1), timeMin: time, timeMax: time },
      dedupeKey: routerKey(new Uint8Array(8), sequence),
    };
    const keptMs = retentionClass === "short" ? 2 * dayMs : 7 * dayMs;
    // As the retention says: by its own time, but a day at least from its receipt.
    const expiresMs = Math.max(time.ms + keptMs, this.#nowMs + dayMs);
    this.#send({ records, over, sentMs: this.#nowMs, expiresMs, state: "waiting", position: 0 });
  }

  #send(batch: Batch): void {
    this.#batches.push(batch);
    const sent = this.#opened().append(batch.records, batch.over);
    const answered = sent.then((result) => {
      assert.ok(result.kind === "committed");
      // An answer that comes after the crash went to nobody.
      if (batch.state === "waiting") Object.assign(batch, { ...result, state: "acked" });
    });
    this.#waiting.push(answered);
  }

  /** As a router that had no answer, or repeats itself for no reason: the key is known or it is not. */
  #appendAgain(): void {
    const batch = this.#batches.findLast(({ state }) => state === "maybe" || state === "acked");
    // Keys are known for ten minutes; retention's turns take days.
    if (batch === undefined || batch.sentMs !== this.#nowMs) return;
    const before = { ...batch };
    const copies = this.#copies;
    const sent = this.#opened().append(batch.records, batch.over);
    const answered = sent.then((result) => {
      assert.ok(result.kind !== "source-refused");
      if (copies !== this.#copies) return;
      if (before.state === "acked") {
        assert.deepEqual(result, { kind: "repeat", position: before.position });
      } else if (batch.state === "maybe") {
        Object.assign(batch, { state: "acked", position: result.position });
      }
    });
    this.#waiting.push(answered);
  }

  async #settle(): Promise<void> {
    await Promise.all(this.#waiting.splice(0));
  }

  async #retain(): Promise<void> {
    await this.#settle();
    this.#nowMs += this.#random.below(4) * dayMs;
    await this.#opened().store.retain();
    this.#noteDrops();
  }

  /** Retention takes files when it may, not when it must: what is gone must have expired. */
  #noteDrops(): void {
    for (const tenant of tenants) {
      const found = new Set(this.#opened().read(tenant));
      for (const batch of this.#batches) {
        const isGone = batch.over.tenant === tenant && !found.has(batch.records[0]!);
        if (!isGone || batch.state !== "acked") continue;
        assert.ok(batch.expiresMs <= this.#nowMs, `${batch.records[0]} was dropped early`);
        batch.state = "dropped";
      }
    }
  }

  #hold(): void {
    const cut = this.#opened().store.openCut("red", always);
    this.#cuts.push({ cut, expected: readCut(cut, this.#opened().arena) });
  }

  #releaseCuts(): void {
    for (const { cut, expected } of this.#cuts.splice(0)) {
      assert.deepEqual(readCut(cut, this.#opened().arena), expected);
      cut.release();
    }
  }

  async #restart(): Promise<void> {
    await this.#settle();
    this.#releaseCuts();
    await this.#opened().close();
    await this.#open();
  }

  async #crash(): Promise<void> {
    this.#releaseCuts();
    const rig = this.#opened();
    const before = this.#path();
    if (this.#random.chance(0.5)) await new Promise((resolve) => setImmediate(resolve));
    const isSealing = this.#random.chance(0.5);
    const work = isSealing ? rig.store.seal() : rig.store.merge();
    for (let turns = this.#random.below(8); turns > 0; turns--) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#copies++;
    cpSync(before, this.#path(), { recursive: true });
    rmSync(join(this.#path(), "lock"));
    for (const batch of this.#batches) if (batch.state === "waiting") batch.state = "maybe";
    await work;
    await this.#settle();
    await rig.close();
    rmSync(before, { recursive: true });
    await this.#open();
  }

  #check(): void {
    this.#noteDrops();
    for (const tenant of tenants) {
      const batches = this.#batches.filter(({ over }) => over.tenant === tenant);
      const found = this.#opened().read(tenant);
      assert.equal(new Set(found).size, found.length, "no record is there twice");
      const stateOf = new Map(batches.flatMap((b) => b.records.map((r) => [r, b.state] as const)));
      for (const record of found) {
        assert.ok(stateOf.has(record), `${record} was sent`);
        assert.notEqual(stateOf.get(record), "dropped", `${record} had gone`);
      }
      // In the order of shards, then of the log; what is not acknowledged may stand anywhere.
      const expected = batches
        .filter(({ state }) => state === "acked")
        .sort((a, b) => a.over.shard - b.over.shard || a.position - b.position)
        .flatMap(({ records }) => records);
      const isAcked = new Set(expected);
      assert.deepEqual(namesOf(found.filter((record) => isAcked.has(record))), namesOf(expected));
    }
  }

  async #open(): Promise<void> {
    this.#incarnation++;
    this.#rig = await openRig(this.#path(), {
      ...{ clock: this.#clock, retention, arenaSlabs: 4 },
      ...{ logFileBytes: 32 * 1024, logBytesMax: 512 * 1024 },
      segments: { mergeWidth: 3, replacedKeepMs: 0 },
    });
    const { shards } = this.#rig.store.status();
    for (const { shard, state, reason, epoch } of shards) {
      assert.equal(`${shard} ${state} ${reason}`, `${shard} serving undefined`);
      assert.ok(epoch >= this.#incarnation, "each incarnation acquires anew");
    }
  }

  #opened(): Rig {
    assert.ok(this.#rig !== undefined);
    return this.#rig;
  }

  #path(): string {
    return join(this.#directory, `copy-${this.#copies}`);
  }
}

function namesOf(records: readonly string[]): string[] {
  return records.map((record) => record.split("~", 1)[0]!);
}

test(`${seeds} drawn runs show every acknowledged record once and in order`, async (t) => {
  for (let seed = firstSeed; seed <= lastSeed; seed++) {
    const directory = temp(t);
    try {
      await new Model(seed, directory).run();
    } catch (thrown) {
      throw new Error(`SEED=${seed}`, { cause: thrown });
    }
    rmSync(directory, { recursive: true });
  }
});
