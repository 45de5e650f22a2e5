import { adler32 } from "../wire/adler32.ts";
import { WireError } from "../wire/errors.ts";
import {
  fileHeaderRead,
  SnapshotAcls,
  SnapshotDigest,
  SnapshotNode,
  SnapshotSeal,
  SnapshotSessions,
  SnapshotZxidLast,
  snapshotMagic,
  snapshotPathEnd,
} from "../wire/files.ts";
import { JuteReader } from "../wire/reader.ts";
import { aclOpen } from "./acl-pool.ts";
import { nameOf, parentOf } from "./paths.ts";
import { Tree, type TreeOptions } from "./tree.ts";
import { none } from "./znodes.ts";

/** The tree that a snapshot's bytes hold. Throws a `WireError` for anything that is not whole. */
export function treeRestore<W extends object>(
  bytes: Buffer,
  zxid: number,
  options: TreeOptions = {},
): Tree<W> {
  const from = new JuteReader(bytes);
  fileHeaderRead(from, snapshotMagic);
  const tree = new Tree<W>(options);
  for (const { sessionId, timeoutMs } of SnapshotSessions.read(from)) {
    tree.sessions.add(sessionId, timeoutMs);
  }
  for (const { number, acl } of SnapshotAcls.read(from)) tree.acls.restore(Number(number), acl);
  let path = from.string();
  if (path !== "") throw new WireError("type", "a snapshot does not begin with the root", 0);
  for (; path !== snapshotPathEnd; path = from.string()) znodeRestore(tree, path, from);
  sealCheck(from, bytes);
  trailerRead(tree, zxid, from, bytes);
  tree.acls.restored();
  tree.zxidLast = zxid;
  const { digest } = tree.znodes;
  if (digest !== undefined) tree.digests.applied(zxid, digest, undefined);
  tree.quotas.rebuild();
  return tree;
}

function znodeRestore<W extends object>(tree: Tree<W>, path: string, from: JuteReader): void {
  const at = from.position;
  const { data, acl, stat } = SnapshotNode.read(from);
  const { znodes, acls, sessions } = tree;
  const isRoot = path === "";
  const parent = isRoot ? none : znodes.find(parentOf(path));
  if (!isRoot && (parent === none || nameOf(path) === "" || znodes.find(path) !== none)) {
    throw new WireError("type", `a snapshot holds ${path} out of place`, at);
  }
  const aclNumber = Number(acl);
  if (aclNumber !== aclOpen && !acls.has(aclNumber)) {
    throw new WireError("type", `a snapshot lacks the ACL ${acl}`, at);
  }
  const id = znodes.insert(isRoot ? "/" : path, parent, {
    ...stat,
    data,
    acl: aclNumber,
    czxid: Number(stat.czxid),
    mzxid: Number(stat.mzxid),
    pzxid: Number(stat.pzxid),
    ctime: Number(stat.ctime),
    mtime: Number(stat.mtime),
  });
  acls.retain(aclNumber);
  const session = znodes.session(id);
  if (session !== undefined) sessions.ephemeralAdd(session, path);
}

function sealCheck(from: JuteReader, bytes: Buffer): void {
  const at = from.position;
  const { checksum, path } = SnapshotSeal.read(from);
  if (path !== snapshotPathEnd || checksum !== BigInt(adler32(bytes, 0, at))) {
    throw new WireError("checksum", "a snapshot does not match its checksum", at);
  }
}

/** A digest (since 3.6, where it is enabled) and the last zxid (since 3.9), each sealed again. */
function trailerRead<W extends object>(
  tree: Tree<W>,
  zxid: number,
  from: JuteReader,
  bytes: Buffer,
): void {
  if (from.remaining === 0) return;
  // A server without digests writes the zxid alone.
  if (from.remaining >= digestTrailerBytes) {
    const digest = SnapshotDigest.read(from);
    const expected = { ...digest, zxid: Number(digest.zxid) };
    if (expected.zxid >= zxid && zxid > 0) tree.digests.expect(expected);
    sealCheck(from, bytes);
    if (from.remaining === 0) return;
  }
  SnapshotZxidLast.read(from);
  sealCheck(from, bytes);
  from.end();
}

/** The shortest rest of a snapshot that begins with a digest: the digest (20 bytes) and its seal (13). */
const digestTrailerBytes = 33;
