// Goal: cores elect, synchronise and commit over the real network as they do in the simulator.
// Method: three of them in one process, on the loopback, each with a disk of its own in memory.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import test, { type TestContext } from "node:test";

import { zxidOf } from "../src/core/zxid.ts";
import type { Membership } from "../src/quorum/members.ts";
import type { QuorumTls } from "../src/quorum/sockets.ts";
import { type Disk, diskOf, entry, membershipOf, TestMember, until } from "./quorum-harness.ts";
import * as given from "./server-tls-given.ts";

test("three members elect a leader and commit, and a killed leader is replaced", async (t) => {
  const members = await ensemble(t, [diskOf(), diskOf(), diskOf()]);
  await until(() => members.every((member) => member.isServing), "all serve");
  const leader = leaderOf(members);
  for (let i = 0; i < 1000; i++) leader.propose(`a${i}`);
  await until(() => members.every(({ applied }) => applied.length === 1000), "all commits");
  assert.deepEqual(new Set(members.map(({ applied }) => applied.join(" "))).size, 1);

  await leader.kill();
  const rest = members.filter((member) => member !== leader);
  const isLed = () => rest.some(({ role }) => role.kind === "leading");
  await until(() => isLed() && rest.every((member) => member.isServing), "a new leader");
  const next = leaderOf(rest);
  next.propose("b");
  await until(() => rest.every(({ applied }) => applied.at(-1) === "b"), "its commit");
});

test("members synchronise by DIFF, TRUNC and SNAP, and an observer too", async (t) => {
  const first = Array.from({ length: 10 }, (_, at) => entry(zxidOf(1, at + 1), `a${at}`));
  const second = Array.from({ length: 10 }, (_, at) => entry(zxidOf(2, at + 1), `b${at}`));
  const whole = diskOf([...first, ...second], 2);
  const behind = diskOf(first.slice(0, 5), 1);
  const ahead = diskOf([...first, entry(zxidOf(1, 11), "never committed")], 1);
  const members = await ensemble(t, [whole, behind, ahead, diskOf(), diskOf()], [5]);
  await until(() => members.every((member) => member.isServing), "all serve");
  const leader = leaderOf(members);
  assert.equal(leader.id, 1);
  const expected = [...first, ...second].map(({ body }) => body.bytes.toString());
  await until(() => members.every(({ applied }) => applied.length === 20), "the history");
  for (let i = 0; i < 100; i++) leader.propose(`c${i}`);
  await until(() => members.every(({ applied }) => applied.length === 120), "new commits");
  for (const { applied } of members) assert.deepEqual(applied.slice(0, 20), expected);
  assert.deepEqual(members[2]?.truncated, [zxidOf(1, 10)]);
  assert.deepEqual(
    members.map(({ imagesTaken }) => imagesTaken),
    [0, 0, 0, 1, 1],
  );
  assert.equal(members[4]?.role.kind, "observing");
});

test("members that speak TLS know each other by certificates, and take nobody without one", async (t) => {
  const key = given.serverKey;
  const cert = given.serverCertificate;
  const tls: QuorumTls = { material: { key, cert }, trust: given.caCertificate };
  const strange: QuorumTls = {
    material: { key: given.otherKey, cert: given.otherCertificate },
    trust: given.caCertificate,
  };
  await strangerStaysOut(t, [tls, tls, strange]);
});

test("members that speak TLS by a key of theirs take nobody who has another", async (t) => {
  const tls: QuorumTls = { psk: Buffer.alloc(32, 1) };
  await strangerStaysOut(t, [tls, tls, { psk: Buffer.alloc(32, 2) }]);
});

/** Two members of three that trust each other serve; the third and who speaks no TLS have no part in it. */
async function strangerStaysOut(t: TestContext, sides: readonly QuorumTls[]): Promise<void> {
  const membership = await membershipOf(3);
  const members = sides.map(
    (side, at) => new TestMember(at + 1, membership, diskOf(), { tls: side }),
  );
  t.after(async () => {
    for (const member of members) await member.kill();
  });
  for (const member of members) await member.start();
  const known = members.slice(0, 2);
  await until(() => known.every((member) => member.isServing), "those that are known serve");
  leaderOf(known).propose("a");
  await until(() => known.every(({ applied }) => applied.length === 1), "a commit");
  const plain = connect(membership.members[0]?.addresses[0]?.quorumPort as number, "127.0.0.1");
  plain.on("error", () => undefined);
  plain.end("this is no handshake");
  plain.resume();
  await once(plain, "close");
  assert.equal(members[2]?.role.kind, "looking");
  assert(known.every((member) => member.isServing));
}

function leaderOf(members: readonly TestMember[]): TestMember {
  const leader = members.find(({ role }) => role.kind === "leading");
  assert(leader !== undefined);
  return leader;
}

async function ensemble(
  t: TestContext,
  disks: readonly Disk[],
  observers: readonly number[] = [],
): Promise<readonly TestMember[]> {
  const membership: Membership = await membershipOf(disks.length, observers);
  const members = disks.map((disk, at) => new TestMember(at + 1, membership, disk));
  t.after(async () => {
    for (const member of members) await member.kill();
  });
  for (const member of members) await member.start();
  return members;
}
