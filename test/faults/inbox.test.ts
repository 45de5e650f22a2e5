// Goal: a record that a ZooKeeper client creates in an inbox is stored once, and its znode goes, whenever the process
// is killed; what is no record is kept as rejected; an inbox that is not drained takes so much and no more.
// Method: our own client creates numbered records while the process is killed at random moments; each
// acknowledged one is counted after the last restart. The seed is printed; SEED=<n> draws the same moments.
import assert from "node:assert/strict";
import path from "node:path";
import test from "node:test";
import { ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import { isZooKeeperError } from "../../coordinator/src/client/errors.ts";
import { steps } from "../../coordinator/src/client/multi.ts";
import { startCoordinator } from "../../coordinator/src/server/start.ts";
import { Prng } from "../../kit/src/prng.ts";
import { Service, temporaryFolder } from "../service.ts";

const rounds = Number(process.env["LOGKEEP_ROUNDS"] ?? 5);
const inbox = "/logkeep/inbox/default";
const sequential = { mode: "persistentSequential" } as const;

/** Creates under way at a time. */
const senders = 16;

interface Noted {
  readonly acked: Set<number>;
  next: number;
}

async function createUntilDead(
  client: ZooKeeperClient,
  noted: Noted,
  isOver: () => boolean,
): Promise<void> {
  while (!isOver()) {
    const n = noted.next++;
    // Objects and plain messages by turns: both find their number again.
    const body =
      n % 2 === 0
        ? JSON.stringify({ n: String(n), service: `s${n % 7}`, _msg: "from a znode" })
        : `message number=${n}`;
    try {
      await client.create(`${inbox}/record-`, Buffer.from(body), sequential);
      noted.acked.add(n);
    } catch {
      // Killed while it was under way: the outcome is unknown, and so it is not noted.
    }
  }
}

/** Resolves when nothing waits in the inbox. */
async function drained(client: ZooKeeperClient, timeoutMs = 400_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    // Their names would be a megabyte.
    const { numChildren } = (await client.getData(inbox)).stat;
    if (numChildren === 0) return;
    assert.ok(performance.now() < end, `${numChildren} znodes are left`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** How often each number is found. */
async function found(service: Service): Promise<Map<number, number>> {
  const counts = new Map<number, number>();
  const rows = [
    ...(await service.search("n:* | fields n")),
    ...(await service.search('"message number" | extract "number=<n>" from _msg | fields n')),
  ];
  for (const row of rows) {
    const n = Number(row["n"]);
    counts.set(n, (counts.get(n) ?? 0) + 1);
  }
  return counts;
}

test(`records of an inbox are stored once through ${rounds} SIGKILLs, and their znodes go`, async (t) => {
  const seed = Number(process.env["SEED"] ?? 20261121);
  t.diagnostic(`SEED=${seed}`);
  const prng = new Prng(seed);
  const dataDir = temporaryFolder();
  const noted: Noted = { acked: new Set(), next: 0 };
  // Seals so often that kills meet them, too.
  const env = { LOGKEEP_STORAGE_SEAL_AGE_MS: "1000" };
  for (let round = 0; round < rounds; round++) {
    const service = await Service.start({ dataDir, env });
    const client = new ZooKeeperClient({ connect: service.coordinator });
    let over = false;
    const running = Array.from({ length: senders }, () =>
      createUntilDead(client, noted, () => over),
    );
    await new Promise((resolve) => setTimeout(resolve, 300 + prng.below(1500)));
    over = true;
    await service.kill();
    await client.close();
    await Promise.all(running);
  }
  const service = await Service.start({ dataDir, env });
  const client = new ZooKeeperClient({ connect: service.coordinator });
  await drained(client);
  const counts = await found(service);
  t.diagnostic(`${noted.acked.size} acknowledged of ${noted.next}, ${counts.size} found`);
  assert.ok(noted.acked.size > 0);
  const lost = [...noted.acked].filter((n) => !counts.has(n));
  const doubled = [...counts].filter(([, times]) => times > 1).map(([n]) => n);
  assert.deepEqual({ lost, doubled }, { lost: [], doubled: [] });
  await client.close();
  assert.equal(await service.stop(), 0);
});

test("a znode that is no record is kept in _rejected with its reason, and goes", async () => {
  const service = await Service.start();
  const client = new ZooKeeperClient({ connect: service.coordinator });
  const create = (data: Buffer | null) => client.create(`${inbox}/x-`, data, sequential);
  await create(null);
  await create(Buffer.from([0xff, 0xfe, 0xc0]));
  await create(Buffer.from(JSON.stringify({ _time: "yesterday", _msg: "when?" })));
  await create(Buffer.from('{"a":NaN} is a message like any other'));
  const secret = { perms: 31, id: { scheme: "digest", id: "somebody:else" } };
  await client.create(`${inbox}/x-`, Buffer.from("closed"), { ...sequential, acl: [secret] });
  await drained(client);
  const rejected = await service.search('{stream="_rejected"}');
  assert.equal(rejected.length, 4, JSON.stringify(rejected));
  for (const row of rejected) assert.notEqual(row["reason"] ?? "", "", JSON.stringify(row));
  assert.equal(await service.count('"is a message like any other"'), 1);
  await client.close();
  assert.equal(await service.stop(), 0);
});

/** The coordinator of a data directory alone: nobody drains. */
async function undrained(
  dataDir: string,
  run: (client: ZooKeeperClient) => Promise<void>,
): Promise<void> {
  const silent = () => undefined;
  const coordinator = await startCoordinator({
    dataDir: path.join(dataDir, "coordinator"),
    host: "127.0.0.1",
    port: 0,
    serverId: 1,
    tickTimeMs: 2000,
    snapCount: 100_000,
    connectionsPerAddress: 100,
    logger: { debug: silent, info: silent, warn: silent, error: silent },
    fatal: (error) => assert.fail(error),
  });
  const { host, port } = coordinator.address;
  const client = new ZooKeeperClient({ connect: `${host}:${port}` });
  try {
    await run(client);
  } finally {
    await client.close();
    await coordinator.close();
  }
}

const isQuotaExceeded = (thrown: unknown): boolean => isZooKeeperError(thrown, "QUOTAEXCEEDED");

test("past 64 MB or 100,000 records that nobody drains creates fail with QUOTAEXCEEDED, until they are drained", async () => {
  const dataDir = temporaryFolder();
  assert.equal(await (await Service.start({ dataDir })).stop(), 0);
  const large = Buffer.alloc(512 * 1024, "x");
  const largeMax = 127;
  await undrained(dataDir, async (client) => {
    // The directory's own data counts, so the last of 128 times 512 KiB has no room.
    for (let i = 0; i < largeMax; i++) await client.create(`${inbox}/l-`, large, sequential);
    await assert.rejects(client.create(`${inbox}/l-`, large, sequential), isQuotaExceeded);
    const many = Array.from({ length: 1000 }, () =>
      steps.create(`${inbox}/s-`, Buffer.from("y"), sequential),
    );
    for (let i = 0; i < 99; i++) await client.multi(many);
    await assert.rejects(client.multi(many), isQuotaExceeded);
    await client.multi(many.slice(0, 1000 - largeMax));
    await assert.rejects(
      client.create(`${inbox}/s-`, Buffer.from("y"), sequential),
      isQuotaExceeded,
    );
    assert.equal((await client.getChildren(inbox)).children.length, 100_000);
  });
  const service = await Service.start({ dataDir });
  const client = new ZooKeeperClient({ connect: service.coordinator });
  await drained(client);
  assert.equal(await service.count("y"), 100_000 - largeMax);
  assert.equal(await service.count("xx*"), largeMax);
  await client.create(`${inbox}/l-`, large, sequential);
  await drained(client);
  await client.close();
  assert.equal(await service.stop(), 0);
});
