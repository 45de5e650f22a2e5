import fc, { type Arbitrary } from "fast-check";

import type { Codec } from "../src/wire/codec.ts";
import { opCodes } from "../src/wire/constants.ts";
import { type MultiOp, MultiRequest, MultiResponse, type MultiResult } from "../src/wire/multi.ts";
import * as records from "../src/wire/records.ts";
import { type Txn, TxnEntry } from "../src/wire/txns.ts";

/** A codec with values of its type. */
export interface Given<T> {
  readonly codec: Codec<T>;
  readonly values: Arbitrary<T>;
}

const int = fc.integer({ min: -0x80000000, max: 0x7fffffff });
const uint = fc.integer({ min: 0, max: 0xffffffff });
const long = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const text = fc.string({ unit: "grapheme", maxLength: 12 });
const data = fc.option(fc.uint8Array({ maxLength: 20 }), { nil: null });
const texts = fc.array(text, { maxLength: 4 });
const path = text;
const acl = fc.array(fc.record({ perms: int, id: fc.record({ scheme: text, id: text }) }), {
  maxLength: 3,
});

export const stat: Arbitrary<records.Stat> = fc.record({
  czxid: long,
  mzxid: long,
  ctime: long,
  mtime: long,
  version: int,
  cversion: int,
  aversion: int,
  ephemeralOwner: long,
  dataLength: int,
  numChildren: int,
  pzxid: long,
});

const connect = {
  protocolVersion: int,
  timeoutMs: int,
  sessionId: long,
  password: data,
  readOnly: fc.option(fc.boolean(), { nil: undefined }),
};
const create = { path, data, acl, flags: int };
const watches = { relativeZxid: long, data: texts, exists: texts, children: texts };

function one<K extends string, T>(
  kind: K,
  fields: { [P in keyof T]: Arbitrary<T[P]> },
): Arbitrary<{ op: K } & T> {
  return fc.record({ op: fc.constant(kind), ...fields }) as unknown as Arbitrary<{ op: K } & T>;
}

const multiOp: Arbitrary<MultiOp> = fc.oneof(
  one("create", create),
  one("create2", create),
  one("createContainer", create),
  one("createTTL", { ...create, ttlMs: long }),
  one("delete", { path, version: int }),
  one("check", { path, version: int }),
  one("setData", { path, data, version: int }),
  one("getData", { path, watch: fc.boolean() }),
  one("getChildren", { path, watch: fc.boolean() }),
);

const multiResult: Arbitrary<MultiResult> = fc.oneof(
  one("create", { path }),
  one("create2", { path, stat }),
  one("createContainer", { path, stat }),
  one("createTTL", { path, stat }),
  one("delete", {}),
  one("check", {}),
  one("setData", { stat }),
  one("getData", { data, stat }),
  one("getChildren", { children: texts }),
  one("error", { error: int }),
);

function txn<K extends Txn["type"], T>(
  type: K,
  fields: { [P in keyof T]: Arbitrary<T[P]> },
): Arbitrary<{ type: K } & T> {
  return fc.record({ type: fc.constant(type), ...fields }) as unknown as Arbitrary<{ type: K } & T>;
}

const created = { path, data, acl, parentCversion: int };
const simpleTxn: Arbitrary<Txn> = fc.oneof(
  txn("create", { ...created, ephemeral: fc.boolean() }),
  txn("create2", { ...created, ephemeral: fc.boolean() }),
  txn("createTTL", { ...created, ttlMs: long }),
  txn("createContainer", created),
  txn("delete", { path }),
  txn("deleteContainer", { path }),
  txn("setData", { path, data, version: int }),
  txn("reconfig", { path, data, version: int }),
  txn("setACL", { path, acl, version: int }),
  txn("check", { path, version: int }),
  txn("createSession", { timeoutMs: int }),
  txn("closeSession", { paths: texts }),
  txn("error", { error: int }),
);
const anyTxn: Arbitrary<Txn> = fc.oneof(
  simpleTxn,
  txn("multi", { txns: fc.array(simpleTxn, { maxLength: 4 }) }),
);

const entry: Arbitrary<TxnEntry> = fc
  .record({
    txn: anyTxn,
    sessionId: long,
    cxid: int,
    zxid: fc.maxSafeNat(),
    timeMs: fc.maxSafeNat(),
    digest: fc.option(fc.record({ version: int, high: uint, low: uint }), { nil: undefined }),
  })
  .map(({ txn: body, digest, ...header }) => ({
    header: { ...header, type: opCodes[body.type] },
    txn: body,
    digest,
  }));

function given<T>(codec: Codec<T>, values: Arbitrary<T>): Given<unknown> {
  return { codec, values } as Given<unknown>;
}

/** Every record of the client protocol, and the txn entry. */
export const protocol: Readonly<Record<string, Given<unknown>>> = {
  ConnectRequest: given(records.ConnectRequest, fc.record({ ...connect, lastZxidSeen: long })),
  ConnectResponse: given(records.ConnectResponse, fc.record(connect)),
  RequestHeader: given(records.RequestHeader, fc.record({ xid: int, type: int })),
  ReplyHeader: given(records.ReplyHeader, fc.record({ xid: int, zxid: long, error: int })),
  WatcherEvent: given(records.WatcherEvent, fc.record({ type: int, state: int, path })),
  Stat: given(records.Stat, stat),
  PathRequest: given(records.PathRequest, fc.record({ path })),
  WatchedRequest: given(records.WatchedRequest, fc.record({ path, watch: fc.boolean() })),
  CreateRequest: given(records.CreateRequest, fc.record(create)),
  CreateTtlRequest: given(records.CreateTtlRequest, fc.record({ ...create, ttlMs: long })),
  VersionRequest: given(records.VersionRequest, fc.record({ path, version: int })),
  SetDataRequest: given(records.SetDataRequest, fc.record({ path, data, version: int })),
  SetAclRequest: given(records.SetAclRequest, fc.record({ path, acl, version: int })),
  AuthRequest: given(records.AuthRequest, fc.record({ type: int, scheme: text, auth: data })),
  SetWatchesRequest: given(records.SetWatchesRequest, fc.record(watches)),
  SetWatches2Request: given(
    records.SetWatches2Request,
    fc.record({ ...watches, persistent: texts, persistentRecursive: texts }),
  ),
  AddWatchRequest: given(records.AddWatchRequest, fc.record({ path, mode: int })),
  WatcherRequest: given(records.WatcherRequest, fc.record({ path, type: int })),
  Create2Response: given(records.Create2Response, fc.record({ path, stat })),
  DataResponse: given(records.DataResponse, fc.record({ data, stat })),
  AclResponse: given(records.AclResponse, fc.record({ acl, stat })),
  Children2Response: given(records.Children2Response, fc.record({ children: texts, stat })),
  EphemeralsResponse: given(records.EphemeralsResponse, fc.record({ paths: texts })),
  CountResponse: given(records.CountResponse, fc.record({ count: int })),
  WhoAmIResponse: given(
    records.WhoAmIResponse,
    fc.record({ ids: fc.array(fc.record({ scheme: text, user: text }), { maxLength: 3 }) }),
  ),
  MultiRequest: given(MultiRequest, fc.array(multiOp, { maxLength: 6 })),
  MultiResponse: given(MultiResponse, fc.array(multiResult, { maxLength: 6 })),
  TxnEntry: given(TxnEntry, entry),
};
