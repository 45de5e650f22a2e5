import { assert } from "../../../kit/src/assert.ts";
import { containerOwner, ttlMsMax } from "../wire/constants.ts";
import { doubled } from "./columns.ts";
import { type DataRef, DataSlab, dataNull } from "./data-slab.ts";
import { DigestSlab } from "./digest-slab.ts";
import { znodesMax } from "./limits.ts";
import { parentOf } from "./paths.ts";
import { StatSlab, statField } from "./stat-slab.ts";
import type { DigestSum } from "./tree-digest.ts";
import {
  childTail,
  dataTail,
  digestField,
  headOf,
  intTail,
  isDigested,
  lifeTail,
  numberTail,
} from "./znode-digest.ts";

/** No znode: the end of a list, or a path that is not there. */
export const none = -1;

/** The root is the first znode of every tree. */
export const rootId = 0;

/** What a znode keeps; `cversion` is the number of creates below it, as it stands in txns and snapshots. */
export interface ZnodeState {
  readonly data: Uint8Array | null;
  readonly acl: number;
  readonly czxid: number;
  readonly mzxid: number;
  readonly pzxid: number;
  readonly ctime: number;
  readonly mtime: number;
  readonly version: number;
  readonly cversion: number;
  readonly aversion: number;
  readonly ephemeralOwner: bigint;
}

/** Told before a znode changes or goes, so that an image of the tree under way can keep the old state. */
export type BeforeChange = (id: number) => void;

/**
 * Znodes in columns of typed arrays, a number each; no object on the heap but the path's string.
 * Children hang in a list through `next` and `prev`. This class knows nothing of rules: it stores.
 */
export class Znodes {
  readonly #ids = new Map<string, number>();
  readonly #paths: string[] = [];
  readonly #stats = new StatSlab();
  readonly #data = new DataSlab();
  /** Owners of containers and TTL znodes, which a Stat shows as 0. */
  readonly #extendedOwners = new Map<number, bigint>();
  readonly #idsFree: number[] = [];
  #parent = new Int32Array(1024);
  #first = new Int32Array(1024);
  #next = new Int32Array(1024);
  #prev = new Int32Array(1024);
  #acl = new Int32Array(1024);
  #creates = new Int32Array(1024);
  #ref = new Int32Array(1024);
  #idEnd = 0;
  #parentLast = 0;
  #dataBytes = 0;
  #pathBytes = 0;
  #hooks: readonly BeforeChange[] = [];
  #beforeChange: BeforeChange | undefined;
  readonly #digests: DigestSlab | undefined;

  /** Without `digests` none are kept, which saves their time. */
  constructor({ digests = true }: { readonly digests?: boolean | undefined } = {}) {
    this.#digests = digests ? new DigestSlab() : undefined;
  }

  get size(): number {
    return this.#ids.size;
  }

  /** One above the highest id in use. */
  get idEnd(): number {
    return this.#idEnd;
  }

  /** Lengths of all data and paths, what `zk_approximate_data_size` means. */
  get approximateBytes(): number {
    return this.#dataBytes + this.#pathBytes;
  }

  get bytesReserved(): number {
    const digests = this.#digests?.bytesReserved ?? 0;
    return (
      this.#stats.bytesReserved + this.#data.bytesReserved + this.#parent.length * 28 + digests
    );
  }

  /** ZooKeeper's digest of all znodes, which changes as they do; undefined where none is kept. */
  get digest(): DigestSum | undefined {
    return this.#digests?.sum;
  }

  /** Ids below `idEnd` that no znode has. */
  get idsFree(): Iterable<number> {
    return this.#idsFree;
  }

  /** More than one may be told. */
  beforeChangeAdd(hook: BeforeChange): void {
    this.#hooksSet([...this.#hooks, hook]);
  }

  beforeChangeRemove(hook: BeforeChange): void {
    this.#hooksSet(this.#hooks.filter((other) => other !== hook));
  }

  #hooksSet(hooks: readonly BeforeChange[]): void {
    this.#hooks = hooks;
    // None or one is what there is nearly always, and every change asks.
    if (hooks.length <= 1) this.#beforeChange = hooks[0];
    else {
      this.#beforeChange = (id) => {
        for (const hook of hooks) hook(id);
      };
    }
  }

  find(path: string): number {
    return this.#ids.get(path) ?? none;
  }

  /** The parent of the znode with this path. Mostly it is that of the one before, which a look at the path tells. */
  findParent(path: string): number {
    const slash = path.lastIndexOf("/");
    const last = this.#paths[this.#parentLast];
    if (slash > 0 && last?.length === slash && path.startsWith(last)) return this.#parentLast;
    const parent = this.find(parentOf(path));
    if (parent !== none) this.#parentLast = parent;
    return parent;
  }

  /** Whether this id is in use; for a walk over all ids. */
  isLive(id: number): boolean {
    return this.#ref[id] !== idle;
  }

  path(id: number): string {
    return this.#paths[id]!;
  }

  parent(id: number): number {
    return this.#parent[id]!;
  }

  firstChild(id: number): number {
    return this.#first[id]!;
  }

  nextSibling(id: number): number {
    return this.#next[id]!;
  }

  childNames(id: number): string[] {
    const names: string[] = [];
    const from = id === rootId ? 1 : this.path(id).length + 1;
    for (let at = this.#first[id]!; at !== none; at = this.#next[at]!) {
      names.push(this.#paths[at]!.slice(from));
    }
    return names;
  }

  /** A view of the data, valid until it changes. */
  data(id: number): Uint8Array | null {
    return this.#data.get(this.#ref[id]!, this.dataLength(id));
  }

  /** A view of the Stat in its wire form, 68 bytes. */
  stat(id: number): Buffer {
    return this.#stats.bytes(id);
  }

  acl(id: number): number {
    return this.#acl[id]!;
  }

  /** Creates below this znode so far: the counter of sequential names. */
  creates(id: number): number {
    return this.#creates[id]!;
  }

  czxid(id: number): number {
    return this.#stats.number(id, statField.czxid);
  }

  mzxid(id: number): number {
    return this.#stats.number(id, statField.mzxid);
  }

  pzxid(id: number): number {
    return this.#stats.number(id, statField.pzxid);
  }

  version(id: number): number {
    return this.#stats.int(id, statField.version);
  }

  aversion(id: number): number {
    return this.#stats.int(id, statField.aversion);
  }

  dataLength(id: number): number {
    return this.#stats.int(id, statField.dataLength);
  }

  childCount(id: number): number {
    return this.#stats.int(id, statField.numChildren);
  }

  /** The session that owns an ephemeral; undefined for every other znode. */
  session(id: number): bigint | undefined {
    if (this.#stats.isZero(id, statField.ephemeralOwner)) return undefined;
    return this.#stats.long(id, statField.ephemeralOwner);
  }

  isEphemeral(id: number): boolean {
    return !this.#stats.isZero(id, statField.ephemeralOwner);
  }

  /** Containers and TTL znodes: what the server deletes by itself. */
  isExpiring(id: number): boolean {
    return this.#extendedOwners.has(id);
  }

  get expiringCount(): number {
    return this.#extendedOwners.size;
  }

  /** Every container and TTL znode; `ttlMs` is undefined for a container. The tree may change meanwhile. */
  *expiring(): Iterable<{ readonly id: number; readonly ttlMs: number | undefined }> {
    for (const [id, owner] of this.#extendedOwners) {
      yield { id, ttlMs: owner === containerOwner ? undefined : Number(owner & ttlMask) };
    }
  }

  mtime(id: number): number {
    return this.#stats.number(id, statField.mtime);
  }

  ctime(id: number): number {
    return this.#stats.number(id, statField.ctime);
  }

  /** The two parts of a znode's digest; 0 where none is kept. */
  digestHead(id: number): number {
    return this.#digests?.head(id) ?? 0;
  }

  digestTail(id: number): number {
    return this.#digests?.tail(id) ?? 0;
  }

  state(id: number): ZnodeState {
    const stats = this.#stats;
    return {
      data: this.data(id),
      acl: this.#acl[id]!,
      czxid: this.czxid(id),
      mzxid: this.mzxid(id),
      pzxid: this.pzxid(id),
      ctime: this.ctime(id),
      mtime: this.mtime(id),
      version: this.version(id),
      cversion: this.#creates[id]!,
      aversion: this.aversion(id),
      ephemeralOwner: this.#extendedOwners.get(id) ?? stats.long(id, statField.ephemeralOwner),
    };
  }

  /** Adds a znode below `parent` (`none` for the root). Does not touch the parent's Stat but its child count. */
  insert(path: string, parent: number, state: ZnodeState): number {
    const { size } = this.#ids;
    assert(size < znodesMax, "the tree is full");
    const id = this.#idsFree.pop() ?? this.#idTake();
    this.#ids.set(path, id);
    assert(this.#ids.size > size, "a znode is inserted twice");
    this.#paths[id] = path;
    this.#stats.clear(id);
    this.#parent[id] = parent;
    this.#first[id] = none;
    this.#acl[id] = state.acl;
    this.#ref[id] = dataNull;
    this.#pathBytes += path.length;
    this.#dataPut(id, state.data);
    this.#fill(id, state);
    this.#link(id, parent);
    this.#digestInsert(id, state);
    return id;
  }

  /** Takes a znode without children out. */
  remove(id: number): void {
    assert(this.#first[id] === none, "a znode with children is removed");
    this.#beforeChange?.(id);
    const parent = this.#parent[id]!;
    this.#unlink(id, parent);
    this.#dataPut(id, null);
    if (this.#isDigested(id)) this.#digests!.remove(id);
    this.#extendedOwners.delete(id);
    this.#pathBytes -= this.#paths[id]!.length;
    this.#ids.delete(this.#paths[id]!);
    this.#paths[id] = "";
    this.#ref[id] = idle;
    this.#idsFree.push(id);
  }

  /** Replaces the data and nothing else. */
  dataSet(id: number, data: Uint8Array | null): void {
    this.#beforeChange?.(id);
    this.#dataPut(id, data);
    if (this.#isDigested(id)) this.#digests!.headSet(id, headOf(this.path(id), data));
  }

  /** What a setData leaves in the Stat. */
  modified(id: number, version: number, zxid: number, timeMs: number): void {
    this.#beforeChange?.(id);
    if (this.#isDigested(id)) {
      const before = dataTail(this.version(id), this.mzxid(id), this.mtime(id));
      this.#digests!.tailMove(id, before ^ dataTail(version, zxid, timeMs));
    }
    this.#stats.intSet(id, statField.version, version);
    this.#stats.numberSet(id, statField.mzxid, zxid);
    this.#stats.numberSet(id, statField.mtime, timeMs);
  }

  aclSet(id: number, acl: number, aversion: number): void {
    this.#beforeChange?.(id);
    this.#acl[id] = acl;
    if (this.#isDigested(id)) {
      const before = intTail(digestField.aversion, this.aversion(id));
      this.#digests!.tailMove(id, before ^ intTail(digestField.aversion, aversion));
    }
    this.#stats.intSet(id, statField.aversion, aversion);
  }

  createsSet(id: number, creates: number): void {
    this.#beforeChange?.(id);
    if (this.#isDigested(id)) {
      const before = intTail(digestField.cversion, this.#creates[id]!);
      this.#digests!.tailMove(id, before ^ intTail(digestField.cversion, creates));
    }
    this.#creates[id] = creates;
    this.#cversionDerive(id);
  }

  pzxidSet(id: number, zxid: number): void {
    this.#beforeChange?.(id);
    if (this.#isDigested(id)) {
      const before = numberTail(digestField.pzxid, this.pzxid(id));
      this.#digests!.tailMove(id, before ^ numberTail(digestField.pzxid, zxid));
    }
    this.#stats.numberSet(id, statField.pzxid, zxid);
  }

  #digestInsert(id: number, state: ZnodeState): void {
    if (this.#digests === undefined) return;
    const path = this.path(id);
    if (!isDigested(path)) {
      this.#digests.insertUncounted(id);
      return;
    }
    const { czxid, mzxid, pzxid, ctime, mtime, aversion } = state;
    const tail =
      lifeTail(czxid, ctime, state.ephemeralOwner) ^
      dataTail(state.version, mzxid, mtime) ^
      childTail(state.cversion, pzxid) ^
      intTail(digestField.aversion, aversion);
    this.#digests.insert(id, headOf(path, state.data), tail);
  }

  #isDigested(id: number): boolean {
    return this.#digests !== undefined && isDigested(this.path(id));
  }

  #fill(id: number, state: ZnodeState): void {
    const stats = this.#stats;
    stats.numberSet(id, statField.czxid, state.czxid);
    stats.numberSet(id, statField.mzxid, state.mzxid);
    stats.numberSet(id, statField.pzxid, state.pzxid);
    stats.numberSet(id, statField.ctime, state.ctime);
    stats.numberSet(id, statField.mtime, state.mtime);
    stats.intSet(id, statField.version, state.version);
    stats.intSet(id, statField.aversion, state.aversion);
    this.#creates[id] = state.cversion;
    if (isExtendedOwner(state.ephemeralOwner)) this.#extendedOwners.set(id, state.ephemeralOwner);
    else stats.longSet(id, statField.ephemeralOwner, state.ephemeralOwner);
    this.#cversionDerive(id);
  }

  #link(id: number, parent: number): void {
    this.#prev[id] = none;
    this.#next[id] = none;
    if (parent === none) return;
    this.#beforeChange?.(parent);
    const first = this.#first[parent]!;
    this.#next[id] = first;
    if (first !== none) this.#prev[first] = id;
    this.#first[parent] = id;
    this.#childCountAdd(parent, 1);
  }

  #unlink(id: number, parent: number): void {
    if (parent === none) return;
    this.#beforeChange?.(parent);
    const next = this.#next[id]!;
    const prev = this.#prev[id]!;
    if (next !== none) this.#prev[next] = prev;
    if (prev === none) this.#first[parent] = next;
    else this.#next[prev] = next;
    this.#childCountAdd(parent, -1);
  }

  #childCountAdd(id: number, count: number): void {
    this.#stats.intSet(id, statField.numChildren, this.childCount(id) + count);
    this.#cversionDerive(id);
  }

  /** A Stat shows creates and deletes below a znode: 2 × creates − children, wrapping as Java's int does. */
  #cversionDerive(id: number): void {
    const shown = (this.#creates[id]! * 2 - this.childCount(id)) | 0;
    this.#stats.intSet(id, statField.cversion, shown);
  }

  #dataPut(id: number, data: Uint8Array | null): void {
    // Stored before the old is freed: the new data may be a view of the old.
    const ref: DataRef = this.#data.put(data);
    this.#data.free(this.#ref[id]!);
    this.#ref[id] = ref;
    const length = data?.length ?? 0;
    this.#dataBytes += length - this.dataLength(id);
    this.#stats.intSet(id, statField.dataLength, length);
  }

  #idTake(): number {
    const id = this.#idEnd++;
    if (id >= this.#parent.length) {
      this.#parent = doubled(this.#parent);
      this.#first = doubled(this.#first);
      this.#next = doubled(this.#next);
      this.#prev = doubled(this.#prev);
      this.#acl = doubled(this.#acl);
      this.#creates = doubled(this.#creates);
      this.#ref = doubled(this.#ref);
    }
    return id;
  }
}

/** The data column of an id that is not in use. */
const idle = -3;

const ttlMask = BigInt(ttlMsMax);

/** Containers own themselves; a TTL znode's owner is 0xff, two zero bytes, and its TTL in the rest. */
export function isExtendedOwner(owner: bigint): boolean {
  return owner === containerOwner || BigInt.asUintN(64, owner) >> 40n === 0xff_00_00n;
}

/** What a znode with this TTL is stored as owned by. */
export function ttlOwner(ttlMs: bigint): bigint {
  return BigInt.asIntN(64, (0xff_00_00n << 40n) | ttlMs);
}
