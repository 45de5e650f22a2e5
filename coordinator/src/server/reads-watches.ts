import { isAllowed } from "../tree/acl.ts";
import { none } from "../tree/znodes.ts";
import {
  addWatchModes,
  errorNumbers,
  eventTypes,
  opCodes,
  perms,
  watcherTypes,
} from "../wire/constants.ts";
import {
  AddWatchRequest,
  SetWatches2Request,
  SetWatchesRequest,
  WatcherRequest,
} from "../wire/records.ts";
import { bodyStart, type Read } from "./read.ts";
import { eventWrite } from "./replies.ts";

export function addWatch(read: Read): number {
  const { path, mode } = AddWatchRequest.read(read.from);
  const { watches } = read.tree;
  if (mode === addWatchModes.persistent) watches.addPersistent(path, read.connection);
  else if (mode === addWatchModes.persistentRecursive) watches.addRecursive(path, read.connection);
  else return errorNumbers.MARSHALLINGERROR;
  const start = bodyStart(read);
  read.connection.out.int(errorNumbers.OK);
  read.connection.out.frameEnd(start);
  return 0;
}

/** checkWatches tells whether there is such a watch; removeWatches takes it away too. */
export function checkWatches(read: Read): number {
  const { path, type } = WatcherRequest.read(read.from);
  if (type < watcherTypes.children || type > watcherTypes.persistentRecursive) {
    return errorNumbers.MARSHALLINGERROR;
  }
  const { watches } = read.tree;
  const isThere =
    read.type === opCodes.checkWatches
      ? watches.has(path, type, read.connection)
      : watches.remove(path, type, read.connection);
  if (!isThere) return errorNumbers.NOWATCHER;
  read.connection.out.frameEnd(bodyStart(read));
  return 0;
}

/**
 * A client that comes back says what it watched and the zxid it had seen: what changed since is told
 * at once, and the rest is watched again.
 */
export function setWatches(read: Read): number {
  const request =
    read.type === opCodes.setWatches
      ? { ...SetWatchesRequest.read(read.from), persistent: [], persistentRecursive: [] }
      : SetWatches2Request.read(read.from);
  const { watches } = read.tree;
  const since = Number(request.relativeZxid);
  for (const path of request.data) dataWatchSet(read, path, since);
  for (const path of request.exists) existsWatchSet(read, path);
  for (const path of request.children) childWatchSet(read, path, since);
  for (const path of request.persistent) watches.addPersistent(path, read.connection);
  for (const path of request.persistentRecursive) watches.addRecursive(path, read.connection);
  read.connection.out.frameEnd(bodyStart(read));
  return 0;
}

function dataWatchSet(read: Read, path: string, since: number): void {
  const { znodes, watches } = read.tree;
  const id = znodes.find(path);
  if (id === none) tell(read, eventTypes.deleted, path, id);
  else if (znodes.mzxid(id) > since) tell(read, eventTypes.dataChanged, path, id);
  else watches.addData(path, read.connection);
}

function existsWatchSet(read: Read, path: string): void {
  const { znodes, watches } = read.tree;
  const id = znodes.find(path);
  if (id !== none) tell(read, eventTypes.created, path, id);
  else watches.addData(path, read.connection);
}

function childWatchSet(read: Read, path: string, since: number): void {
  const { znodes, watches } = read.tree;
  const id = znodes.find(path);
  if (id === none) tell(read, eventTypes.deleted, path, id);
  else if (znodes.pzxid(id) > since) tell(read, eventTypes.childrenChanged, path, id);
  else watches.addChildren(path, read.connection);
}

function tell({ tree, connection }: Read, type: number, path: string, id: number): void {
  if (id !== none && !isAllowed(tree.aclOf(id), perms.read, connection.ids)) return;
  eventWrite(connection.out, { type, path, zxid: undefined });
}
