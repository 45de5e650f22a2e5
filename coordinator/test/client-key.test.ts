// Goal: at one client port some speak TLS by a key and others do not, and what the former say nobody reads on the way.
// Method: real servers and sockets; between client and server a proxy that keeps what it passes on.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import test, { type TestContext } from "node:test";
import { connect as connectTls } from "node:tls";

import { ZooKeeperClient } from "../src/client/client.ts";
import type { ClientOptions } from "../src/client/options.ts";
import type { SessionEvent } from "../src/client/session-events.ts";
import { keyClientOptions } from "../src/wire/tls-key.ts";
import { open, RawClient, serve } from "./server-harness.ts";
import { caCertificate } from "./server-tls-given.ts";

const key = { psk: Buffer.alloc(32, 1) };
const otherKey = { psk: Buffer.alloc(32, 2) };
const secret = "nobody on the way may know this";

const soon = (): { readonly signal: AbortSignal } => ({ signal: AbortSignal.timeout(60_000) });

function client(context: TestContext, options: ClientOptions): ZooKeeperClient {
  const made = new ZooKeeperClient(options);
  context.after(() => made.close());
  return made;
}

/** Passes bytes on to a port and keeps them. */
async function listeningIn(context: TestContext, to: number) {
  const heard: Buffer[] = [];
  const sockets: Socket[] = [];
  const server = createServer((from) => {
    const beyond = connect(to, "127.0.0.1");
    sockets.push(from, beyond);
    for (const [one, other] of [
      [from, beyond],
      [beyond, from],
    ] as const) {
      one.on("error", () => undefined).on("close", () => other.destroy());
      one.on("data", (bytes: Buffer) => {
        heard.push(bytes);
        other.write(bytes);
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const address = server.address();
  assert(address !== null && typeof address === "object");
  return { connect: `127.0.0.1:${address.port}`, heard: () => Buffer.concat(heard) };
}

/** The first event of a kind. */
function told<Kind extends SessionEvent["kind"]>(
  of: ZooKeeperClient,
  kind: Kind,
): Promise<Extract<SessionEvent, { kind: Kind }>> {
  return new Promise((resolve) => {
    of.onSession((event) => {
      if (event.kind === kind) resolve(event as Extract<SessionEvent, { kind: Kind }>);
    });
  });
}

for (const [tls, isRead] of [
  [undefined, true],
  [key, false],
] as const) {
  test(`who listens in reads ${isRead ? "all without TLS" : "nothing with a key"}`, async (context) => {
    const coordinator = await serve(context, { clientKey: key });
    const wire = await listeningIn(context, coordinator.address.port);
    const one = client(context, { connect: wire.connect, tls });
    await one.addAuth("digest", `logkeep:${secret}`);
    await one.create("/a", Buffer.from("data of a znode"));
    assert.ok((await one.getChildren("/")).children.includes("a"));
    const heard = wire.heard();
    assert.ok(heard.length > 100);
    assert.equal(heard.includes(secret), isRead);
    assert.equal(heard.includes("data of a znode"), isRead);
  });
}

test("at one port some speak TLS and others do not, four-letter words too", async (context) => {
  const coordinator = await serve(context, { clientKey: key, words: ["ruok"] });
  const { port } = coordinator.address;
  const { client: plain } = await RawClient.open(context, port);
  assert.equal(await plain.create("/plain", 0, open), "/plain");
  const secured = client(context, { connect: `127.0.0.1:${port}`, tls: key });
  await secured.create("/secured", Buffer.alloc(900_000, 1), soon());
  const { data } = await secured.getData("/secured");
  assert.equal(Buffer.compare(data ?? Buffer.alloc(0), Buffer.alloc(900_000, 1)), 0);
  for (const dial of [
    () => connect(port, "127.0.0.1"),
    () => connectTls({ host: "127.0.0.1", port, ...keyClientOptions(key) }),
  ]) {
    const socket = dial();
    socket.write("ruok");
    const answer: Buffer[] = [];
    for await (const bytes of socket) answer.push(bytes as Buffer);
    assert.equal(Buffer.concat(answer).toString(), "imok");
  }
});

const refused: readonly (readonly [string, ClientOptions["tls"], RegExp])[] = [
  ["another key", otherKey, /alert|illegal|decrypt/i],
  ["no key, asking for a certificate", { ca: caCertificate }, /alert|handshake/i],
];

for (const [name, tls, reason] of refused) {
  test(`a client with ${name} is refused and told why, and others stay`, async (context) => {
    const coordinator = await serve(context, { clientKey: key });
    const at = `127.0.0.1:${coordinator.address.port}`;
    const good = client(context, { connect: at, tls: key });
    await good.connected(soon());
    const bad = client(context, { connect: at, tls });
    const event = await told(bad, "tlsFailed");
    assert.match(event.cause.message, reason);
    assert.equal(event.server.port, coordinator.address.port);
    assert.equal(bad.isConnected, false);
    await good.create("/still");
  });
}

test("a server of before, which knows no TLS, is refused by who wants it", async (context) => {
  const coordinator = await serve(context, {});
  const at = `127.0.0.1:${coordinator.address.port}`;
  const wanting = client(context, { connect: at, tls: key });
  assert.match(
    (await told(wanting, "tlsFailed")).cause.message,
    /disconnected|ECONNRESET|wrong version/i,
  );
  assert.equal(wanting.isConnected, false);
});

test("a session goes over to TLS, and lives on, when its server is known to speak it", async (context) => {
  const coordinator = await serve(context, { clientKey: key });
  const at = `127.0.0.1:${coordinator.address.port}`;
  let isKnown = false;
  const one = client(context, { connect: at, tls: () => (isKnown ? key : undefined) });
  await one.connected(soon());
  const { sessionId } = one;
  await one.create("/mine", null, { mode: "ephemeral" });
  one.updateServers(at, { stays: true });
  assert.equal(one.isConnected, true);
  isKnown = true;
  const again = told(one, "connected");
  one.updateServers(at, { stays: true });
  assert.equal((await again).isNew, false);
  assert.equal(one.sessionId, sessionId);
  assert.notEqual(await one.exists("/mine"), null);
});

test("a handshake that stops midway counts as a connection, and goes with its socket", async (context) => {
  const coordinator = await serve(context, { clientKey: key, connectionsPerAddress: 2 });
  const { port } = coordinator.address;
  const begun = [1, 2].map(() => connect(port, "127.0.0.1"));
  for (const socket of begun) {
    socket.on("error", () => undefined).write(Buffer.from([0x16, 3, 1, 1, 0, 1]));
  }
  await Promise.all(begun.map((socket) => once(socket, "connect")));
  const third = connect(port, "127.0.0.1").on("error", () => undefined);
  await once(third.resume(), "close");
  for (const socket of begun) socket.destroy();
  await client(context, { connect: `127.0.0.1:${port}`, tls: key }).connected(soon());
});

test("bytes that only begin as TLS does cost their connection and nobody else's", async (context) => {
  const coordinator = await serve(context, { clientKey: key });
  const { port } = coordinator.address;
  for (const rest of [Buffer.alloc(300, 0xff), Buffer.from([3, 1, 0, 4, 1, 0, 0, 0, 9, 9, 9])]) {
    const socket = connect(port, "127.0.0.1").on("error", () => undefined);
    socket.resume().write(Buffer.concat([Buffer.from([0x16]), rest]));
    await once(socket, "close");
  }
  await client(context, { connect: `127.0.0.1:${port}`, tls: key }).connected(soon());
});
