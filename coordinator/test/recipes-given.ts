import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import type { Prng } from "../../kit/src/prng.ts";
import { ZooKeeperClient } from "../src/client/client.ts";
import { CuttableProxy, openServer } from "./client-server.ts";

/** Of parties whose sessions are to expire: short enough for that, long enough for a machine that has other work. */
export const sessionTimeoutMs = 1_000;

/** Of all others: a busy machine may hold up client, proxy and server, which are one process, for a second and more. */
const patientTimeoutMs = 20_000;

/** A client behind a proxy of its own, that can lose its connection alone. */
export interface Party {
  readonly client: ZooKeeperClient;
  readonly proxy: CuttableProxy;
}

/** A server with a client whose connection nobody cuts. */
export interface World {
  readonly client: ZooKeeperClient;
  party(timeoutMs?: number): Promise<Party>;
}

/** Everything is closed when the test ends. */
export async function world(context: TestContext): Promise<World> {
  const server = await openServer();
  const parties: Party[] = [];
  const client = new ZooKeeperClient({
    connect: server.address + server.chroot,
    sessionTimeoutMs: patientTimeoutMs,
  });
  context.after(async () => {
    for (const party of parties) party.proxy.up();
    await Promise.all([client, ...parties.map((party) => party.client)].map((one) => one.close()));
    await Promise.all(parties.map(({ proxy }) => proxy.close()));
    await server.close();
  });
  const party = async (timeoutMs = patientTimeoutMs): Promise<Party> => {
    const proxy = await CuttableProxy.open(server.address);
    const connect = proxy.address + server.chroot;
    const own = new ZooKeeperClient({ connect, sessionTimeoutMs: timeoutMs });
    parties.push({ client: own, proxy });
    await own.connected();
    return { client: own, proxy };
  };
  return { client, party };
}

export async function until(claim: () => boolean | Promise<boolean>): Promise<void> {
  for (let waited = 0; !(await claim()); waited += 5) {
    assert.ok(waited < 60_000, "it did not come to be");
    await sleep(5);
  }
}

/** Whether a story with losses is over: after this time, or later on a machine so busy that too little has happened by then. */
export function lasting(ms: number, isEnough: () => boolean): () => boolean {
  const started = performance.now();
  return () => {
    const spentMs = performance.now() - started;
    return spentMs > ms && (isEnough() || spentMs > 60_000);
  };
}

/** Lets the session of a party expire, which it learns when it is connected again. */
export async function expire({ client, proxy }: Party, seenBy: ZooKeeperClient): Promise<void> {
  const marker = `/expires-${client.sessionId}`;
  await client.create(marker, null, { mode: "ephemeral" });
  proxy.cut("down");
  await until(async () => (await seenBy.exists(marker)) === null);
}

/** Cuts, holds and takes down connections at random until `isOver`; then all are up again. */
export async function disturb(
  parties: readonly Party[],
  random: Prng,
  isOver: () => boolean,
): Promise<void> {
  while (!isOver()) {
    const { proxy } = random.pick(parties);
    const choice = random.below(3);
    if (choice === 0) proxy.cut("up");
    else if (choice === 1) {
      proxy.hold();
      await sleep(random.below(200));
      proxy.cut("up");
      proxy.up();
    } else {
      proxy.cut("down");
      await sleep(random.below(2 * sessionTimeoutMs));
      proxy.up();
    }
    // Each gets some time to work in.
    await sleep(random.below(800 / parties.length));
  }
  for (const { proxy } of parties) proxy.up();
}

/** The seed of a run that draws, said when it fails. */
export async function seeded(body: (seed: number) => Promise<void>): Promise<void> {
  const rounds = Number(process.env["LOGKEEP_ROUNDS"] ?? 1);
  for (let round = 1; round <= rounds; round++) {
    const seed = Number(
      process.env["SEED"] ?? (round === 1 ? 1 : Math.floor(Math.random() * 2 ** 31)),
    );
    try {
      await body(seed);
    } catch (thrown) {
      console.error(`SEED=${seed}`);
      throw thrown;
    }
  }
}
