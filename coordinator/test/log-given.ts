import { encode } from "../src/wire/codec.ts";
import { opCodes } from "../src/wire/constants.ts";
import { type Txn, TxnEntry } from "../src/wire/txns.ts";

const world = [{ perms: 31, id: { scheme: "world", id: "anyone" } }];
const digestUsers = [
  { perms: 31, id: { scheme: "digest", id: "ann:kT0V1Y0xYT0=" } },
  { perms: 1, id: { scheme: "ip", id: "10.0.0.0/8" } },
];

function data(text: string): Buffer {
  return Buffer.from(text);
}

/** One txn of every kind that a log can hold, in an order in which they make sense, from the zxid 0x100000001 on. */
export const everyTxn: readonly Txn[] = [
  { type: "createSession", timeoutMs: 4000 },
  {
    type: "create",
    path: "/a",
    data: data("one"),
    acl: world,
    ephemeral: false,
    parentCversion: 1,
  },
  {
    type: "create2",
    path: "/b",
    data: null,
    acl: digestUsers,
    ephemeral: false,
    parentCversion: 2,
  },
  { type: "create", path: "/e", data: data(""), acl: world, ephemeral: true, parentCversion: 3 },
  { type: "createContainer", path: "/c", data: data("box"), acl: world, parentCversion: 4 },
  { type: "createTTL", path: "/t", data: data("t"), acl: world, parentCversion: 5, ttlMs: 77_777n },
  {
    type: "create",
    path: "/c/x",
    data: data("x"),
    acl: world,
    ephemeral: false,
    parentCversion: 1,
  },
  { type: "setData", path: "/a", data: data("two, and longer"), version: 1 },
  { type: "setACL", path: "/a", acl: digestUsers, version: 1 },
  { type: "error", error: -101 },
  { type: "delete", path: "/c/x" },
  { type: "deleteContainer", path: "/c" },
  {
    type: "multi",
    txns: [
      { type: "check", path: "/a", version: 1 },
      {
        type: "create",
        path: "/m",
        data: data("m"),
        acl: world,
        ephemeral: false,
        parentCversion: 6,
      },
      { type: "setData", path: "/b", data: data("b"), version: 1 },
      { type: "delete", path: "/t" },
    ],
  },
  {
    type: "multi",
    txns: [
      { type: "error", error: 0 },
      { type: "error", error: -110 },
    ],
  },
  { type: "reconfig", path: "/zookeeper/config", data: data("server.1=h:1:2"), version: 1 },
  { type: "closeSession", paths: ["/e"] },
  {
    type: "create",
    path: "/z",
    data: data("last"),
    acl: world,
    ephemeral: false,
    parentCversion: 7,
  },
];

/** Every other one with a digest, as servers of both kinds write them. */
export function everyEntry(index: number): Buffer {
  const txn = everyTxn[index]!;
  const header = {
    sessionId: 0x1234_5678_9abcn,
    cxid: index,
    zxid: 2 ** 32 + 1 + index,
    timeMs: 1_700_000_000_000 + index,
    type: opCodes[txn.type],
  };
  const digest = index % 2 === 0 ? undefined : { version: 2, high: 0x1234, low: index };
  return encode(TxnEntry, { header, txn, digest });
}
