import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { silentLogger } from "../../kit/src/logger.ts";
import { type Lane, WorkerPool } from "../src/threads/pool.ts";

// A worker whose jobs take as long as the test says: each waits for a word of shared memory to be set.
const source = `
import { parentPort } from "node:worker_threads";
parentPort.on("message", ({ id, payload: { started, done } }) => {
  Atomics.add(started, 0, 1);
  Atomics.notify(started, 0);
  Atomics.wait(done, 0, 0);
  parentPort.postMessage({ id, result: undefined });
});
`;

class Given {
  readonly pool: WorkerPool;
  readonly #folder = mkdtempSync(path.join(os.tmpdir(), "logkeep-pool-"));

  constructor(size: number, text = source) {
    const file = path.join(this.#folder, "worker.mjs");
    writeFileSync(file, text);
    this.pool = new WorkerPool({
      ...{ name: "test", size, depth: 2, workerData: {}, heapMaxMb: 64 },
      entry: pathToFileURL(file),
      logger: silentLogger,
    });
  }

  begin(lane: Lane): Job {
    return new Job(this.pool, lane);
  }

  async close(): Promise<void> {
    await this.pool.close();
    rmSync(this.#folder, { recursive: true });
  }
}

class Job {
  readonly #started = new Int32Array(new SharedArrayBuffer(4));
  readonly #done = new Int32Array(new SharedArrayBuffer(4));
  readonly #settled: Promise<void>;

  constructor(pool: WorkerPool, lane: Lane) {
    const payload = { started: this.#started, done: this.#done };
    this.#settled = pool.run<void>("job", payload, { lane });
    this.#settled.catch(() => undefined);
  }

  get hasStarted(): boolean {
    return Atomics.load(this.#started, 0) > 0;
  }

  async started(): Promise<void> {
    const { async: isAsync, value } = Atomics.waitAsync(this.#started, 0, 0, 20_000);
    if (isAsync) await value;
    assert.ok(this.hasStarted);
  }

  async end(): Promise<void> {
    Atomics.store(this.#done, 0, 1);
    Atomics.notify(this.#done, 0);
    await this.#settled;
  }
}

async function givenOf(t: { after(work: () => Promise<void>): void }, size: number) {
  const given = new Given(size);
  t.after(() => given.close());
  return given;
}

test("merges leave a worker to who waits for an answer", async (t) => {
  const given = await givenOf(t, 2);
  const merges = [given.begin("merge"), given.begin("mirror")];
  await merges[0]!.started();
  const query = given.begin("query");
  await query.started();
  assert.equal(merges[1]!.hasStarted, false);
  await query.end();
  await merges[0]!.end();
  await merges[1]!.started();
  await merges[1]!.end();
});

test("a seal does not wait for a merge, nor behind bodies that came before it", async (t) => {
  const given = await givenOf(t, 2);
  const merge = given.begin("merge");
  await merge.started();
  const bodies = [given.begin("ingest"), given.begin("ingest"), given.begin("ingest")];
  await bodies[0]!.started();
  const seal = given.begin("seal");
  await bodies[0]!.end();
  // One body may have been in line at the worker already; the third was not.
  await bodies[1]!.started();
  await bodies[1]!.end();
  await seal.started();
  assert.equal(bodies[2]!.hasStarted, false);
  await seal.end();
  await bodies[2]!.started();
  await bodies[2]!.end();
  await merge.end();
});

test("nothing is put in line behind a seal or merge", async (t) => {
  const given = await givenOf(t, 2);
  const [seal, first, second] = [given.begin("seal"), given.begin("ingest"), given.begin("ingest")];
  await seal.started();
  await first.started();
  await first.end();
  await second.started();
  await second.end();
  await seal.end();
});

test("a query waits for what is in line at a worker, not for all bodies that came before it", async (t) => {
  const given = await givenOf(t, 1);
  const bodies = Array.from({ length: 4 }, () => given.begin("ingest"));
  await bodies[0]!.started();
  const query = given.begin("query");
  for (const body of bodies.slice(0, 2)) await body.end();
  await query.started();
  assert.equal(bodies[2]!.hasStarted, false);
  await query.end();
  for (const body of bodies.slice(2)) await body.end();
});

test("a second seal gets the last worker when no body waits for it", async (t) => {
  const given = await givenOf(t, 2);
  const first = given.begin("seal");
  await first.started();
  const body = given.begin("ingest");
  await body.started();
  const second = given.begin("seal");
  assert.equal(second.hasStarted, false);
  await body.end();
  await second.started();
  for (const seal of [first, second]) await seal.end();
});

test("seals leave a worker to who has asked a moment ago, and bodies go there", async (t) => {
  const given = await givenOf(t, 2);
  const first = given.begin("seal");
  await first.started();
  const query = given.begin("query");
  await query.started();
  const second = given.begin("seal");
  await query.end();
  const body = given.begin("ingest");
  await body.started();
  assert.equal(second.hasStarted, false);
  await first.end();
  await second.started();
  await second.end();
  await body.end();
});

test("a lone worker takes everything, one after the other", async (t) => {
  const given = await givenOf(t, 1);
  for (const lane of ["seal", "merge", "query"] as const) {
    const job = given.begin(lane);
    await job.started();
    await job.end();
  }
});

test("workers that cannot be loaded are given up after some starts, with the reason", async (t) => {
  const given = new Given(2, 'throw new Error("a file is missing");');
  t.after(() => given.close());
  const begunMs = performance.now();
  const ask = () =>
    given.pool.run("any", undefined, { lane: "query" }).then(
      () => "answered",
      (error: Error) => error.message,
    );
  // Jobs that a worker was given go with it; the others wait for the next one.
  let why = await ask();
  while (why === "a file is missing") why = await ask();
  assert.equal(why, "no worker can be started: a file is missing");
  assert.ok(performance.now() - begunMs > 1_000, "it was tried for a while");
  assert.equal(await ask(), why);
});

test("a worker that a job ends is replaced at once, however often", async (t) => {
  const loaded = `import { parentPort } from "node:worker_threads";
    parentPort.on("message", ({ id, payload }) => {
      if (payload === "end") process.exit(1);
      parentPort.postMessage({ id, result: payload });
    });
    parentPort.postMessage({ id: 0, result: undefined });`;
  const given = new Given(1, loaded);
  t.after(() => given.close());
  for (let i = 0; i < 10; i++) {
    const answer = await given.pool.run("any", i, { lane: "query" });
    assert.equal(answer, i);
    await assert.rejects(given.pool.run("any", "end", { lane: "query" }), { code: "internal" });
  }
});

test("a worker takes jobs of the data that it has read before others, and those then", async (t) => {
  const given = await givenOf(t, 2);
  const held = [given.begin("query"), given.begin("query")];
  await Promise.all(held.map((job) => job.started()));
  const [first, second] = held;
  assert.ok(first !== undefined && second !== undefined);
  const done: number[] = [];
  const answers = [7, 4, 9, 2, 5, 6, 3, 8].map(async (near) => {
    const started = new Int32Array(new SharedArrayBuffer(4));
    const payload = { started, done: new Int32Array(new SharedArrayBuffer(4)).fill(1) };
    await given.pool.run("job", payload, { lane: "query", near });
    done.push(near);
  });
  // The first job is at the last worker, whose line has room for one; the other worker stays where it is.
  await first.end();
  const there = answers.filter((_, i) => i !== 1);
  await Promise.all(there);
  assert.deepEqual(done, [7, 9, 5, 3, 2, 6, 8]);
  await second.end();
  await Promise.all(answers);
  assert.deepEqual(done.at(-1), 4);
});
