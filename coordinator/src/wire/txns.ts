import { buffer, type Codec, int, long, type Of, record, string, vector } from "./codec.ts";
import { opCodes } from "./constants.ts";
import { WireError } from "./errors.ts";
import { JuteReader } from "./reader.ts";
import { type Acl, Acls } from "./records.ts";
import type { JuteWriter } from "./writer.ts";

/** Stands before every txn; `timeMs` is the leader's wall clock. */
export interface TxnHeader {
  readonly sessionId: bigint;
  readonly cxid: number;
  readonly zxid: number;
  readonly timeMs: number;
  readonly type: number;
}

/** Field by field, as all that every txn passes through: `record` costs several times as much. */
export const TxnHeader: Codec<TxnHeader> = {
  read: (from) => {
    const sessionId = from.long();
    const cxid = from.int();
    const zxid = from.longNumber();
    const timeMs = from.longNumber();
    const type = from.int();
    return { sessionId, cxid, zxid, timeMs, type };
  },
  write: (to, { sessionId, cxid, zxid, timeMs, type }) => {
    to.long(sessionId);
    to.int(cxid);
    to.longNumber(zxid);
    to.longNumber(timeMs);
    to.int(type);
  },
};

/** The tree's digest after the txn, in halves; follows it when the writer keeps digests and it is no error. */
export interface TxnDigest {
  readonly version: number;
  readonly high: number;
  readonly low: number;
}
export const TxnDigest: Codec<TxnDigest> = {
  read: (from) => {
    const version = from.int();
    const high = from.uint();
    return { version, high, low: from.uint() };
  },
  write: (to, { version, high, low }) => {
    to.int(version);
    to.uint(high);
    to.uint(low);
  },
};

interface CreateTxn {
  readonly path: string;
  readonly data: Uint8Array | null;
  readonly acl: readonly Acl[];
  readonly ephemeral: boolean;
  readonly parentCversion: number;
}
const CreateTtlTxn = record({
  path: string,
  data: buffer,
  acl: Acls,
  parentCversion: int,
  ttlMs: long,
});
const CreateContainerTxn = record({
  path: string,
  data: buffer,
  acl: Acls,
  parentCversion: int,
});
interface DeleteTxn {
  readonly path: string;
}
interface SetDataTxn {
  readonly path: string;
  readonly data: Uint8Array | null;
  readonly version: number;
}
const SetAclTxn = record({ path: string, acl: Acls, version: int });
const CheckVersionTxn = record({ path: string, version: int });
const CreateSessionTxn = record({ timeoutMs: int });
const CloseSessionTxn = record({ paths: vector(string) });
const ErrorTxn = record({ error: int });

/** A change of the tree, as the log and proposals carry it. Versions are those after the change. */
export type Txn =
  | ({ readonly type: "create" | "create2" } & CreateTxn)
  | ({ readonly type: "createTTL" } & Of<typeof CreateTtlTxn>)
  | ({ readonly type: "createContainer" } & Of<typeof CreateContainerTxn>)
  | ({ readonly type: "delete" | "deleteContainer" } & DeleteTxn)
  | ({ readonly type: "setData" | "reconfig" } & SetDataTxn)
  | ({ readonly type: "setACL" } & Of<typeof SetAclTxn>)
  | ({ readonly type: "check" } & Of<typeof CheckVersionTxn>)
  | ({ readonly type: "createSession" } & Of<typeof CreateSessionTxn>)
  /** `paths` are the ephemerals that go; undefined where an older server left them to the reader. */
  | { readonly type: "closeSession"; readonly paths: readonly string[] | undefined }
  | ({ readonly type: "error" } & Of<typeof ErrorTxn>)
  | { readonly type: "multi"; readonly txns: readonly Txn[] };

/** One entry: header, txn and, where digests are kept, the digest. */
export interface TxnEntry {
  readonly header: TxnHeader;
  readonly txn: Txn;
  readonly digest: TxnDigest | undefined;
}

/** Bytes of an entry, as they lie in a log record and in a proposal. `header.type` must be the txn's. */
export const TxnEntry: Codec<TxnEntry> = {
  read: (from) => {
    const header = TxnHeader.read(from);
    const txn = txnRead(from, header.type);
    // A digest is what is left; a reader of an older log finds nothing here.
    const digest = from.remaining > 0 ? TxnDigest.read(from) : undefined;
    return { header, txn, digest };
  },
  write: (to, { header, txn, digest }) => {
    TxnHeader.write(to, header);
    txnWrite(to, txn);
    if (digest !== undefined) TxnDigest.write(to, digest);
  },
};

/** The body of a txn whose type stands in the header before it. */
export function txnRead(from: JuteReader, type: number): Txn {
  switch (type) {
    case opCodes.create:
    case opCodes.create2:
      return createRead(from, type);
    case opCodes.closeSession:
      // Servers before 3.6 wrote neither paths nor digests.
      return {
        type: "closeSession",
        paths: from.remaining === 0 ? undefined : CloseSessionTxn.read(from).paths,
      };
    case opCodes.multi:
      return { type: "multi", txns: MultiTxns.read(from) };
    case opCodes.createSession:
      return { type: "createSession", ...CreateSessionTxn.read(from) };
    case opCodes.check:
      return { type: "check", ...CheckVersionTxn.read(from) };
    case opCodes.error:
      return { type: "error", ...ErrorTxn.read(from) };
    default:
      return changeRead(from, type);
  }
}

function changeRead(from: JuteReader, type: number): Txn {
  switch (type) {
    case opCodes.createTTL:
      return { type: "createTTL", ...CreateTtlTxn.read(from) };
    case opCodes.createContainer:
      return { type: "createContainer", ...CreateContainerTxn.read(from) };
    case opCodes.delete:
      return { type: "delete", path: from.string() };
    case opCodes.deleteContainer:
      return { type: "deleteContainer", path: from.string() };
    case opCodes.setData:
      return setDataRead(from, "setData");
    case opCodes.reconfig:
      return setDataRead(from, "reconfig");
    case opCodes.setACL:
      return { type: "setACL", ...SetAclTxn.read(from) };
  }
  throw new WireError("type", `a txn of type ${type}`, from.position);
}

function createRead(from: JuteReader, type: number): Txn {
  const name = type === opCodes.create ? "create" : "create2";
  const path = from.string();
  const data = from.buffer();
  const acl = Acls.read(from);
  const ephemeral = from.boolean();
  // Without its last field it is of a server so old that the parent's cversion was not kept.
  const parentCversion = from.remaining >= 4 ? from.int() : -1;
  return { type: name, path, data, acl, ephemeral, parentCversion };
}

function setDataRead(from: JuteReader, type: "setData" | "reconfig"): Txn {
  const path = from.string();
  const data = from.buffer();
  return { type, path, data, version: from.int() };
}

/** A part of a multi: its type, and its body with its length before it. */
const Part: Codec<Txn> = {
  read: (from) => {
    const type = from.int();
    if (type === opCodes.multi) throw new WireError("type", "a multi in a multi", from.position);
    const reader = new JuteReader(from.buffer() ?? new Uint8Array(0));
    const txn = txnRead(reader, type);
    reader.end();
    return txn;
  },
  write: (to, txn) => {
    to.int(opCodes[txn.type]);
    const start = to.frameStart();
    txnWrite(to, txn);
    to.frameEnd(start);
  },
};
const MultiTxns = vector(Part);

/** Writes the body, without its type. */
export function txnWrite(to: JuteWriter, txn: Txn): void {
  switch (txn.type) {
    case "create":
    case "create2":
      to.string(txn.path);
      to.buffer(txn.data);
      Acls.write(to, txn.acl);
      to.boolean(txn.ephemeral);
      to.int(txn.parentCversion);
      break;
    case "createTTL":
      CreateTtlTxn.write(to, txn);
      break;
    case "createContainer":
      CreateContainerTxn.write(to, txn);
      break;
    case "delete":
    case "deleteContainer":
      to.string(txn.path);
      break;
    case "setData":
    case "reconfig":
      to.string(txn.path);
      to.buffer(txn.data);
      to.int(txn.version);
      break;
    case "setACL":
      SetAclTxn.write(to, txn);
      break;
    case "check":
      CheckVersionTxn.write(to, txn);
      break;
    case "createSession":
      CreateSessionTxn.write(to, txn);
      break;
    case "closeSession":
      if (txn.paths !== undefined) CloseSessionTxn.write(to, { paths: txn.paths });
      break;
    case "error":
      ErrorTxn.write(to, txn);
      break;
    case "multi":
      MultiTxns.write(to, txn.txns);
      break;
  }
}
