import assert from "node:assert/strict";
import test from "node:test";

import {
  type Membership,
  memberParse,
  membershipParse,
  membershipText,
  memberText,
} from "../src/quorum/members.ts";
import { type ReconfigRules, reconfigPrepare } from "../src/quorum/reconfig.ts";
import { decode, encode } from "../src/wire/codec.ts";
import { errorNameOf, perms } from "../src/wire/constants.ts";
import { ReconfigRequest } from "../src/wire/records.ts";
import { TreeHarness } from "./tree-harness.ts";

const three = membershipParse(
  [1, 2, 3].map((id) => `server.${id}=h${id}:2888:3888:participant;h${id}:2181`).join("\n"),
);
const current: Membership = { ...three, version: 0x1_0000_0005 };
const grouped = membershipParse(
  `${membershipText(three)}\ngroup.1=1:2\ngroup.2=3\nweight.3=2\nversion=5`,
);
const free: ReconfigRules = {
  isEnabled: true,
  isStandalone: false,
  standaloneEnabled: true,
  isInProgress: false,
  hasQuorum: () => true,
};
const nothing: ReconfigRequest = { joining: null, leaving: null, members: null, fromConfig: -1n };
const zxid = 0x1_0000_0009;

/** The ensemble's text after a request, or the error's name. */
function ask(
  request: Partial<ReconfigRequest>,
  rules: Partial<ReconfigRules> = {},
  from = current,
): string {
  const result = reconfigPrepare(from, { ...nothing, ...request }, { ...free, ...rules }, zxid);
  return typeof result === "number" ? (errorNameOf(result) ?? "?") : membershipText(result);
}

const line = (id: number): string => `server.${id}=h${id}:2888:3888:participant;h${id}:2181`;

test("who leaves is gone, who joins is there, and the version is the txn's zxid", () => {
  const joining = "server.4=h4:1:2;3, server.5 = h5:1:2:observer;h5:3";
  const text = [
    line(1),
    line(3),
    "server.4=h4:1:2:participant;0.0.0.0:3",
    "server.5=h5:1:2:observer;h5:3",
    "version=100000009",
  ].join("\n");
  assert.equal(ask({ joining, leaving: "2,9" }), text);
});

test("who joins under an id that is there takes its place, though it keeps an address", () => {
  const text = ask({ joining: "server.2=h2:2888:3888:observer;h2:2181" });
  assert.match(text, /^server\.2=h2:2888:3888:observer;h2:2181$/m);
});

test("a whole ensemble may be said instead, with commas or line ends, and its version does not count", () => {
  const text = `${line(2)},${line(1)}\n# a remark\nversion=77`;
  assert.equal(ask({ members: text }), `${line(1)}\n${line(2)}\nversion=100000009`);
});

test("a whole ensemble with groups is said, and cannot be changed by joining or leaving", () => {
  const members = membershipText(grouped);
  assert.equal(ask({ members }), members.replace("version=5", "version=100000009"));
  assert.equal(ask({ leaving: "3" }, {}, grouped), "BADARGUMENTS");
});

const refused: readonly (readonly [string, Partial<ReconfigRequest>, Partial<ReconfigRules>])[] = [
  ["RECONFIGDISABLED", { fromConfig: 1n }, { isEnabled: false, isInProgress: true }],
  ["UNIMPLEMENTED", {}, { isStandalone: true }],
  ["RECONFIGINPROGRESS", { fromConfig: 1n }, { isInProgress: true }],
  ["BADVERSION", { fromConfig: 1n, joining: "nonsense" }, {}],
  ["BADARGUMENTS", { joining: "nonsense" }, {}],
  ["BADARGUMENTS", { joining: "server.4=h4:1:2" }, {}],
  ["BADARGUMENTS", { joining: "server.x=h4:1:2;3" }, {}],
  ["BADARGUMENTS", { joining: "server.4=h4:1:2:king;3" }, {}],
  ["BADARGUMENTS", { joining: "server.4=h4:1:1;3" }, {}],
  ["BADARGUMENTS", { joining: "server.4=H1:2888:9;3" }, {}],
  ["BADARGUMENTS", { joining: "server.4=h4:1:2;h1:2181" }, {}],
  ["BADARGUMENTS", { leaving: "two" }, {}],
  ["BADARGUMENTS", { leaving: "1,2" }, {}],
  ["BADARGUMENTS", { leaving: "1,2,3" }, { standaloneEnabled: false }],
  ["BADARGUMENTS", { members: "" }, {}],
  ["BADARGUMENTS", { members: "clientPort=2181" }, {}],
  ["BADARGUMENTS", { members: `${line(1)}\n${line(2)}\ngroup.1=1` }, {}],
  ["BADARGUMENTS", { members: `${line(1)}\n${line(2)}\ngroup.1=1:2\ngroup.2=2` }, {}],
  ["BADARGUMENTS", { members: `${line(1)}\n${line(2)}\ngroup.1=1:2:7` }, {}],
  ["NEWCONFIGNOQUORUM", { leaving: "3" }, { hasQuorum: () => false }],
];

for (const [name, request, rules] of refused) {
  const asked = Object.entries({ ...request, ...rules }).map(([key, value]) => `${key} ${value}`);
  test(`${name}: ${asked.join(", ").replaceAll("\n", " ")}`, () => {
    assert.equal(ask(request, rules), name);
  });
}

test("one voter is enough where nobody may stand alone, and the right version may be named", () => {
  const request = { leaving: "2,3", fromConfig: BigInt(current.version) };
  assert.equal(ask(request, { standaloneEnabled: false }), `${line(1)}\nversion=100000009`);
});

test("members on addresses of one machine alone may have the same", () => {
  assert.match(ask({ joining: "server.4=0.0.0.0:1:2;3,server.5=0.0.0.0:1:2;3" }), /server\.5=/);
});

test("the quorum that is asked for is that of the ensemble to be", () => {
  const hasQuorum = ({ members, version }: Membership): boolean => {
    assert.deepEqual([members.map(({ id }) => id), version], [[1, 2], zxid]);
    return true;
  };
  assert.match(ask({ leaving: "3" }, { hasQuorum }), /^version=100000009$/m);
});

test("what an ensemble is written as is read as the same", () => {
  for (const membership of [current, grouped]) {
    assert.deepEqual(membershipParse(membershipText(membership)), membership);
  }
  assert.equal(memberText(memberParse(9, "b:3:4|a:1:2")), "a:1:2|b:3:4:participant");
  for (const spec of [
    "[::1]:1:2:participant;[::]:3",
    "a:1:2|b:3:4:observer",
    "h:1:2:participant",
  ]) {
    assert.equal(memberText(memberParse(9, spec)), spec);
  }
});

test("an ensemble with groups is written in one way, in order and with every voter's weight, as by Apache", () => {
  const text = "server.3=c:1:2\nserver.1=a:1:2\nserver.2=b:1:2\ngroup.2=3\ngroup.1=2:1\nweight.2=0";
  const written = [
    "server.1=a:1:2:participant",
    "server.2=b:1:2:participant",
    "server.3=c:1:2:participant",
    "group.1=1:2",
    "group.2=3",
    "weight.1=1",
    "weight.2=0",
    "weight.3=1",
    "version=0",
  ].join("\n");
  assert.equal(membershipText(membershipParse(text)), written);
  assert.equal(membershipText(membershipParse(written)), written);
});

test("a request's texts may each be missing", () => {
  const request = { ...nothing, leaving: "2", fromConfig: 7n };
  assert.deepEqual(decode(ReconfigRequest, encode(ReconfigRequest, request)), request);
});

test("a reconfig is a txn on the configuration, whose Stat keeps version -1, for who may write there", () => {
  const harness = new TreeHarness(1n);
  const plan = (at: number): string => `version=${at.toString(16)}`;
  assert.equal(harness.run({ op: "reconfig", plan }), "NOAUTH");
  assert.equal(harness.run({ op: "reconfig", plan: () => -14 }), "RECONFIGINPROGRESS");
  const superuser = [{ scheme: "super", id: "" }];
  assert.equal(harness.run({ op: "reconfig", plan }, 1n, superuser), "OK");
  const { znodes } = harness.tree;
  const id = znodes.find("/zookeeper/config");
  const { zxid: at, txn } = harness.log.at(-1)!;
  assert.equal(txn.type, "reconfig");
  assert.equal(String(Buffer.from(znodes.data(id)!)), plan(at));
  assert.deepEqual(
    [znodes.version(id), znodes.mzxid(id), harness.tree.digests.mismatches],
    [-1, at, 0],
  );
  assert.equal(harness.tree.aclOf(id)[0]!.perms, perms.read);
});
