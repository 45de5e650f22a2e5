import assert from "node:assert/strict";
import { createServer, type Server } from "node:net";
import { test } from "node:test";

import { Prng } from "../../kit/src/prng.ts";
import { ZooKeeperClient } from "../src/client/client.ts";
import type { ServerAddress } from "../src/client/paths.ts";
import { ServerList } from "../src/client/server-list.ts";
import { CuttableProxy, openServer } from "./client-server.ts";

const none = (): Promise<readonly string[]> => Promise.reject(new Error("no such name"));

function named(...hosts: readonly string[]): ServerAddress[] {
  return hosts.map((host) => ({ host, port: 2181 }));
}

async function round(list: ServerList): Promise<string[]> {
  const hosts: string[] = [];
  for (let at = await list.next(); at !== undefined; at = await list.next()) hosts.push(at.host);
  return hosts;
}

test("each server has its turn once a round, in an order drawn anew", async () => {
  const random = new Prng(7);
  const servers = named("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4");
  const list = new ServerList(servers, () => random.unit(), none);
  const orders = new Set<string>();
  for (let times = 0; times < 50; times++) {
    const hosts = await round(list);
    assert.deepEqual(
      hosts.toSorted(),
      servers.map(({ host }) => host),
    );
    orders.add(hosts.join());
  }
  assert.ok(orders.size > 10);
});

test("a name stands for all its addresses, and one that is not known is passed over", async () => {
  const resolve = (host: string): Promise<readonly string[]> =>
    host === "many" ? Promise.resolve(["10.0.0.1", "10.0.0.2", "10.0.0.1", "::1"]) : none();
  const list = new ServerList(named("unknown", "many", "10.0.0.9"), () => 0, resolve);
  const hosts = await round(list);
  assert.deepEqual(hosts.toSorted(), ["10.0.0.1", "10.0.0.2", "10.0.0.9", "::1"]);
});

test("who let go of us is tried last", async () => {
  const random = new Prng(1);
  const list = new ServerList(named("10.0.0.1", "10.0.0.2", "10.0.0.3"), () => random.unit(), none);
  for (let times = 0; times < 20; times++) {
    list.beginAfter({ host: "10.0.0.2", port: 2181 });
    assert.equal((await round(list)).at(-1), "10.0.0.2");
  }
});

const changes: readonly { readonly from: number; readonly to: readonly number[] }[] = [
  { from: 3, to: [0, 1, 2, 3, 4] },
  { from: 3, to: [3, 4, 5, 6] },
  { from: 5, to: [0, 1, 2] },
  { from: 5, to: [0, 1, 5] },
  { from: 3, to: [0, 1, 3] },
  { from: 3, to: [0, 1, 2] },
];

for (const { from, to } of changes) {
  test(`clients of ${from} servers end up balanced over servers ${to.join()}`, async () => {
    const random = new Prng(from * 31 + to.length);
    const before = named(...Array.from({ length: from }, (_, at) => `10.0.0.${at}`));
    const after = named(...to.map((at) => `10.0.0.${at}`));
    const clients = 6_000;
    const counts = new Map(after.map(({ host }) => [host, 0]));
    let moved = 0;
    for (let at = 0; at < clients; at++) {
      const current = before[at % from] as ServerAddress;
      const list = new ServerList(before, () => random.unit(), none);
      let { host } = current;
      if (list.replace(after, current)) {
        // As the session does when its connection is closed for this.
        list.beginAfter(current);
        host = (await list.next())?.host as string;
        moved++;
      }
      counts.set(host, (counts.get(host) ?? 0) + 1);
    }
    const share = clients / to.length;
    for (const [host, count] of counts) {
      assert.ok(Math.abs(count - share) < share * 0.15, `${host} has ${count} of ${clients}`);
    }
    // No more than those whose server is gone or must give some up.
    const kept = before.filter(({ host }) => counts.has(host)).length;
    const stay = Math.min(clients * (kept / from), share * kept);
    assert.ok(moved <= clients - stay + clients * 0.03, `${moved} of ${clients} moved`);
  });
}

/** Takes connections and hangs up, as a server without a quorum does, or one that is behind. */
async function hangingUp(): Promise<{ readonly server: Server; readonly address: string }> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  return { server, address: `127.0.0.1:${port}` };
}

test("servers that hang up without an answer are left for the next one at once", async (context) => {
  const own = await openServer();
  const others = await Promise.all(Array.from({ length: 20 }, hangingUp));
  context.after(async () => {
    for (const { server } of others) server.close();
    await own.close();
  });
  // Draws the order as given, so that ours comes last.
  const connect = [...others.map(({ address }) => address), own.address].join();
  const connectedMs = async (): Promise<number> => {
    const client = new ZooKeeperClient({ connect, random: () => 0 });
    const startMs = performance.now();
    await client.connected({ signal: AbortSignal.timeout(60_000) });
    const tookMs = performance.now() - startMs;
    await client.close();
    return tookMs;
  };
  // A wait after each would be a second at least, each time; a busy machine is slow now and then.
  let tookMs = Number.POSITIVE_INFINITY;
  for (let tries = 0; tries < 10 && tookMs >= 900; tries++) tookMs = await connectedMs();
  assert.ok(tookMs < 900, `${tookMs} ms`);
});

test("a client whose servers are replaced moves to one of the new ones and keeps its session", async (context) => {
  const own = await openServer();
  const [first, second] = [
    await CuttableProxy.open(own.address),
    await CuttableProxy.open(own.address),
  ];
  context.after(async () => {
    await client.close();
    await Promise.all([first.close(), second.close()]);
    await own.close();
  });
  const client = new ZooKeeperClient({ connect: first.address + own.chroot });
  await client.connected();
  assert.equal(client.ensemble.server, first.address);
  const { sessionId } = client;
  const events = client.sessionEvents();
  client.updateServers(second.address);
  assert.equal((await events.next()).value?.kind, "suspended");
  const next = (await events.next()).value;
  assert.ok(next?.kind === "connected" && !next.isNew);
  assert.equal(client.ensemble.server, second.address);
  assert.equal(client.sessionId, sessionId);
  assert.throws(() => client.updateServers(`${first.address}/elsewhere`), { code: "BADARGUMENTS" });
  assert.throws(() => client.updateServers("no port:x"), { code: "BADARGUMENTS" });
});

test("a client that stays keeps its server while it is listed, however many come", async (context) => {
  const own = await openServer();
  const proxies = await Promise.all(
    Array.from({ length: 3 }, () => CuttableProxy.open(own.address)),
  );
  context.after(async () => {
    await client.close();
    await Promise.all(proxies.map((proxy) => proxy.close()));
    await own.close();
  });
  const [first, ...others] = proxies.map(({ address }) => address) as [string, ...string[]];
  // Would move to one of the new ones if it were to take its share.
  const client = new ZooKeeperClient({ connect: first + own.chroot, random: () => 0.99 });
  await client.connected();
  const kinds: string[] = [];
  client.onSession(({ kind }) => kinds.push(kind));
  client.updateServers([first, ...others].join(), { stays: true });
  await client.exists("/");
  assert.deepEqual([client.ensemble.server, kinds], [first, []]);
  proxies[0]?.cut("down");
  while (kinds.at(-1) !== "connected") await new Promise((resolve) => setTimeout(resolve, 20));
  assert.ok(others.includes(client.ensemble.server ?? ""));
});
