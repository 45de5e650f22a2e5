// Goal: a slow, silent or senseless other side harms nobody else, and what is sent arrives in order.
// Method: networks without a core on the loopback; where one side misbehaves it is a bare socket.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import test, { type TestContext } from "node:test";

import { silentLogger } from "../../kit/src/logger.ts";
import { Prng } from "../../kit/src/prng.ts";
import type { Notification, PeerId } from "../src/core/vote.ts";
import { ElectionConnections } from "../src/quorum/election-connections.ts";
import { unnamedMax } from "../src/quorum/limits.ts";
import type { Membership } from "../src/quorum/members.ts";
import type { ImageSink, ImageSource, QuorumMessage } from "../src/quorum/ports.ts";
import { TcpQuorumNetwork, type TcpQuorumNetworkOptions } from "../src/quorum/tcp-network.ts";
import { encode } from "../src/wire/codec.ts";
import { LearnerInfo, packetTypes, packetWrite } from "../src/wire/quorum.ts";
import { JuteWriter } from "../src/wire/writer.ts";
import { entry, imageOf, imageTexts, membershipOf, until } from "./quorum-harness.ts";
import * as given from "./server-tls-given.ts";

const connectionCount = Number(process.env["LOGKEEP_FUZZ_FRAMES"] ?? 4_000) / 20;

/** A network that writes down what it is told. */
class Recorded {
  readonly network: TcpQuorumNetwork;
  readonly notified: { readonly from: PeerId; readonly notification: Notification }[] = [];
  readonly up: number[] = [];
  readonly down: number[] = [];
  readonly messages: QuorumMessage[] = [];
  refused = 0;
  sink: ImageSink | undefined;

  constructor(
    self: PeerId,
    membership: Membership,
    options: Partial<TcpQuorumNetworkOptions> = {},
  ) {
    this.network = new TcpQuorumNetwork(
      {
        self,
        members: () => membership,
        host: "127.0.0.1",
        initLimitMs: 60_000,
        logger: silentLogger,
        ...options,
      },
      {
        notified: (from, notification) => this.notified.push({ from, notification }),
        linkUp: (link) => this.up.push(link),
        linkDown: (link) => this.down.push(link),
        linkRefused: () => this.refused++,
        messages: (_link, messages) => this.messages.push(...messages),
        imageBegin: () => this.sink ?? assert.fail("no image is expected"),
        failed: (error) => {
          throw error;
        },
      },
    );
  }

  send(message: QuorumMessage): void {
    const link = this.up.at(-1) ?? assert.fail("there is no link");
    this.network.send(link, message);
    this.network.flush();
  }

  get kinds(): string {
    return this.messages.map(({ kind }) => kind).join(" ");
  }
}

const looking: Notification = {
  round: 1,
  vote: { leader: 2, zxid: 2 ** 32 + 7, epoch: 1 },
  state: "looking",
};

async function pair(
  t: TestContext,
  options: Partial<TcpQuorumNetworkOptions> = {},
): Promise<readonly [Recorded, Recorded, Membership]> {
  const membership = await membershipOf(2);
  const both = [
    new Recorded(1, membership, options),
    new Recorded(2, membership, options),
  ] as const;
  t.after(async () => {
    for (const { network } of both) await network.end();
  });
  for (const { network } of both) await network.listen();
  return [...both, membership];
}

/** A link from the second, the learner, to the first. */
async function linked(
  t: TestContext,
  options: Partial<TcpQuorumNetworkOptions> = {},
): Promise<readonly [Recorded, Recorded, Membership]> {
  const [leader, learner, membership] = await pair(t, options);
  await link(leader, learner);
  return [leader, learner, membership];
}

async function link(leader: Recorded, learner: Recorded): Promise<void> {
  const before = leader.up.length;
  learner.network.connect(1);
  await until(() => learner.up.length > learner.down.length, "the learner's link");
  learner.send({ kind: "learnerInfo", peer: 2, isObserver: false, acceptedEpoch: 0 });
  await until(() => leader.up.length > before, "the leader's link");
}

async function rawLearner(t: TestContext, membership: Membership, peer: number): Promise<Socket> {
  const socket = await raw(t, membership.members[0]?.addresses[0]?.quorumPort);
  const info = { serverId: BigInt(peer), protocolVersion: 0x10000, configVersion: 0n };
  const writer = new JuteWriter();
  packetWrite(writer, packetTypes.followerInfo, 0, encode(LearnerInfo, info));
  socket.write(writer.copy());
  return socket;
}

async function raw(t: TestContext, port: number | undefined): Promise<Socket> {
  const socket = connect(port as number, "127.0.0.1");
  socket.on("error", () => undefined);
  t.after(() => socket.destroy());
  await Promise.race([once(socket, "connect"), once(socket, "close")]);
  return socket;
}

for (const [from, to] of [
  [0, 1],
  [1, 0],
] as const) {
  test(`a notification of server ${from + 1} reaches server ${to + 1}, and the newest only`, async (t) => {
    const [one, two] = await pair(t);
    const both = [one, two];
    for (let round = 1; round <= 5; round++) {
      both[from]?.network.notify(to + 1, { ...looking, round });
    }
    await until(() => both[to]?.notified.length === 1, "the notification");
    assert.deepEqual(both[to]?.notified, [
      { from: from + 1, notification: { ...looking, round: 5 } },
    ]);
  });
}

test("a peer that starts later hears what was said last", async (t) => {
  const membership = await membershipOf(2);
  const one = new Recorded(1, membership);
  t.after(() => one.network.end());
  await one.network.listen();
  one.network.notify(2, { ...looking, state: "leading" });
  for (let life = 1; life <= 2; life++) {
    const two = new Recorded(2, membership);
    await two.network.listen();
    if (life === 2) two.network.notify(1, looking);
    await until(() => two.notified.length > 0, "the notification");
    assert.equal(two.notified[0]?.notification.state, "leading");
    await two.network.end();
  }
});

test("beside a connection of an election on which nothing is answered another is opened, and takes its place", async (t) => {
  const membership = await membershipOf(2);
  const port = membership.members[0]?.addresses[0]?.electionPort;
  const sockets: Socket[] = [];
  const mute = createServer((socket) => sockets.push(socket.resume()));
  mute.listen(port, "127.0.0.1");
  await once(mute, "listening");
  const elections = new ElectionConnections({
    self: 2,
    members: () => membership.members,
    tls: undefined,
    nameWithinMs: 60_000,
    silenceMs: 30,
    logger: silentLogger,
    heard: () => assert.fail("it said something"),
  });
  t.after(() => {
    elections.end();
    mute.close();
  });
  const timer = setInterval(() => elections.notify(1, Buffer.from("hello?")), 10);
  t.after(() => clearInterval(timer));
  await until(() => sockets.length >= 3, "a third connection");
});

test("the log says once whom an election does not reach, and once that it is reached", async (t) => {
  const told: string[] = [];
  const tell = (fields: object, event: string): void => {
    told.push(`${event} ${JSON.stringify(fields)}`);
  };
  const membership = await membershipOf(2);
  const one = new Recorded(1, membership, {
    logger: { ...silentLogger, info: tell, warn: tell },
  });
  const two = new Recorded(2, membership);
  t.after(() => Promise.all([one.network.end(), two.network.end()]));
  await one.network.listen();
  one.network.notify(2, looking);
  await until(() => told.length > 0, "the warning");
  assert.match(told[0] ?? "", /^coordinator member is not reached \{"peer":2,"reason":".*REFUSED/);
  await two.network.listen();
  await until(() => two.notified.length > 0, "the notification");
  assert.deepEqual(told.slice(1), ['coordinator member is reached {"peer":2}']);
});

test("the log says who comes without the members' TLS, once in a while; a hang-up is no fault", async (t) => {
  const told: string[] = [];
  const hangUps: string[] = [];
  const warn = (fields: object, event: string): void => {
    told.push(`${event} ${JSON.stringify(fields)}`);
  };
  const debug = (_: object, event: string): void => void hangUps.push(event);
  const membership = await membershipOf(1);
  const material = { key: given.serverKey, cert: given.serverCertificate };
  const { network } = new Recorded(1, membership, {
    tls: { material, trust: given.caCertificate },
    logger: { ...silentLogger, warn, debug },
  });
  t.after(() => network.end());
  await network.listen();
  const { quorumPort = 0, electionPort = 0 } = membership.members[0]?.addresses[0] ?? {};
  // The head of a message of TLS, and no more of it.
  for (const begun of ["", "\x16\x03\x01"]) {
    const gone = connect(electionPort, "127.0.0.1");
    gone.on("error", () => undefined).resume();
    gone.end(Buffer.from(begun, "latin1"));
    await once(gone, "close");
  }
  await until(() => hangUps.length === 2, "both hang-ups");
  assert.deepEqual(told, []);
  assert.match(hangUps[0] ?? "", /closed during its TLS handshake/);
  for (const port of [electionPort, quorumPort]) {
    const plain = connect(port, "127.0.0.1");
    plain.on("error", () => undefined).resume();
    plain.end("nothing of TLS");
    await once(plain, "close");
  }
  assert.equal(told.length, 1);
  assert.match(
    told[0] ?? "",
    /^coordinator member is refused: its TLS handshake failed .*127\.0\.0\.1/,
  );
});

test("who is no voter has no vote, and says so", async (t) => {
  const [one, two] = await pair(t);
  const vote = { leader: 0, zxid: -1, epoch: -1 };
  one.network.notify(2, { ...looking, vote });
  await until(() => two.notified.length > 0, "the notification");
  assert.deepEqual(two.notified[0]?.notification, { ...looking, vote });
});

test("a link to nobody is refused, and a later wish takes the place of an earlier", async (t) => {
  const [one, two] = await pair(t);
  one.network.connect(77);
  await until(() => one.refused === 1, "the refusal");
  one.network.connect(77);
  one.network.connect(2);
  await until(() => one.up.length === 1, "the link");
  await two.network.end();
  await until(() => one.down.length === 1, "the end of the link");
  one.network.connect(2);
  await until(() => one.refused === 2, "the second refusal");
});

test("messages arrive in order, and what was sent before a close arrives too", async (t) => {
  const [leader, learner] = await linked(t);
  leader.send({ kind: "leaderInfo", epoch: 1 });
  leader.send({ kind: "diff" });
  const [id] = leader.up as [number];
  leader.network.send(id, { kind: "newLeader", epoch: 1 });
  leader.network.close(id);
  await until(() => learner.down.length === 1, "the end of the link");
  assert.equal(learner.kinds, "leaderInfo diff newLeader");
  assert.deepEqual(leader.down, []);
});

test("an image arrives whole, what follows it after it, and the sink sets the pace", async (t) => {
  const [leader, learner] = await linked(t);
  const texts = Array.from({ length: 2_000 }, (_, at) => `${at} `.repeat(200));
  const pieces: Buffer[] = [];
  let writing = 0;
  let release = (): void => assert.fail("nothing waits");
  const ended = new Promise<void>((resolve) => {
    release = resolve;
  });
  learner.sink = {
    write: async (bytes) => {
      assert.equal(++writing, 1);
      pieces.push(Buffer.from(bytes));
      await new Promise((resolve) => setImmediate(resolve));
      writing--;
    },
    end: () => ended,
    abandon: () => assert.fail("it was abandoned"),
  };
  leader.network.sendImage(leader.up[0] as number, 2 ** 32, imageOf(texts));
  leader.send({ kind: "proposal", proposals: [entry(2 ** 32 + 1, "after")] });
  leader.send({ kind: "newLeader", epoch: 1 });
  await until(() => Buffer.concat(pieces).includes("/1999"), "the last znode");
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(learner.kinds, "");
  release();
  await until(() => learner.messages.length === 3, "what follows");
  assert.equal(learner.kinds, "snap proposal newLeader");
  assert.deepEqual(imageTexts(Buffer.concat(pieces)), texts);
});

test("a disk that does not take an image costs the link, and an image without an end its sink", async (t) => {
  const [leader, learner] = await linked(t);
  let abandoned = 0;
  const full = new Error("no space");
  learner.sink = {
    write: () => Promise.reject(full),
    end: () => assert.fail("it has no end"),
    abandon: () => abandoned++,
  };
  leader.network.sendImage(leader.up[0] as number, 2 ** 32, imageOf(["x"]));
  await until(() => learner.down.length === 1, "the end of the link");
  assert.equal(abandoned, 1);

  await link(leader, learner);
  let taken = 0;
  learner.sink = { ...learner.sink, write: async () => void taken++ };
  const endless: ImageSource = {
    isDone: false,
    next: () => imageOf([]).next(),
    abandon: () => abandoned++,
  };
  leader.network.sendImage(leader.up[1] as number, 2 ** 32, endless);
  await until(() => taken > 0, "a piece");
  leader.network.close(leader.up[1] as number);
  await until(() => learner.down.length === 2, "the end of the second link");
  assert.equal(abandoned, 3);
});

test("an image that is given up, as its taker is too slow, costs that link and nothing else", async (t) => {
  const [leader, learner] = await linked(t);
  let pieces = 0;
  const tooSlow = new Error("the tree changes faster");
  const givenUp: ImageSource = {
    isDone: false,
    next: () => {
      if (++pieces > 2) throw tooSlow;
      return imageOf([]).next().subarray(0, 4);
    },
    abandon: () => undefined,
  };
  let abandoned = 0;
  const write = () => Promise.resolve();
  learner.sink = { write, end: () => assert.fail("it has no end"), abandon: () => abandoned++ };
  leader.network.sendImage(leader.up[0] as number, 2 ** 32, givenUp);
  await until(() => learner.down.length === 1 && leader.down.length === 1, "the end of the link");
  await until(() => abandoned === 1, "the end of the sink");
  assert.equal(pieces, 3);
  await link(leader, learner);
});

test("who does not read is given up at the limit, and others notice nothing", async (t) => {
  const [leader, learner, membership] = await linked(t, { linkBytesMax: 8 * 1024 * 1024 });
  const slow = await rawLearner(t, membership, 3);
  slow.pause();
  await until(() => leader.up.length === 2, "the slow link");
  const [quick, idle] = leader.up as [number, number];
  const big = "x".repeat(1024 * 1024);
  let zxid = 2 ** 32;
  while (leader.down.length === 0) {
    const proposals = [entry(++zxid, big)];
    for (const id of [quick, idle]) leader.network.send(id, { kind: "proposal", proposals });
    leader.network.flush();
    const last = zxid;
    const has = () => {
      const message = learner.messages.at(-1);
      return message?.kind === "proposal" && message.proposals.at(-1)?.zxid === last;
    };
    await until(has, "the quick one's proposal");
    assert(zxid < 2 ** 32 + 100, "the slow link goes on for ever");
  }
  assert.deepEqual(leader.down, [idle]);
});

test("who connects and does not say who it is goes in time", async (t) => {
  const [, , membership] = await pair(t, { initLimitMs: 50 });
  const { quorumPort, electionPort } = membership.members[0]?.addresses[0] ?? assert.fail();
  for (const port of [quorumPort, electionPort]) {
    const socket = await raw(t, port);
    socket.resume();
    await once(socket, "close");
  }
});

test("who says much and not who it is goes at once", async (t) => {
  const [, , membership] = await pair(t);
  const socket = await raw(t, membership.members[0]?.addresses[0]?.quorumPort);
  const head = Buffer.from("0000000b000000000000000000100000", "hex");
  socket.write(Buffer.concat([head, Buffer.alloc(2_000)]));
  socket.resume();
  await once(socket, "close");
});

test("many who connect and say nothing keep nobody out", async (t) => {
  const [leader, learner, membership] = await pair(t);
  const { quorumPort, electionPort } = membership.members[0]?.addresses[0] ?? assert.fail();
  for (let i = 0; i < unnamedMax + 5; i++) {
    await raw(t, quorumPort);
    await raw(t, electionPort);
  }
  await link(leader, learner);
  learner.network.notify(1, looking);
  await until(() => leader.notified.length > 0, "the notification");
});

test("whatever bytes come on both ports, members go on", async (t) => {
  const [leader, learner, membership] = await linked(t);
  const prng = new Prng(21);
  const { quorumPort, electionPort } = membership.members[0]?.addresses[0] ?? assert.fail();
  const openings = [
    Buffer.from("ffffffffffff000000000000000000030000000e3132372e302e302e313a33383838", "hex"),
    Buffer.from(
      "0000000b000000000000000000000014000000000000000300010000000000000000000000000000",
      "hex",
    ),
    Buffer.alloc(0),
  ];
  for (let at = 0; at < connectionCount; at++) {
    const socket = await raw(t, prng.chance(0.5) ? quorumPort : electionPort);
    const noise = Buffer.from(Array.from({ length: prng.below(300) }, () => prng.below(256)));
    socket.write(Buffer.concat([openings[prng.below(3)] as Buffer, noise]));
    if (prng.chance(0.5)) socket.end();
    else if (prng.chance(0.8)) setTimeout(() => socket.destroy(), 20);
  }
  const count = leader.notified.length;
  learner.network.notify(1, looking);
  learner.send({ kind: "ackEpoch", currentEpoch: 1, zxidLast: 7 });
  await until(() => leader.notified.length > count, "a notification");
  await until(() => leader.messages.some(({ kind }) => kind === "ackEpoch"), "a message");
  assert.deepEqual(learner.down, []);
});
