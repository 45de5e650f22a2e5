// Goal: what the core says in one message is what Apache's servers say in a packet a txn, and the other way round.
// Method: each end of a link is driven by hand; packets are told as text: the type's name and the zxid.
import assert from "node:assert/strict";
import test from "node:test";

import { zxidOf } from "../src/core/zxid.ts";
import { ensembleParse } from "../src/quorum/ensembles.ts";
import { LeaderWire } from "../src/quorum/leader-wire.ts";
import { LearnerWire } from "../src/quorum/learner-wire.ts";
import { packetLimits } from "../src/quorum/limits.ts";
import type { QuorumMessage } from "../src/quorum/ports.ts";
import { encode } from "../src/wire/codec.ts";
import { opCodes } from "../src/wire/constants.ts";
import { WireError } from "../src/wire/errors.ts";
import { LearnerInfo, PacketSplitter, packetTypes, type QuorumPacket } from "../src/wire/quorum.ts";
import { TxnBytes } from "../src/wire/txn-bytes.ts";
import { TxnEntry } from "../src/wire/txns.ts";
import { JuteWriter } from "../src/wire/writer.ts";
import { entry } from "./quorum-harness.ts";

type PacketName = keyof typeof packetTypes;

const config = "server.1=a:2888:3888:participant\nversion=0";
const epoch = zxidOf(2, 0);
const old = zxidOf(1, 0);

test("a leader that does not serve yet gives its history as committed, as Apache's learners need it", () => {
  const wire = leader();
  ackEpoch(wire, old + 1);
  const packets = sent(wire, [
    { kind: "diff" },
    { kind: "proposal", proposals: [entry(old + 2, "b"), entry(old + 3, "c")] },
    { kind: "newLeader", epoch: 2 },
    { kind: "commit", zxid: old + 3 },
    { kind: "upToDate" },
  ]);
  assert.deepEqual(packets.map(textOf), [
    `diff ${old + 3}`,
    `proposal ${old + 2} b`,
    `proposal ${old + 3} c`,
    `commit ${old + 2}`,
    `commit ${old + 3}`,
    `newLeader ${epoch} ${config}`,
    "upToDate -1",
  ]);
});

test("a leader that serves commits only what is, and only what it proposed on this link", () => {
  const wire = leader();
  ackEpoch(wire, epoch + 5);
  const packets = sent(wire, [
    { kind: "diff" },
    { kind: "proposal", proposals: [entry(epoch + 6, "a"), entry(epoch + 7, "b")] },
    { kind: "commit", zxid: epoch + 4 },
    { kind: "newLeader", epoch: 2 },
    { kind: "commit", zxid: epoch + 5 },
    { kind: "commit", zxid: epoch + 6 },
    { kind: "upToDate" },
    { kind: "proposal", proposals: [entry(epoch + 8, "c")] },
    { kind: "commit", zxid: epoch + 8 },
  ]);
  assert.deepEqual(packets.map(textOf), [
    `diff ${epoch + 7}`,
    `proposal ${epoch + 6} a`,
    `proposal ${epoch + 7} b`,
    `newLeader ${epoch} ${config}`,
    `commit ${epoch + 6}`,
    "upToDate -1",
    `proposal ${epoch + 8} c`,
    `commit ${epoch + 7}`,
    `commit ${epoch + 8}`,
  ]);
});

test("a learner that has all is told so by an empty DIFF to where it is", () => {
  const wire = leader();
  ackEpoch(wire, old + 9);
  const packets = sent(wire, [{ kind: "diff" }, { kind: "newLeader", epoch: 2 }]);
  assert.deepEqual(packets.map(textOf), [`diff ${old + 9}`, `newLeader ${epoch} ${config}`]);
});

test("the first ACK acknowledges NEWLEADER, its repetition nothing, and a run of others is one", () => {
  const wire = leader();
  ackEpoch(wire, 0);
  for (const zxid of [epoch, epoch, epoch + 1, epoch + 2]) wire.read(packet("ack", zxid));
  assert.deepEqual(wire.take(), [
    { kind: "ackNewLeader", epoch: 2 },
    { kind: "ack", zxid: epoch + 2 },
  ]);
});

test("a learner's requests, syncs, touches and questions are told as the core names them", () => {
  const wire = leader();
  const request = Buffer.concat([head(7n, 3, opCodes.create), Buffer.from("payload")]);
  const ids = [{ scheme: "ip", id: "::1" }];
  wire.read({ ...packet("request", -1, request), ids });
  wire.read(packet("request", -1, head(7n, 4, opCodes.sync)));
  wire.read(packet("ping", 9, Buffer.from("000000000000000700002710", "hex")));
  wire.read(packet("ping", 10, Buffer.alloc(0)));
  wire.read(packet("revalidate", -1, Buffer.from("000000000000000700002710", "hex")));
  assert.deepEqual(wire.take(), [
    {
      kind: "request",
      request: {
        sessionId: 7n,
        cxid: 3,
        type: opCodes.create,
        payload: Buffer.from("payload"),
        ids,
      },
    },
    { kind: "sync", tag: 1 },
    { kind: "pong", round: 9, touched: [{ sessionId: 7n, timeoutMs: 10_000 }] },
    { kind: "pong", round: 10, touched: [] },
    { kind: "revalidate", sessionId: 7n, timeoutMs: 10_000 },
  ]);
});

const strangers: readonly { readonly who: string; readonly packet: QuorumPacket }[] = [
  { who: "begins with something else", packet: packet("ack", 1) },
  { who: "has no id", packet: packet("followerInfo", 0) },
  { who: "has an id below zero", packet: packet("followerInfo", 0, info(-1n)) },
  { who: "speaks an older protocol", packet: packet("followerInfo", 0, info(1n, 1)) },
  { who: "has a version below zero", packet: packet("followerInfo", 0, info(1n, 0x10000, -1n)) },
];

for (const { who, packet: first } of strangers) {
  test(`a learner that ${who} is refused`, () => {
    const wire = new LeaderWire(() => config);
    assert.throws(() => wire.read(first), WireError);
    assert.equal(wire.isNamed, false);
  });
}

test("what a leader commits before NEWLEADER counts once it serves", () => {
  const wire = learner(old + 1);
  for (const [name, zxid] of [
    ["diff", old + 3],
    ["proposal", old + 2],
    ["commit", old + 2],
    ["proposal", old + 3],
    ["commit", old + 3],
    ["newLeader", epoch],
    ["upToDate", -1],
  ] as const) {
    wire.read(packet(name, zxid, Buffer.from(name === "newLeader" ? config : "txn")));
  }
  assert.deepEqual(taken(wire), [
    "diff",
    `proposal ${old + 2} ${old + 3}`,
    "newLeader 2",
    `commit ${old + 3}`,
    "upToDate",
  ]);
});

test("what a learner had before is committed when its leader serves, though it is not sent again", () => {
  const wire = learner(epoch + 5);
  wire.read(packet("diff", epoch + 5));
  wire.read(packet("newLeader", epoch, Buffer.from(config)));
  wire.read(packet("upToDate", -1));
  assert.deepEqual(taken(wire), ["diff", "newLeader 2", `commit ${epoch + 5}`, "upToDate"]);
});

test("txns that an image holds already and that follow it are left out", () => {
  const wire = learner(0);
  assert.equal(wire.read(packet("snap", epoch + 7)), epoch + 7);
  wire.snapped(epoch + 7);
  for (const zxid of [epoch + 6, epoch + 7, epoch + 8]) {
    wire.read(packet("proposal", zxid, Buffer.from("txn")));
    wire.read(packet("commit", zxid));
  }
  assert.deepEqual(taken(wire), [`snap ${epoch + 7}`, `proposal ${epoch + 8}`]);
});

test("runs of proposals and commits are one of each, and each is acknowledged by an ACK of its own", () => {
  const wire = learner(epoch);
  wire.read(packet("newLeader", epoch));
  for (let at = 1; at <= 3; at++) {
    wire.read(packet("proposal", epoch + at, Buffer.from("txn")));
    if (at > 1) wire.read(packet("commit", epoch + at - 1));
  }
  assert.deepEqual(taken(wire), [
    "newLeader 2",
    `proposal ${epoch + 1} ${epoch + 2} ${epoch + 3}`,
    `commit ${epoch + 2}`,
  ]);
  const packets = sent(wire, [
    { kind: "ackNewLeader", epoch: 2 },
    { kind: "ack", zxid: epoch + 2 },
    { kind: "ack", zxid: epoch + 3 },
  ]);
  const acks = [epoch, epoch + 1, epoch + 2, epoch + 3].map((zxid) => `ack ${zxid}`);
  assert.deepEqual(packets.map(textOf), acks);
});

test("a learner answers no PING before it has acknowledged NEWLEADER, which is the first its leader reads", () => {
  const wire = learner(0);
  assert.deepEqual(sent(wire, [{ kind: "pong", round: 1, touched: [] }]), []);
  const packets = sent(wire, [
    { kind: "ackNewLeader", epoch: 2 },
    { kind: "pong", round: 2, touched: [{ sessionId: 7n, timeoutMs: 10_000 }] },
  ]);
  assert.deepEqual(packets[1]?.data, Buffer.from("000000000000000700002710", "hex"));
  assert.equal(packets[1]?.zxid, 2);
});

test("syncs are answered in the order in which they were asked", () => {
  const wire = learner(0);
  const [first] = sent(wire, [
    { kind: "sync", tag: 41 },
    { kind: "sync", tag: 40 },
  ]);
  assert.equal(first?.data?.readInt32BE(12), opCodes.sync);
  wire.read(packet("sync", 0));
  wire.read(packet("sync", 0));
  assert.deepEqual(wire.take(), [
    { kind: "synced", tag: 41 },
    { kind: "synced", tag: 40 },
  ]);
  assert.throws(() => wire.read(packet("sync", 0)), WireError);
});

const three = `server.1=a:2888:3888:participant\nserver.2=b:2888:3888:participant\nversion=200000002`;
const change = {
  ...entry(epoch + 2, ""),
  body: new TxnBytes(
    encode(TxnEntry, {
      header: { sessionId: 7n, cxid: 1, zxid: 1, timeMs: 1, type: opCodes.reconfig },
      txn: { type: "reconfig", path: "/zookeeper/config", data: Buffer.from(three), version: -1 },
      digest: undefined,
    }),
  ),
};

test("a change of the ensemble comes as such, and is committed with who leads from then on", () => {
  const from = leader();
  const to = learner(epoch);
  ackEpoch(from, 0);
  const sentTo = (messages: readonly QuorumMessage[]) => {
    for (const each of sent(from, messages)) to.read(each);
  };
  sentTo([
    { kind: "newLeader", epoch: 2 },
    { kind: "proposal", proposals: [entry(epoch + 1, "a"), change, entry(epoch + 3, "b")] },
    { kind: "commit", zxid: epoch + 1 },
    { kind: "commit", zxid: epoch + 2, leader: 2 },
    { kind: "proposal", proposals: [entry(epoch + 4, "c")] },
    { kind: "commit", zxid: epoch + 3 },
  ]);
  const [, proposed, ...rest] = to.take();
  assert(proposed?.kind === "proposal");
  assert.deepEqual(
    proposed.proposals.map(({ ensemble }) => ensemble?.version),
    [undefined, epoch + 2, undefined],
  );
  assert.equal(proposed.proposals[1]?.ensemble?.text, three.slice(0, three.lastIndexOf("\n")));
  assert.deepEqual(rest[1], { kind: "commit", zxid: epoch + 2, leader: 2 });
  assert.deepEqual(
    rest.map(({ kind }) => kind),
    ["commit", "commit", "proposal", "commit"],
  );
});

test("an observer is informed of a change of the ensemble together with who leads from then on", () => {
  const from = leader();
  const to = learner(epoch);
  const packets = sent(from, [
    { kind: "newLeader", epoch: 2 },
    { kind: "inform", proposals: [entry(epoch + 1, "a"), change], leader: 1 },
    { kind: "inform", proposals: [entry(epoch + 3, "b")] },
  ]);
  for (const each of packets) to.read(each);
  const [, ...messages] = to.take();
  assert.deepEqual(
    messages.map((each) => each.kind === "inform" && [each.leader, each.proposals.length]),
    [
      [undefined, 1],
      [1, 1],
      [undefined, 1],
    ],
  );
});

test("a new leader brings the ensemble, and one that is none is refused", () => {
  const ensemble = ensembleParse(three);
  const to = learner(epoch);
  for (const each of sent(leader(), [{ kind: "newLeader", epoch: 2, ensemble }])) to.read(each);
  const [newLeader] = to.take();
  assert(newLeader?.kind === "newLeader");
  assert.equal(newLeader.ensemble?.version, 2 * 2 ** 32 + 2);
  assert.deepEqual(
    [...(newLeader.ensemble?.members ?? [])],
    [
      [1, "a:2888"],
      [2, "b:2888"],
    ],
  );
  for (const text of [
    "nothing",
    "server.1=a:1:2:observer",
    "server.1=a:1:2\ngroup.1=1\nweight.1=0",
  ]) {
    const data = Buffer.from(text);
    assert.throws(() => learner(epoch).read(packet("newLeader", epoch, data)), WireError);
  }
});

function leader(): LeaderWire {
  const wire = new LeaderWire(() => config);
  wire.read(packet("followerInfo", zxidOf(1, 0), info(3n)));
  assert.deepEqual(wire.take(), [
    { kind: "learnerInfo", peer: 3, isObserver: false, acceptedEpoch: 1, ensembleVersion: 0 },
  ]);
  return wire;
}

function ackEpoch(wire: LeaderWire, zxidLast: number): void {
  wire.read(packet("ackEpoch", zxidLast, Buffer.alloc(4, 0xff)));
  assert.deepEqual(wire.take(), [{ kind: "ackEpoch", currentEpoch: undefined, zxidLast }]);
}

/** One that has said how far it is. */
function learner(zxidLast: number): LearnerWire {
  const wire = new LearnerWire(ensembleParse);
  const packets = sent(wire, [{ kind: "ackEpoch", currentEpoch: 1, zxidLast }]);
  assert.deepEqual(packets.map(textOf), [`ackEpoch ${zxidLast} \0\0\0\u0001`]);
  return wire;
}

function sent(wire: LeaderWire | LearnerWire, messages: readonly QuorumMessage[]): QuorumPacket[] {
  const writer = new JuteWriter();
  for (const message of messages) wire.write(message as never, writer);
  const splitter = new PacketSplitter(packetLimits);
  splitter.push(writer.copy());
  const packets: QuorumPacket[] = [];
  for (let each = splitter.next(); each !== undefined; each = splitter.next()) packets.push(each);
  return packets;
}

function taken(wire: LearnerWire): string[] {
  return wire.take().map((message) => {
    switch (message.kind) {
      case "proposal":
      case "inform":
        return [message.kind, ...message.proposals.map(({ zxid }) => zxid)].join(" ");
      case "commit":
      case "snap":
        return `${message.kind} ${message.zxid}`;
      case "newLeader":
        return `newLeader ${message.epoch}`;
      default:
        return message.kind;
    }
  });
}

function textOf({ type, zxid, data }: QuorumPacket): string {
  const [name] = Object.entries(packetTypes).find(([, number]) => number === type) ?? [];
  return data === null ? `${name} ${zxid}` : `${name} ${zxid} ${data.toString()}`;
}

function packet(name: PacketName, zxid: number, data: Buffer | null = null): QuorumPacket {
  return { type: packetTypes[name], zxid, data, ids: [] };
}

function info(serverId: bigint, protocolVersion = 0x10000, configVersion = 0n): Buffer {
  return encode(LearnerInfo, { serverId, protocolVersion, configVersion });
}

function head(sessionId: bigint, cxid: number, type: number): Buffer {
  const writer = new JuteWriter();
  writer.long(sessionId);
  writer.int(cxid);
  writer.int(type);
  return writer.copy();
}
