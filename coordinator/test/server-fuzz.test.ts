// Goal: whatever bytes arrive, the server answers others as if nothing had happened.
// Method: seeded garbage, mutated and cut frames, before and after a session; between them a well-behaved client checks.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import test from "node:test";

import { Prng } from "../../kit/src/prng.ts";
import { encode } from "../src/wire/codec.ts";
import { opCodes } from "../src/wire/constants.ts";
import {
  ConnectRequest,
  CreateRequest,
  SetWatchesRequest,
  WatchedRequest,
} from "../src/wire/records.ts";
import { delay, open, RawClient, serve } from "./server-harness.ts";

const frameCount = Number(process.env["LOGKEEP_FUZZ_FRAMES"] ?? 2_000);
const perConnection = 20;

function framed(bytes: Buffer, length = bytes.length): Buffer {
  const head = Buffer.alloc(4);
  head.writeInt32BE(length);
  return Buffer.concat([head, bytes]);
}

const connectFrame = framed(
  encode(ConnectRequest, {
    protocolVersion: 0,
    lastZxidSeen: 0n,
    timeoutMs: 1000,
    sessionId: 0n,
    password: Buffer.alloc(16),
    readOnly: false,
  }),
);

const bodies = [
  encode(CreateRequest, { path: "/fuzz/x", data: Buffer.from("d"), acl: open, flags: 0 }),
  encode(SetWatchesRequest, { relativeZxid: 0n, data: ["/a"], exists: ["/b"], children: ["/"] }),
  Buffer.from("00000001ff", "hex"),
];

function frameDraw(prng: Prng): Buffer {
  const head = Buffer.alloc(8);
  head.writeInt32BE(prng.below(1000), 0);
  head.writeInt32BE(prng.pick([...Object.values(opCodes), prng.below(1 << 30)]), 4);
  const bytes = Buffer.concat([head, prng.pick(bodies)]);
  // Never the one request that ends the session as it should.
  if (bytes.readInt32BE(4) === opCodes.closeSession) bytes.writeInt32BE(99, 4);
  for (let flips = prng.below(6); flips > 0; flips--) {
    bytes[8 + prng.below(bytes.length - 8)] = prng.below(256);
  }
  const cut = bytes.subarray(0, prng.chance(0.2) ? prng.below(bytes.length) : bytes.length);
  if (prng.chance(0.02)) return framed(cut, prng.pick([-1, -2147483648, 0x7fffffff, 0x100000, 0]));
  return prng.chance(0.02) ? bytes : framed(cut);
}

test(`${frameCount} hostile frames hurt nobody else`, async (context) => {
  const coordinator = await serve(context, { tickTimeMs: 1000 });
  const { port } = coordinator.address;
  const { client } = await RawClient.open(context, port);
  const prng = new Prng(4242);
  for (let sent = 0; sent < frameCount; sent += perConnection) {
    const socket = connect({ host: "127.0.0.1", port });
    socket.on("error", () => undefined);
    socket.resume();
    await once(socket, "connect");
    if (prng.chance(0.9)) socket.write(connectFrame);
    for (let i = 0; i < perConnection; i++) socket.write(frameDraw(prng));
    if (prng.chance(0.5)) socket.end();
    else setTimeout(() => socket.destroy(), prng.below(5));
    if (sent % 100 === 0) assert.equal(await client.exists("/zookeeper"), true);
  }
  for (let waits = 0; coordinator.stats().connections > 1 && waits < 200; waits++) await delay(10);
  assert.equal(coordinator.stats().connections, 1);
  assert.equal(await client.create("/after"), "/after");
});

test("a frame above the limit closes its connection only", async (context) => {
  const { address } = await serve(context);
  const { client } = await RawClient.open(context, address.port);
  const other = await RawClient.open(context, address.port);
  const head = Buffer.alloc(4);
  head.writeInt32BE(0xfffff + 1);
  client.socket.write(head);
  assert.equal(await client.answer(), undefined);
  assert.equal(await other.client.exists("/"), true);
});

test("a client that sends much and reads nothing is held back, and served when it reads", async (context) => {
  const coordinator = await serve(context, { tickTimeMs: 1000 });
  const { client } = await RawClient.open(context, coordinator.address.port);
  const data = Buffer.alloc(200_000, 1);
  await client.ask("create", CreateRequest, { path: "/big", data, acl: open, flags: 0 });
  client.socket.pause();

  const count = 500;
  for (let i = 0; i < count; i++)
    client.send("getData", WatchedRequest, { path: "/big", watch: false });
  await delay(150);
  const answered = coordinator.stats().sent;
  assert(answered < 150, `${answered} answers of 200 kB are in memory`);
  client.socket.resume();
  for (let i = 0; i < count; i++) assert.equal((await client.answer())?.error, "OK");
});
