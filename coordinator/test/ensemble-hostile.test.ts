// Goal: nothing that a client may send, and no single lie of who claims to be a member, ends a member or keeps the
// ensemble from being led.
// Method: an ensemble in this process; each lie on a socket of its own, then all members must serve and none have failed.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import test, { type TestContext } from "node:test";

import { epochMax, zxidOf } from "../src/core/zxid.ts";
import { encode } from "../src/wire/codec.ts";
import { electionWrite, initialWrite } from "../src/wire/election.ts";
import { MultiRequest } from "../src/wire/multi.ts";
import {
  LearnerInfo,
  packetTypes,
  packetWrite,
  quorumProtocolVersion,
} from "../src/wire/quorum.ts";
import { CreateRequest } from "../src/wire/records.ts";
import { JuteWriter } from "../src/wire/writer.ts";
import { TestEnsemble, until } from "./ensemble-harness.ts";
import { delay, fourLetters, open, RawClient } from "./server-harness.ts";

const auth = [{ perms: 31, id: { scheme: "auth", id: "" } }];

async function dial(context: TestContext, host: string, port: number): Promise<Socket> {
  const socket = connect({ host, port });
  context.after(() => socket.destroy());
  socket.on("error", () => undefined);
  socket.resume();
  await once(socket, "connect");
  return socket;
}

function addressOf({ membership }: TestEnsemble, id: number) {
  const address = membership.members.find((each) => each.id === id)?.addresses[0];
  assert(address);
  return address;
}

/** Every member serves, from its own disk, too, and has what a new leader writes. */
async function isSound(context: TestContext, ensemble: TestEnsemble): Promise<void> {
  const leader = await ensemble.serving();
  await ensemble.stop(leader);
  await ensemble.start(leader);
  const next = await ensemble.client(context, await ensemble.serving());
  assert.equal(await next.create("/sound"), "/sound");
  const seen = async (id: number) => (await ensemble.client(context, id)).exists("/sound");
  for (const { id } of ensemble.membership.members) {
    while (!(await seen(id))) await delay(50);
  }
  assert.deepEqual(ensemble.failures, []);
}

async function started(context: TestContext): Promise<TestEnsemble> {
  const ensemble = new TestEnsemble(context, [1, 2, 3]);
  await ensemble.startAll();
  await ensemble.serving();
  return ensemble;
}

test("a learner that claims the last of all epochs does not use them up", async (context) => {
  const ensemble = await started(context);
  const leader = await ensemble.serving();
  const claim = new JuteWriter();
  const serverId = BigInt(leader === 1 ? 2 : 1);
  const info = { serverId, protocolVersion: quorumProtocolVersion, configVersion: 0n };
  const bytes = encode(LearnerInfo, info);
  packetWrite(claim, packetTypes.followerInfo, zxidOf(epochMax, 0), bytes);
  const lie = async (id: number): Promise<void> => {
    const { host, quorumPort } = addressOf(ensemble, id);
    const socket = await dial(context, host, quorumPort);
    socket.write(claim.copy());
    await once(socket, "close");
  };
  await lie(leader);
  // Also of who is about to lead.
  await ensemble.stop(leader);
  const others = [1, 2, 3].filter((id) => id !== leader);
  for (let i = 0; i < 20; i++) {
    await Promise.all(others.map((id) => Promise.race([lie(id), delay(20)])));
  }
  await ensemble.start(leader);
  await isSound(context, ensemble);
});

test("a vote of the last of all rounds does not end elections", async (context) => {
  const ensemble = await started(context);
  // 3 alone opens connections to the others, as the highest id does; each lie is said in its name, to who looks.
  await ensemble.stop(3);
  await ensemble.stop(2);
  const message = new JuteWriter();
  const vote = { leader: 1, zxid: 0, peerEpoch: 0 };
  const electionEpoch = Number.MAX_SAFE_INTEGER;
  electionWrite(message, { state: "looking", vote, electionEpoch, config: "" });
  const opening = new JuteWriter();
  initialWrite(opening, 3, ["127.0.0.1:1"]);
  opening.int(message.length);
  opening.raw(message.view());
  const { host, electionPort } = addressOf(ensemble, 1);
  const socket = await dial(context, host, electionPort);
  await until("it looks", () => ensemble.in("looking").includes(1));
  socket.write(opening.copy());
  await delay(200);
  socket.destroy();
  await ensemble.start(2);
  await ensemble.start(3);
  await isSound(context, ensemble);
});

test("strangers, as many as come, keep no member out", async (context) => {
  const ensemble = await started(context);
  const leader = await ensemble.serving();
  const { host, quorumPort, electionPort } = addressOf(ensemble, leader);
  for (let stranger = 1_000; stranger < 1_600; stranger++) {
    const claim = new JuteWriter();
    const info = {
      serverId: BigInt(stranger),
      protocolVersion: quorumProtocolVersion,
      configVersion: 0n,
    };
    const type = stranger % 2 === 0 ? packetTypes.observerInfo : packetTypes.followerInfo;
    packetWrite(claim, type, 0, encode(LearnerInfo, info));
    (await dial(context, host, quorumPort)).write(claim.copy());
    const opening = new JuteWriter();
    initialWrite(opening, stranger, ["127.0.0.1:1"]);
    (await dial(context, host, electionPort)).write(opening.copy());
  }
  const learners = async (): Promise<number> =>
    Number(/^zk_learners\t(\d+)$/m.exec(await fourLetters(ensemble.port(leader), "mntr"))?.[1]);
  await until("strangers fill the places that they have", async () => (await learners()) === 66);
  const follower = [1, 2, 3].find((id) => id !== leader)!;
  await ensemble.stop(follower);
  await ensemble.start(follower);
  await ensemble.serving();
  await isSound(context, ensemble);
});

test("a session ends that owns more than a txn can list", async (context) => {
  const ensemble = await started(context);
  const leader = await ensemble.serving();
  const { client } = await RawClient.open(context, ensemble.port(leader));
  const count = 20;
  const made = Array.from({ length: count }, (_, at) => `/${at}-${"x".repeat(900_000)}`);
  for (const path of made) {
    const request = { path, data: null, acl: open, flags: 1 };
    assert.equal((await client.ask("create", CreateRequest, request)).error, "OK");
  }
  assert.equal((await client.ask("closeSession")).error, "OK");
  for (const id of [1, 2, 3]) {
    const other = await ensemble.client(context, id);
    for (const path of made) while (await other.exists(path)) await delay(20);
  }
  await isSound(context, ensemble);
});

test("an id that is too long is refused, and a member's other clients stay", async (context) => {
  const ensemble = await started(context);
  const follower = ensemble.in("follower")[0]!;
  const other = await ensemble.client(context, follower);
  const client = await ensemble.client(context, follower);
  assert.equal(await client.authenticate(`${"u".repeat(100_000)}:p`), "AUTHFAILED");
  const again = await ensemble.client(context, follower);
  assert.equal(await again.authenticate(`${"u".repeat(4_000)}:p`), "OK");
  assert.equal(await again.create("/own", 0, auth), "/own");
  assert.equal(await other.create("/others"), "/others");
  assert.deepEqual(ensemble.failures, []);
});

test("a multi whose every operation brings all of its caller's ids is refused", async (context) => {
  const ensemble = await started(context);
  const client = await ensemble.client(context, await ensemble.serving());
  for (let at = 0; at < 90; at++) {
    assert.equal(await client.authenticate(`${"u".repeat(4_000)}${at}:p`), "OK");
  }
  const ops = Array.from({ length: 100 }, (_, at) => ({
    op: "create" as const,
    path: `/m${at}`,
    data: null,
    acl: auth,
    flags: 0,
  }));
  await client.ask("multi", MultiRequest, ops);
  assert(!(await client.exists("/m0")));
  await client.ask("multi", MultiRequest, ops.slice(0, 1));
  assert(await client.exists("/m0"));
  await isSound(context, ensemble);
});

test("a multi of reads is refused when its answer would be out of all proportion", async (context) => {
  const ensemble = await started(context);
  const client = await ensemble.client(context, await ensemble.serving());
  const request = { path: "/large", data: Buffer.alloc(1_000_000), acl: open, flags: 0 };
  await client.ask("create", CreateRequest, request);
  const read = { op: "getData" as const, path: "/large", watch: false };
  const few = await client.ask("multiRead", MultiRequest, Array(5).fill(read));
  assert.deepEqual([few.error, few.body.remaining > 5_000_000], ["OK", true]);
  const many = await client.ask("multiRead", MultiRequest, Array(50_000).fill(read));
  assert.deepEqual([many.error, many.body.remaining], ["BADARGUMENTS", 0]);
  assert(await client.exists("/large"));
  assert.deepEqual(ensemble.failures, []);
});
