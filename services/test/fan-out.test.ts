import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { globSync, readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Peers } from "../../cluster/src/peers/peers.ts";
import { until } from "../../cluster/test/given.ts";
import { PeersRig } from "../../cluster/test/peers-rig.ts";
import { systemClock } from "../../kit/src/clock.ts";
import { silentLogger } from "../../kit/src/logger.ts";
import { recordsOf } from "../../query/src/engine/encode.ts";
import { runQuery } from "../../query/src/engine/run.ts";
import { parseQuery } from "../../query/src/language/parse.ts";
import type { PlanMessage } from "../../query/src/plan/plan.ts";
import { splitQuery } from "../../query/src/plan/split.ts";
import { BackupService } from "../src/backup/backup-service.ts";
import type { ShardOwners } from "../src/fan-out/cluster-source.ts";
import type { ShardCopies } from "../src/fan-out/copies.ts";
import { RemoteRef } from "../src/fan-out/remote-ref.ts";
import { Stragglers } from "../src/fan-out/stragglers.ts";
import { TailFollowing } from "../src/fan-out/tail-feeds.ts";
import { hostTails } from "../src/fan-out/tail-host.ts";
import { openReading, type Reading } from "../src/reading.ts";
import { TailService } from "../src/tail-service.ts";
import { openGiven, openStoreGiven, type StoreGiven, ship } from "./store-given.ts";

const range = { from: { ms: 0, ns: 0 }, to: { ms: Number.MAX_SAFE_INTEGER, ns: 0 } };

let base: Awaited<ReturnType<typeof openGiven>>;
let otherBase: Awaited<ReturnType<typeof openGiven>>;
let one: StoreGiven;
let two: StoreGiven;
let rig: PeersRig;
let peers: readonly [Peers, Peers];
let tails: TailService;
/** Of two nodes with clusters of their own: shard 0 and 1 are asked of the first, 2 and 3 of the second. */
let reading: Reading;
let remote: Reading;
let owner: (shard: number) => number | undefined = (shard) => (shard < 2 ? 1 : 2);

const owners: ShardOwners = {
  shardCount: 4,
  nodeOf: (shard) => owner(shard),
  doubt: () => undefined,
  changed: (timeoutMs) => sleep(Math.min(timeoutMs, 50)),
};

/** The files of one are not those of the other. */
const copies: ShardCopies = {
  nodesWith: () => [],
  vacantMs: () => 0,
  manifest: () => Promise.resolve(undefined),
};

before(async () => {
  [base, otherBase] = await Promise.all([openGiven(), openGiven()]);
  one = await openStoreGiven(base.given, base.folder);
  two = await openStoreGiven(otherBase.given, otherBase.folder);
  rig = new PeersRig();
  peers = await rig.pair();
  const [first, second] = peers;
  const others = { owners, copies, stragglers: new Stragglers(), others: () => 1 };
  reading = openReading(one.stored, { peers: first, ...others });
  const following = new TailFollowing(first, owners, () => false);
  const { store, arena, pool } = one.stored;
  tails = new TailService({
    ...{ store, arena, pool, reading, following, logger: silentLogger },
    ...{ bufferBytes: 1_000_000, tailsMax: 10 },
  });
  hostTails(second, two.tails);
  remote = openReading(two.stored, { peers: second, ...others });
  const records = Array.from({ length: 4000 }, (_, i) => ({
    _time: Date.UTC(2026, 10, 20) + i * 1000,
    ...{ service: `s${i % 40}`, n: String(i), _msg: `record ${i} ${i % 7 === 0 ? "seven" : ""}` },
  }));
  // Both hold all of them: what is answered tells from which of them each shard was read.
  await ship(one, "t", records.slice(0, 2000));
  await ship(two, "t", records.slice(0, 2000));
  await one.stored.store.seal();
  await ship(one, "t", records.slice(2000));
  await ship(two, "t", records.slice(2000));
});

after(async () => {
  tails.close();
  await reading.close();
  await remote.close();
  await rig.close();
  await one.close();
  await two.close();
  await base.close();
  await otherBase.close();
});

async function ask(text: string, more: { timeoutMs?: number; signal?: AbortSignal } = {}) {
  const { timeoutMs = 20_000, signal } = more;
  const answer = await runQuery({
    ...reading.answering({ timeoutMs, signal }),
    ...{ tenant: "t", query: parseQuery(text), range, timeoutMs, signal },
  });
  const rows: Record<string, string>[] = [];
  for await (const batch of answer.rows) rows.push(...recordsOf(batch));
  return { rows, summary: answer.summary() };
}

test("records of all shards come once each, in order, from the nodes that own them", async () => {
  const { rows, summary } = await ask("*");
  assert.equal(summary.status, "complete");
  assert.deepEqual(
    rows.map(({ n }) => Number(n)),
    Array.from({ length: 4000 }, (_, i) => 3999 - i),
  );
});

test("aggregates are merged from the nodes' partial ones", async () => {
  const { rows } = await ask("seven | stats by (service) count() c | sort by (service)");
  const counts = Map.groupBy(
    Array.from({ length: 4000 }, (_, i) => i).filter((i) => i % 7 === 0),
    (i) => `s${i % 40}`,
  );
  assert.equal(rows.length, counts.size);
  for (const { service, c } of rows) {
    assert.equal(Number(c), counts.get(String(service))?.length);
  }
});

test("a query within a query, a limit and a sort answer as on one node", async () => {
  const { rows } = await ask("n:in(n:>3990 | fields n) | sort by (n desc) | limit 3 | fields n");
  assert.deepEqual(
    rows.map(({ n }) => n),
    ["3999", "3998", "3997"],
  );
});

test("a plan goes on in a cut after another cut of it has been let go of, as copies that stand in for pieces are", async () => {
  const { source, pool } = reading.answering({ timeoutMs: 20_000, signal: undefined });
  const { worker } = splitQuery(parseQuery("* | stats count() c"), { range, limit: undefined });
  const flags = { id: randomUUID(), memoryBytesMax: 1 << 20, cancelled: new SharedArrayBuffer(4) };
  const plan: PlanMessage = { ...worker, ...flags };
  for (const _ of [1, 2]) {
    const cut = await source.open("t", range, worker);
    const parts = cut.parts.filter(({ ref }) => ref instanceof RemoteRef);
    assert.ok(parts.length > 0);
    for (const part of parts) {
      const task = { part, after: undefined, floorMs: undefined };
      const message = await pool.run(plan, task, new AbortController().signal);
      assert.equal(message.kind, "done");
    }
    cut.release();
    await until(() => remote.heldCuts === 0);
  }
});

test("each cut is let go of when its query ends, is left or fails", async () => {
  await ask("* | stats count() c");
  const leaving = await runQuery({
    ...reading.answering({ timeoutMs: 20_000, signal: undefined }),
    ...{ tenant: "t", query: parseQuery("*"), range },
  });
  for await (const _ of leaving.rows) break;
  await assert.rejects(ask("* | format 'x' as y | sort by (y) | limit 1 | join by (n) (bad"));
  const held = two.stored.arena.usedBytes;
  await until(() => remote.heldCuts === 0);
  assert.ok(two.stored.arena.usedBytes <= held);
});

test("what nobody serves in time is missing, by name, with what is known to be sealed", async () => {
  const before = owner;
  owner = (shard) => (shard === 3 ? 9 : before(shard));
  try {
    const { rows, summary } = await ask("* | stats count() c", { timeoutMs: 1000 });
    assert.equal(summary.status, "partial");
    assert.deepEqual(summary.missing, ["shard 3"]);
    assert.ok(Number(rows[0]?.["c"]) < 4000);
  } finally {
    owner = before;
  }
});

test("a query that is cancelled ends at the other node too", async () => {
  const abort = new AbortController();
  const asking = ask("* | stats count() c", { signal: abort.signal });
  abort.abort();
  await assert.rejects(asking);
  await until(() => remote.heldCuts === 0);
});

test("a backup has the files of all nodes, each shard's from its owner, and holds them until it ends", async () => {
  const facts = { isClosed: false, version: "0", clock: systemClock, logger: silentLogger };
  const [first, second] = peers;
  const open = (node: StoreGiven, of: typeof base, own: Peers) =>
    of.given.cluster({ identity: { nodeId: 9, diskId: "d", incarnation: own.address } }).then(
      (cluster) =>
        new BackupService({
          ...{ store: node.stored.store, cluster, nodeId: own.self.nodeId, ...facts },
          nodes: { peers: own, owners },
        }),
    );
  const backups = await open(one, base, first);
  const hosting = await open(two, otherBase, second);
  try {
    const started = await backups.start();
    assert.deepEqual(
      started.shards.map(({ shard }) => shard),
      [0, 1, 2, 3],
    );
    assert.equal(hosting.heldCount, 1);
    for (const { name, bytes } of started.files) {
      const { read, done } = backups.open(started.id, name);
      const pieces: Uint8Array[] = [];
      for await (const piece of read()) pieces.push(piece);
      done();
      assert.equal(Buffer.concat(pieces).length, bytes);
      const [shard, file = ""] = name.split("/");
      const folder = Number(shard) < 2 ? base.folder : otherBase.folder;
      const kept = globSync(`${folder}/storage/**/${file}`)[0];
      assert.ok(kept !== undefined && Buffer.concat(pieces).equals(readFileSync(kept)), name);
    }
    backups.release(started.id);
    await until(() => hosting.heldCount === 0);
  } finally {
    await backups.close();
    await hosting.close();
  }
});

test("a tail has what other nodes commit, breaks off when a shard moves, and resumes without a gap", async () => {
  const before = owner;
  owner = () => 2;
  try {
    const query = parseQuery("live");
    const tail = await tails.subscribe("t", query, undefined);
    const numbers = (): string[] =>
      tail
        .take(1000)
        .map(({ record }) => (JSON.parse(String(Buffer.from(record))) as { n: string }).n);
    const live = (from: number, count: number) =>
      Array.from({ length: count }, (_, i) => {
        return { service: `s${i}`, n: String(from + i), _msg: "live" };
      });
    await ship(two, "t", live(0, 20));
    const seen: string[] = [];
    await until(() => seen.push(...numbers()) >= 20);
    assert.deepEqual(new Set(seen), new Set(live(0, 20).map(({ n }) => n)));
    const { id } = tail;
    owner = (shard) => (shard === 0 ? undefined : 2);
    await until(() => tail.isBroken);
    tails.unsubscribe(tail);
    await ship(two, "t", live(20, 20));
    owner = () => 2;
    const again = await tails.subscribe("t", query, id);
    await tails.replay(again, () => Promise.resolve(), AbortSignal.timeout(10_000));
    await ship(two, "t", live(40, 1));
    const rest: string[] = [];
    await until(() => {
      const events = again.take(1000);
      for (const { record } of events) {
        rest.push((JSON.parse(String(Buffer.from(record))) as { n: string }).n);
      }
      return rest.length >= 21;
    });
    assert.deepEqual(
      rest.toSorted((a, b) => Number(a) - Number(b)),
      live(20, 21).map(({ n }) => n),
    );
    tails.unsubscribe(again);
  } finally {
    owner = before;
  }
});
