import { aclMask, aclReadPerms, isAllowed } from "../tree/acl.ts";
import { none } from "../tree/znodes.ts";
import { vector } from "../wire/codec.ts";
import { errorNumbers, opCodes, perms } from "../wire/constants.ts";
import {
  Acl,
  EphemeralsResponse,
  PathRequest,
  WatchedRequest,
  WhoAmIResponse,
} from "../wire/records.ts";
import { userOf } from "./auth.ts";
import { bodyStart, childNamesWrite, type Read } from "./read.ts";
import { multiRead } from "./reads-multi.ts";
import { addWatch, checkWatches, setWatches } from "./reads-watches.ts";

/**
 * Answers a read from the tree as it is. Writes the whole answer and returns 0, or writes nothing
 * and returns the error. Throws a `WireError` for a body that is malformed.
 */
export function readAnswer(read: Read): number {
  switch (read.type) {
    case opCodes.getData:
      return getData(read);
    case opCodes.exists:
      return exists(read);
    case opCodes.getChildren:
    case opCodes.getChildren2:
      return getChildren(read);
    case opCodes.getACL:
      return getAcl(read);
    case opCodes.ping:
    case opCodes.notification:
      return plain(read);
    case opCodes.sync:
      return text(read, PathRequest.read(read.from).path);
    case opCodes.getAllChildrenNumber:
      return countBelow(read);
    case opCodes.getEphemerals:
      return ephemerals(read);
    case opCodes.whoAmI:
      return whoAmI(read);
    case opCodes.multiRead:
      return multiRead(read);
    case opCodes.addWatch:
      return addWatch(read);
    case opCodes.checkWatches:
    case opCodes.removeWatches:
      return checkWatches(read);
    case opCodes.setWatches:
    case opCodes.setWatches2:
      return setWatches(read);
  }
  return errorNumbers.UNIMPLEMENTED;
}

function getData(read: Read): number {
  const { path, watch } = WatchedRequest.read(read.from);
  const { tree, connection } = read;
  const id = tree.znodes.find(path);
  if (id === none) return errorNumbers.NONODE;
  if (!isAllowed(tree.aclOf(id), perms.read, connection.ids)) return errorNumbers.NOAUTH;
  if (watch) tree.watches.addData(path, connection);
  const out = connection.out;
  const start = bodyStart(read);
  out.buffer(tree.znodes.data(id));
  out.raw(tree.znodes.stat(id));
  out.frameEnd(start);
  return 0;
}

function exists(read: Read): number {
  const { path, watch } = WatchedRequest.read(read.from);
  const { tree, connection } = read;
  if (path.includes("\0")) return errorNumbers.BADARGUMENTS;
  const id = tree.znodes.find(path);
  if (id !== none && !isAllowed(tree.aclOf(id), perms.read, connection.ids)) {
    return errorNumbers.NOAUTH;
  }
  // Also of a znode that is not there: the watch then tells of its creation.
  if (watch) tree.watches.addData(path, connection);
  if (id === none) return errorNumbers.NONODE;
  const start = bodyStart(read);
  connection.out.raw(tree.znodes.stat(id));
  connection.out.frameEnd(start);
  return 0;
}

function getChildren(read: Read): number {
  const { path, watch } = WatchedRequest.read(read.from);
  const { tree, connection } = read;
  const id = tree.znodes.find(path);
  if (id === none) return errorNumbers.NONODE;
  if (!isAllowed(tree.aclOf(id), perms.read, connection.ids)) return errorNumbers.NOAUTH;
  if (watch) tree.watches.addChildren(path, connection);
  const start = bodyStart(read);
  const out = connection.out;
  childNamesWrite(out, tree, id);
  if (read.type === opCodes.getChildren2) out.raw(tree.znodes.stat(id));
  out.frameEnd(start);
  return 0;
}

function getAcl(read: Read): number {
  const { path } = PathRequest.read(read.from);
  const { tree, connection } = read;
  const id = tree.znodes.find(path);
  if (id === none) return errorNumbers.NONODE;
  const acl = tree.aclOf(id);
  if (!isAllowed(acl, aclReadPerms, connection.ids)) return errorNumbers.NOAUTH;
  const isAdmin = isAllowed(acl, perms.admin, connection.ids);
  const start = bodyStart(read);
  aclCodec.write(connection.out, isAdmin ? acl : aclMask(acl));
  connection.out.raw(tree.znodes.stat(id));
  connection.out.frameEnd(start);
  return 0;
}

const aclCodec = vector(Acl);

function plain(read: Read): number {
  read.connection.out.frameEnd(bodyStart(read));
  return 0;
}

function text(read: Read, value: string): number {
  const start = bodyStart(read);
  read.connection.out.string(value);
  read.connection.out.frameEnd(start);
  return 0;
}

function countBelow(read: Read): number {
  const { path } = PathRequest.read(read.from);
  const { tree, connection } = read;
  const { znodes } = tree;
  const top = znodes.find(path);
  if (top === none) return errorNumbers.NONODE;
  if (!isAllowed(tree.aclOf(top), perms.read, connection.ids)) return errorNumbers.NOAUTH;
  let count = -1;
  const left = [top];
  for (let id = left.pop(); id !== undefined; id = left.pop()) {
    count++;
    for (let at = znodes.firstChild(id); at !== none; at = znodes.nextSibling(at)) left.push(at);
  }
  const start = bodyStart(read);
  connection.out.int(count);
  connection.out.frameEnd(start);
  return 0;
}

function ephemerals(read: Read): number {
  const prefix = (read.from.stringOrNull() ?? "").trim();
  const { tree, connection } = read;
  const all = tree.sessions.ephemerals(connection.sessionId);
  const paths = prefix === "/" ? all : all.filter((path) => path.startsWith(prefix));
  const start = bodyStart(read);
  EphemeralsResponse.write(connection.out, { paths });
  connection.out.frameEnd(start);
  return 0;
}

function whoAmI(read: Read): number {
  const { out, ids } = read.connection;
  const start = bodyStart(read);
  WhoAmIResponse.write(out, {
    ids: ids.map((id) => ({ scheme: id.scheme, user: userOf(id) })),
  });
  out.frameEnd(start);
  return 0;
}
