import { isUtf8 } from "node:buffer";

import { WireError } from "../wire/errors.ts";
import {
  FileHeader,
  fileHeaderCheck,
  SnapshotAcl,
  SnapshotDigest,
  SnapshotSeal,
  SnapshotSession,
  SnapshotZxidLast,
  snapshotMagic,
  snapshotPathEnd,
} from "../wire/files.ts";
import { aclOpen } from "./acl-pool.ts";
import { type ByteSource, ImageBytes } from "./image-bytes.ts";
import { znodesMax } from "./limits.ts";
import { statField } from "./stat-slab.ts";
import { Tree, type TreeOptions } from "./tree.ts";
import { none, type PersistedZnode, persistedBytes } from "./znode-state.ts";

/**
 * The tree that a snapshot's bytes hold. Throws a `WireError` for anything that is not whole: of bytes that are not what was
 * written it says so, whatever else they led to.
 */
export function treeRestore<W extends object>(
  source: Buffer | ByteSource,
  zxid: number,
  options: TreeOptions = {},
): Tree<W> {
  const from = new ImageBytes(source);
  fileHeaderCheck(from.read(FileHeader), snapshotMagic);
  // What is held whole is known to be what was written before anything is taken from it.
  if (Buffer.isBuffer(source)) sealCheck(new ImageBytes(source));
  const tree = new Tree<W>(options);
  try {
    bodyRead(tree, from);
    trailerRead(tree, zxid, from);
  } catch (thrown) {
    if (thrown instanceof WireError) sealCheck(from);
    throw thrown;
  }
  tree.acls.restored();
  tree.zxidLast = zxid;
  const { digest } = tree.znodes;
  if (digest !== undefined) tree.digests.applied(zxid, digest, undefined);
  tree.quotas.rebuild();
  return tree;
}

function bodyRead<W extends object>(tree: Tree<W>, from: ImageBytes): void {
  for (let left = countRead(from); left > 0; left--) {
    const { sessionId, timeoutMs } = from.read(SnapshotSession);
    tree.sessions.add(sessionId, timeoutMs);
  }
  for (let left = countRead(from); left > 0; left--) {
    const { number, acl } = from.read(SnapshotAcl);
    tree.acls.restore(Number(number), acl);
  }
  const znodes = new ZnodeReader(tree, from);
  let count = 0;
  while (znodes.next()) {
    count++;
    // By then the rest can be guessed from the file's size.
    if (count === sampleZnodes) {
      const { position, remaining } = from;
      tree.znodes.expect(Math.min(znodesMax, Math.round(count * (1 + remaining / position))));
    }
  }
  if (count === 0) throw new WireError("type", "a snapshot does not begin with the root", 0);
}

/** -1 counts as 0, as in every vector of ZooKeeper's. */
function countRead(from: ImageBytes): number {
  from.reach(4);
  const count = from.view.getInt32(from.at);
  if (count < -1) throw new WireError("length", `a vector of ${count}`, from.position);
  from.at += 4;
  return count;
}

/** Takes znode after znode into the tree, from bytes into columns: a snapshot may hold millions. */
class ZnodeReader<W extends object> implements PersistedZnode {
  readonly #tree: Tree<W>;
  readonly #from: ImageBytes;
  /** The parent of the znode before, and its path: siblings mostly stand together. */
  #parent = none;
  #parentPath = Buffer.alloc(0);
  // Of the znode that is being read; the image's window may move from one to the next.
  name: Buffer;
  data: Buffer;
  view: DataView;
  nameFrom = 0;
  nameEnd = 0;
  dataFrom = 0;
  dataEnd = 0;
  statAt = 0;
  acl = 0;

  constructor(tree: Tree<W>, from: ImageBytes) {
    this.#tree = tree;
    this.#from = from;
    this.name = from.bytes;
    this.data = from.bytes;
    this.view = from.view;
  }

  /** Reads one; false at the path that ends them. */
  next(): boolean {
    const from = this.#from;
    from.reach(4);
    const length = lengthRead(from, from.at);
    from.reach(4 + length);
    if (length === 1 && from.bytes[from.at + 4] === slash) {
      from.at += 5;
      return false;
    }
    from.reach(4 + length + 4);
    const dataLength = lengthRead(from, from.at + 4 + length, -1);
    const size = 4 + length + 4 + Math.max(0, dataLength) + aclBytes + persistedBytes;
    from.reach(size);
    this.name = from.bytes;
    this.data = from.bytes;
    this.view = from.view;
    this.nameEnd = from.at + 4 + length;
    this.dataFrom = dataLength === -1 ? -1 : this.nameEnd + 4;
    this.dataEnd = this.nameEnd + 4 + Math.max(0, dataLength);
    this.statAt = this.dataEnd + aclBytes;
    this.acl = this.#number(this.dataEnd);
    this.#statCheck();
    this.#place(from.at + 4);
    from.at += size;
    return true;
  }

  /** `start` is where the path begins. */
  #place(start: number): void {
    const { znodes, acls, sessions } = this.#tree;
    const parent = this.#parentFind(start);
    const isRoot = start === this.nameEnd;
    if (isRoot ? znodes.size > 0 : parent === none) throw this.#misplaced(start);
    if (znodes.size === znodesMax) {
      throw new WireError("range", "a snapshot of too many znodes", this.#from.position);
    }
    if (this.acl !== aclOpen && !acls.has(this.acl)) acls.restoreUnlisted(this.acl);
    const id = znodes.insertPersisted(parent, this);
    if (id === none) throw this.#misplaced(start);
    acls.retain(this.acl);
    const session = znodes.session(id);
    const path = session === undefined ? "" : znodes.path(id);
    if (session !== undefined) sessions.ephemeralAdd(session, path);
  }

  /** Sets where the name begins as well. `none` for the root, and for what has no parent here or is no path. */
  #parentFind(start: number): number {
    const bytes = this.name;
    const end = this.nameEnd;
    let cut = end - 1;
    let bits = 0;
    for (; cut >= start && bytes[cut] !== slash; cut--) bits |= bytes[cut]!;
    this.nameFrom = cut + 1;
    if (start === end || bytes[start] !== slash || cut === end - 1) return none;
    if (bits > 0x7f && !isUtf8(bytes.subarray(this.nameFrom, end))) {
      throw new WireError("text", "a string is not UTF-8", this.#from.position + 4);
    }
    if (this.#parent === none || !isSame(this.#parentPath, bytes, start, cut)) {
      this.#parent = this.#tree.znodes.findBytes(bytes, start, cut);
      this.#parentPath = Buffer.from(bytes.subarray(start, cut));
    }
    return this.#parent;
  }

  #misplaced(start: number): WireError {
    const path = this.name.toString("utf8", start, this.nameEnd);
    const message = `a snapshot holds ${path} out of place`;
    return new WireError("type", message, this.#from.position);
  }

  /** Zxids and times are numbers without loss. */
  #statCheck(): void {
    const { statAt } = this;
    this.#number(statAt + statField.czxid);
    this.#number(statAt + statField.mzxid);
    this.#number(statAt + statField.ctime);
    this.#number(statAt + statField.mtime);
    this.#number(statAt + persistedBytes - 8);
  }

  #number(at: number): number {
    const high = this.view.getInt32(at);
    if (high < -safeHigh || high >= safeHigh) {
      const { position } = this.#from;
      throw new WireError("range", "a long is beyond what a zxid or a time can be", position);
    }
    return high * 2 ** 32 + this.view.getUint32(at + 4);
  }
}

function isSame(path: Uint8Array, bytes: Uint8Array, from: number, end: number): boolean {
  if (path.length !== end - from) return false;
  for (let i = 0; i < path.length; i++) if (path[i] !== bytes[from + i]) return false;
  return true;
}

function lengthRead(from: ImageBytes, at: number, least = 0): number {
  const length = from.view.getInt32(at);
  if (length < least) {
    throw new WireError("length", `a length is ${length}`, from.position + at - from.at);
  }
  return length;
}

/** Passes over a seal. That its checksum is right matters of the last one only: it is over all the others. */
function sealRead(from: ImageBytes): void {
  const at = from.position;
  const sum = BigInt(from.checksum());
  const { checksum, path } = from.read(SnapshotSeal);
  if (path !== snapshotPathEnd) throw new WireError("type", "a snapshot is sealed wrongly", at);
  if (from.remaining === 0 && checksum !== sum) throw unlike(at);
}

function unlike(at: number): WireError {
  return new WireError("checksum", "a snapshot does not match its checksum", at);
}

/** A digest (since 3.6, where it is enabled) and the last zxid (since 3.9), each sealed again. */
function trailerRead<W extends object>(tree: Tree<W>, zxid: number, from: ImageBytes): void {
  sealRead(from);
  if (from.remaining === 0) return;
  // A server without digests writes the zxid alone.
  if (from.remaining >= digestBytes + sealBytes) {
    const digest = from.read(SnapshotDigest);
    const expected = { ...digest, zxid: Number(digest.zxid) };
    if (expected.zxid >= zxid && zxid > 0) tree.digests.expect(expected);
    sealRead(from);
    if (from.remaining === 0) return;
  }
  from.read(SnapshotZxidLast);
  sealRead(from);
  if (from.remaining > 0) {
    throw new WireError("trailing", `${from.remaining} bytes follow the snapshot`, from.position);
  }
}

/** Throws when the rest does not end with a seal, or that does not match: why nothing else in the file is to be believed. */
function sealCheck(from: ImageBytes): void {
  if (from.remaining < sealBytes) throw cutOff(from);
  from.skip(from.remaining - sealBytes);
  const at = from.position;
  const sum = BigInt(from.checksum());
  from.reach(sealBytes);
  // A server that was killed while it wrote leaves another end.
  if (!from.bytes.subarray(from.at + 8, from.at + sealBytes).equals(sealEnd)) throw cutOff(from);
  if (from.view.getBigInt64(from.at) !== sum) throw unlike(at);
}

function cutOff(from: ImageBytes): WireError {
  return new WireError("truncated", "a snapshot is cut off", from.position + from.remaining);
}

/** A checksum, and the path "/". */
const sealBytes = 8 + 4 + 1;

/** The path "/" as it is written. */
const sealEnd = Buffer.from([0, 0, 0, 1, 0x2f]);

/** Znodes after which their mean size is known well enough. */
const sampleZnodes = 10_000;

const digestBytes = 20;
const aclBytes = 8;
const slash = 0x2f;

/** Above this the high half of a long makes a number that is not exact. */
const safeHigh = 2 ** 21;
