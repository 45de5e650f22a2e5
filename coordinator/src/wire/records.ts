import {
  buffer,
  type Codec,
  encode,
  int,
  long,
  type Of,
  record,
  string,
  stringOrNull,
  vector,
} from "./codec.ts";
import { perms } from "./constants.ts";

/** Some clients write an empty string as a missing one; ZooKeeper takes it for the same here. */
const stringOrMissing: Codec<string> = {
  read: (from) => from.stringOrNull() ?? "",
  write: (to, value) => to.string(value),
};

/** Who an ACL entry speaks of: `world`/`anyone`, `digest`/`user:base64`, … */
export interface Id {
  readonly scheme: string;
  readonly id: string;
}
/** Field by field, as all that requests pass through: `record` costs several times as much. */
export const Id: Codec<Id> = {
  read: (from) => {
    const scheme = stringOrMissing.read(from);
    return { scheme, id: stringOrMissing.read(from) };
  },
  write: (to, { scheme, id }) => {
    to.string(scheme);
    to.string(id);
  },
};

export const Acl = record({ perms: int, id: Id });
export type Acl = Of<typeof Acl>;

/** World:anyone with all rights: what nearly every create says, and so one list for all of them. */
export const aclOpenList: readonly Acl[] = [
  { perms: perms.all, id: { scheme: "world", id: "anyone" } },
];

const aclVector = vector(Acl);
const aclOpenBytes = encode(aclVector, aclOpenList);

/** A list of ACL entries; the open one is `aclOpenList` itself. */
export const Acls: Codec<readonly Acl[]> = {
  read: (from) => (from.takes(aclOpenBytes) ? aclOpenList : aclVector.read(from)),
  write: (to, value) => {
    if (value === aclOpenList) to.raw(aclOpenBytes);
    else aclVector.write(to, value);
  },
};

/** A znode's metadata; times are milliseconds since the epoch. */
export const Stat = record({
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
export type Stat = Of<typeof Stat>;

/** Bytes of a Stat on the wire. */
export const statBytes = 68;

const connectRequest = record({
  protocolVersion: int,
  lastZxidSeen: long,
  timeoutMs: int,
  sessionId: long,
  password: buffer,
});

const connectResponse = record({
  protocolVersion: int,
  timeoutMs: int,
  sessionId: long,
  password: buffer,
});

/** The first frame of a client. `readOnly` is undefined when an old client left the byte out. */
export const ConnectRequest = withReadOnly(connectRequest);
export type ConnectRequest = Of<typeof ConnectRequest>;

/** The answer; timeout 0 and session 0 say that the session is not known. */
export const ConnectResponse = withReadOnly(connectResponse);
export type ConnectResponse = Of<typeof ConnectResponse>;

export const RequestHeader = record({ xid: int, type: int });
export type RequestHeader = Of<typeof RequestHeader>;

/** With an `error` other than 0 no body follows. */
export const ReplyHeader = record({ xid: int, zxid: long, error: int });
export type ReplyHeader = Of<typeof ReplyHeader>;

/** The body of a frame with xid -1. */
export const WatcherEvent = record({ type: int, state: int, path: string });
export type WatcherEvent = Of<typeof WatcherEvent>;

export const PathRequest = record({ path: string });
export type PathRequest = Of<typeof PathRequest>;

/** exists, getData, getChildren, getChildren2. */
export interface WatchedRequest {
  readonly path: string;
  readonly watch: boolean;
}
export const WatchedRequest: Codec<WatchedRequest> = {
  read: (from) => {
    const path = from.string();
    return { path, watch: from.boolean() };
  },
  write: (to, { path, watch }) => {
    to.string(path);
    to.boolean(watch);
  },
};

/** create, create2, createContainer. */
export interface CreateRequest {
  readonly path: string;
  readonly data: Uint8Array | null;
  readonly acl: readonly Acl[];
  readonly flags: number;
}
export const CreateRequest: Codec<CreateRequest> = {
  read: (from) => {
    const path = from.string();
    const data = from.buffer();
    const acl = Acls.read(from);
    return { path, data, acl, flags: from.int() };
  },
  write: (to, { path, data, acl, flags }) => {
    to.string(path);
    to.buffer(data);
    Acls.write(to, acl);
    to.int(flags);
  },
};

export const CreateTtlRequest = record({
  path: string,
  data: buffer,
  acl: Acls,
  flags: int,
  ttlMs: long,
});
export type CreateTtlRequest = Of<typeof CreateTtlRequest>;

/** delete, check; deleteContainer asks with a path alone. */
export interface VersionRequest {
  readonly path: string;
  readonly version: number;
}
export const VersionRequest: Codec<VersionRequest> = {
  read: (from) => {
    const path = from.string();
    return { path, version: from.int() };
  },
  write: (to, { path, version }) => {
    to.string(path);
    to.int(version);
  },
};

export interface SetDataRequest {
  readonly path: string;
  readonly data: Uint8Array | null;
  readonly version: number;
}
export const SetDataRequest: Codec<SetDataRequest> = {
  read: (from) => {
    const path = from.string();
    const data = from.buffer();
    return { path, data, version: from.int() };
  },
  write: (to, { path, data, version }) => {
    to.string(path);
    to.buffer(data);
    to.int(version);
  },
};

export const SetAclRequest = record({ path: string, acl: Acls, version: int });
export type SetAclRequest = Of<typeof SetAclRequest>;

export const AuthRequest = record({ type: int, scheme: string, auth: buffer });
export type AuthRequest = Of<typeof AuthRequest>;

export const SaslToken = record({ token: buffer });
export type SaslToken = Of<typeof SaslToken>;

/**
 * Who joins and who leaves, each with commas between; or all who shall be members, with commas or line ends. What is
 * not said is null. `fromConfig` is the version to change, -1 for any. It is answered with a `DataResponse`.
 */
export const ReconfigRequest = record({
  joining: stringOrNull,
  leaving: stringOrNull,
  members: stringOrNull,
  fromConfig: long,
});
export type ReconfigRequest = Of<typeof ReconfigRequest>;

export const SetWatchesRequest = record({
  relativeZxid: long,
  data: vector(string),
  exists: vector(string),
  children: vector(string),
});
export type SetWatchesRequest = Of<typeof SetWatchesRequest>;

export const SetWatches2Request = record({
  relativeZxid: long,
  data: vector(string),
  exists: vector(string),
  children: vector(string),
  persistent: vector(string),
  persistentRecursive: vector(string),
});
export type SetWatches2Request = Of<typeof SetWatches2Request>;

export const AddWatchRequest = record({ path: string, mode: int });
export type AddWatchRequest = Of<typeof AddWatchRequest>;

/** checkWatches, removeWatches. */
export const WatcherRequest = record({ path: string, type: int });
export type WatcherRequest = Of<typeof WatcherRequest>;

/** create, sync. */
export const PathResponse = record({ path: string });
export type PathResponse = Of<typeof PathResponse>;

/** create2, createContainer, createTTL. */
export const Create2Response = record({ path: string, stat: Stat });
export type Create2Response = Of<typeof Create2Response>;

/** exists, setData, setACL. */
export const StatResponse = record({ stat: Stat });
export type StatResponse = Of<typeof StatResponse>;

/** getData, reconfig. */
export const DataResponse = record({ data: buffer, stat: Stat });
export type DataResponse = Of<typeof DataResponse>;

export const AclResponse = record({ acl: Acls, stat: Stat });
export type AclResponse = Of<typeof AclResponse>;

export const ChildrenResponse = record({ children: vector(string) });
export type ChildrenResponse = Of<typeof ChildrenResponse>;

export const Children2Response = record({ children: vector(string), stat: Stat });
export type Children2Response = Of<typeof Children2Response>;

/** addWatch answers it with 0; a failed part of a multi with its error. */
export const ErrorResponse = record({ error: int });
export type ErrorResponse = Of<typeof ErrorResponse>;

export const EphemeralsResponse = record({ paths: vector(string) });
export type EphemeralsResponse = Of<typeof EphemeralsResponse>;

export const CountResponse = record({ count: int });
export type CountResponse = Of<typeof CountResponse>;

export const WhoAmIResponse = record({ ids: vector(record({ scheme: string, user: string })) });
export type WhoAmIResponse = Of<typeof WhoAmIResponse>;

function withReadOnly<T extends object>(
  base: Codec<T>,
): Codec<T & { readonly readOnly: boolean | undefined }> {
  return {
    read: (from) => {
      const value = base.read(from);
      return { ...value, readOnly: from.remaining > 0 ? from.boolean() : undefined };
    },
    write: (to, value) => {
      base.write(to, value);
      if (value.readOnly !== undefined) to.boolean(value.readOnly);
    },
  };
}
