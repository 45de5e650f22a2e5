import { adler32 } from "../wire/adler32.ts";
import { WireError } from "../wire/errors.ts";
import {
  fileHeaderBytes,
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
import { znodesMax } from "./limits.ts";
import { nameOf } from "./paths.ts";
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
  sealCheck(bytes);
  const tree = new Tree<W>(options);
  for (const { sessionId, timeoutMs } of SnapshotSessions.read(from)) {
    tree.sessions.add(sessionId, timeoutMs);
  }
  for (const { number, acl } of SnapshotAcls.read(from)) tree.acls.restore(Number(number), acl);
  let path = from.string();
  if (path !== "") throw new WireError("type", "a snapshot does not begin with the root", 0);
  for (; path !== snapshotPathEnd; path = from.string()) znodeRestore(tree, path, from);
  sealRead(from);
  trailerRead(tree, zxid, from);
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
  const parent = isRoot ? none : znodes.findParent(path);
  const isPlaced = path.startsWith("/") && parent !== none && nameOf(path) !== "";
  if (isRoot ? znodes.size > 0 : !isPlaced || znodes.find(path) !== none) {
    throw new WireError("type", `a snapshot holds ${path} out of place`, at);
  }
  if (znodes.size === znodesMax) throw new WireError("range", "a snapshot of too many znodes", at);
  if (acl !== aclOpen && !acls.has(acl)) acls.restoreUnlisted(acl);
  const id = znodes.insert(isRoot ? "/" : path, parent, { ...stat, data, acl });
  acls.retain(acl);
  const session = znodes.session(id);
  if (session !== undefined) sessions.ephemeralAdd(session, path);
}

/**
 * Whatever a snapshot ends with is sealed last, over all before it; so nothing is taken from a file before it is known to
 * be what was written.
 */
function sealCheck(bytes: Buffer): void {
  const at = bytes.length - sealBytes;
  // A server that was killed while it wrote leaves one.
  if (at < fileHeaderBytes || !bytes.subarray(-sealEnd.length).equals(sealEnd)) {
    throw new WireError("truncated", "a snapshot is cut off", bytes.length);
  }
  const { checksum } = SnapshotSeal.read(new JuteReader(bytes, at));
  if (checksum !== BigInt(adler32(bytes, 0, at))) {
    throw new WireError("checksum", "a snapshot does not match its checksum", at);
  }
}

/** The checksum of an earlier seal is under the last one's. */
function sealRead(from: JuteReader): void {
  const at = from.position;
  const { path } = SnapshotSeal.read(from);
  if (path !== snapshotPathEnd) throw new WireError("type", "a snapshot is sealed wrongly", at);
}

/** A digest (since 3.6, where it is enabled) and the last zxid (since 3.9), each sealed again. */
function trailerRead<W extends object>(tree: Tree<W>, zxid: number, from: JuteReader): void {
  if (from.remaining === 0) return;
  // A server without digests writes the zxid alone.
  if (from.remaining >= digestBytes + sealBytes) {
    const digest = SnapshotDigest.read(from);
    const expected = { ...digest, zxid: Number(digest.zxid) };
    if (expected.zxid >= zxid && zxid > 0) tree.digests.expect(expected);
    sealRead(from);
    if (from.remaining === 0) return;
  }
  SnapshotZxidLast.read(from);
  sealRead(from);
  from.end();
}

/** A checksum, and the path "/". */
const sealBytes = 8 + 4 + 1;

/** The path "/" as it is written. */
const sealEnd = Buffer.from([0, 0, 0, 1, 0x2f]);

const digestBytes = 20;
