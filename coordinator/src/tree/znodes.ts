import { assert } from "../../../kit/src/assert.ts";
import type { JuteWriter } from "../wire/writer.ts";
import { DigestSlab } from "./digest-slab.ts";
import { ExtendedOwners, isExtendedOwner, ttlOwner } from "./extended-owners.ts";
import { znodesMax } from "./limits.ts";
import { StatSlab, statField } from "./stat-slab.ts";
import type { DigestSum } from "./tree-digest.ts";
import {
  childTail,
  dataTail,
  digestField,
  intTail,
  lifeTail,
  numberTail,
  persistedTail,
} from "./znode-digest.ts";
import { ZnodePaths } from "./znode-paths.ts";
import { rowField, ZnodeRows } from "./znode-rows.ts";
import {
  type BeforeChange,
  none,
  type PersistedZnode,
  persistedBytes,
  rootId,
  type ZnodeState,
  type ZnodesOptions,
} from "./znode-state.ts";
import { nameFlag, type ZnodeParts, ZnodeValues } from "./znode-values.ts";

export { none, rootId, ttlOwner };

/**
 * Znodes in rows of ints, a number each, with no object on the heap. A znode has its name, and its path by those above it.
 * Children hang in a list through `next` and `prev`. This class knows nothing of rules: it stores.
 */
export class Znodes {
  readonly #rows = new ZnodeRows();
  readonly #values = new ZnodeValues(this.#rows);
  readonly #paths: ZnodePaths;
  readonly #stats = new StatSlab();
  readonly #extendedOwners = new ExtendedOwners();
  readonly #idsFree: number[] = [];
  #size = 0;
  #idEnd = 0;
  /** A Stat on its way to a snapshot. */
  readonly #persisted = Buffer.alloc(persistedBytes);
  #dataBytes = 0;
  #pathBytes = 0;
  #hooks: readonly BeforeChange[] = [];
  #beforeChange: BeforeChange | undefined;
  readonly #digests: DigestSlab | undefined;

  /** Without `digests` none are kept, which saves their time. */
  constructor({ digests = true, hashSeed = 0 }: ZnodesOptions = {}) {
    this.#digests = digests ? new DigestSlab() : undefined;
    this.#paths = new ZnodePaths(this.#rows, this.#values, hashSeed);
  }

  get size(): number {
    return this.#size;
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
    const columns = this.#rows.bytesReserved + this.#paths.bytesReserved;
    const digests = this.#digests?.bytesReserved ?? 0;
    return columns + this.#stats.bytesReserved + this.#values.bytesReserved + digests;
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
    return this.#paths.find(path);
  }

  findBytes(bytes: Uint8Array, from: number, end: number): number {
    return this.#paths.findBytes(bytes, from, end);
  }

  /** The parent of the znode with this path. */
  findParent(path: string): number {
    return this.#paths.findParent(path);
  }

  /** The znode with this path, whose parent is known. */
  findBelow(parent: number, path: string): number {
    return this.#paths.findBelow(parent, path);
  }

  /** Whether this id is in use; for a walk over all ids. */
  isLive(id: number): boolean {
    return this.#rows.get(id, rowField.ref) !== idle;
  }

  path(id: number): string {
    return this.#paths.bytesOf(id).toString();
  }

  parent(id: number): number {
    return this.#rows.get(id, rowField.parent);
  }

  firstChild(id: number): number {
    return this.#rows.get(id, rowField.first);
  }

  nextSibling(id: number): number {
    return this.#rows.get(id, rowField.next);
  }

  childNames(id: number): string[] {
    const names: string[] = [];
    for (let at = this.firstChild(id); at !== none; at = this.nextSibling(at)) {
      names.push(this.#values.name(at));
    }
    return names;
  }

  /** A view of the data, valid until it changes. */
  data(id: number): Uint8Array | null {
    return this.#values.data(id, this.dataLength(id));
  }

  /** A view of the Stat in its wire form, 68 bytes. */
  stat(id: number): Buffer {
    return this.#stats.bytes(id);
  }

  acl(id: number): number {
    return this.#rows.get(id, rowField.acl);
  }

  /** Creates below this znode so far: the counter of sequential names. */
  creates(id: number): number {
    return this.#rows.get(id, rowField.creates);
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
  expiring(): Iterable<{ readonly id: number; readonly ttlMs: number | undefined }> {
    return this.#extendedOwners.expiring();
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
    return {
      data: this.data(id),
      acl: this.acl(id),
      czxid: this.czxid(id),
      mzxid: this.mzxid(id),
      pzxid: this.pzxid(id),
      ctime: this.ctime(id),
      mtime: this.mtime(id),
      version: this.version(id),
      cversion: this.creates(id),
      aversion: this.aversion(id),
      ephemeralOwner: this.#owner(id),
    };
  }

  /** Writes a znode as snapshots have it, its path before it. */
  persist(id: number, to: JuteWriter): void {
    to.buffer(id === rootId ? noBytes : this.#paths.bytesOf(id));
    to.buffer(this.data(id));
    to.longNumber(this.acl(id));
    const stat = this.#persisted;
    this.#stats.persist(id, stat);
    stat.writeInt32BE(this.creates(id), statField.cversion);
    if (this.isExpiring(id)) stat.writeBigInt64BE(this.#owner(id), statField.ephemeralOwner);
    to.raw(stat);
  }

  /** Makes room at once for about so many, which are to come. */
  expect(count: number): void {
    this.#paths.expect(count);
  }

  /** Adds a znode below `parent` (`none` for the root). Does not touch the parent's Stat but its child count. */
  insert(path: string, parent: number, state: ZnodeState): number {
    const name = parent === none ? noBytes : this.#paths.nameOf(path);
    const nameEnd = name.length;
    const data = state.data ?? noBytes;
    const dataFrom = state.data === null ? -1 : 0;
    const dataEnd = data.length;
    const isThere = parent !== none && this.#paths.findNamed(parent, name, 0, nameEnd) !== none;
    assert(!isThere, "a znode is inserted twice");
    const id = this.#add(parent, {
      name,
      nameFrom: 0,
      nameEnd,
      data,
      dataFrom,
      dataEnd,
      view: undefined,
    });
    this.#rows.set(id, rowField.acl, state.acl);
    this.#fill(id, state);
    if (this.#isCounted(id)) {
      const tail =
        lifeTail(state.czxid, state.ctime, state.ephemeralOwner) ^
        dataTail(state.version, state.mzxid, state.mtime) ^
        childTail(state.cversion, state.pzxid) ^
        intTail(digestField.aversion, state.aversion);
      this.#digests!.count(id, this.#digests!.headOf(id, data, 0, dataEnd), tail);
    }
    return id;
  }

  /** The same of a snapshot's znode, without an object of it; `none` when its parent has a child of that name. */
  insertPersisted(parent: number, znode: PersistedZnode): number {
    const { name, nameFrom, nameEnd, data, dataFrom, dataEnd, view, statAt } = znode;
    if (parent !== none && this.#paths.findNamed(parent, name, nameFrom, nameEnd) !== none)
      return none;
    const id = this.#add(parent, znode);
    this.#rows.set(id, rowField.acl, znode.acl);
    this.#stats.restore(id, data, statAt);
    this.#rows.set(id, rowField.creates, view.getInt32(statAt + statField.cversion));
    if (!this.#stats.isZero(id, statField.ephemeralOwner)) {
      this.#ownerSet(id, this.#stats.long(id, statField.ephemeralOwner));
    }
    this.#cversionDerive(id);
    if (this.#isCounted(id)) {
      const head = this.#digests!.headOf(id, data, dataFrom === -1 ? dataEnd : dataFrom, dataEnd);
      this.#digests!.count(id, head, persistedTail(view, statAt));
    }
    return id;
  }

  /** Takes a znode without children out. */
  remove(id: number): void {
    assert(this.firstChild(id) === none, "a znode with children is removed");
    this.#beforeChange?.(id);
    const parent = this.parent(id);
    this.#unlink(id, parent);
    if (this.#isCounted(id)) this.#digests!.uncount(id);
    this.#extendedOwners.delete(id);
    this.#dataBytes -= this.dataLength(id);
    this.#pathBytes -= this.#paths.length(id);
    this.#paths.remove(id);
    this.#values.free(id);
    this.#rows.set(id, rowField.ref, idle);
    this.#idsFree.push(id);
    this.#size--;
  }

  /** Replaces the data and nothing else. */
  dataSet(id: number, data: Uint8Array | null): void {
    this.#beforeChange?.(id);
    const length = data?.length ?? 0;
    this.#dataBytes += length - this.dataLength(id);
    this.#values.dataSet(id, data);
    this.#stats.intSet(id, statField.dataLength, length);
    if (this.#isCounted(id)) {
      const head = this.#digests!.headOf(id, data ?? noBytes, 0, length);
      this.#digests!.headSet(id, head);
    }
  }

  /** What a setData leaves in the Stat. */
  modified(id: number, version: number, zxid: number, timeMs: number): void {
    this.#beforeChange?.(id);
    if (this.#isCounted(id)) {
      const before = dataTail(this.version(id), this.mzxid(id), this.mtime(id));
      this.#digests!.tailMove(id, before ^ dataTail(version, zxid, timeMs));
    }
    this.#stats.intSet(id, statField.version, version);
    this.#stats.numberSet(id, statField.mzxid, zxid);
    this.#stats.numberSet(id, statField.mtime, timeMs);
  }

  aclSet(id: number, acl: number, aversion: number): void {
    this.#beforeChange?.(id);
    this.#rows.set(id, rowField.acl, acl);
    if (this.#isCounted(id)) {
      const before = intTail(digestField.aversion, this.aversion(id));
      this.#digests!.tailMove(id, before ^ intTail(digestField.aversion, aversion));
    }
    this.#stats.intSet(id, statField.aversion, aversion);
  }

  createsSet(id: number, creates: number): void {
    this.#beforeChange?.(id);
    if (this.#isCounted(id)) {
      const before = intTail(digestField.cversion, this.creates(id));
      this.#digests!.tailMove(id, before ^ intTail(digestField.cversion, creates));
    }
    this.#rows.set(id, rowField.creates, creates);
    this.#cversionDerive(id);
  }

  pzxidSet(id: number, zxid: number): void {
    this.#beforeChange?.(id);
    if (this.#isCounted(id)) {
      const before = numberTail(digestField.pzxid, this.pzxid(id));
      this.#digests!.tailMove(id, before ^ numberTail(digestField.pzxid, zxid));
    }
    this.#stats.numberSet(id, statField.pzxid, zxid);
  }

  #owner(id: number): bigint {
    return this.#extendedOwners.get(id) ?? this.#stats.long(id, statField.ephemeralOwner);
  }

  /** All but its ACL, its Stat and its digest. */
  #add(parent: number, parts: ZnodeParts): number {
    assert(this.#size < znodesMax, "the tree is full");
    const id = this.#idsFree.pop() ?? this.#idEnd++;
    this.#rows.reach(id);
    this.#values.put(id, parts);
    this.#stats.clear(id);
    const length = parts.dataFrom === -1 ? 0 : parts.dataEnd - parts.dataFrom;
    this.#stats.intSet(id, statField.dataLength, length);
    this.#rows.set(id, rowField.parent, parent);
    this.#rows.set(id, rowField.first, none);
    this.#paths.add(id, parent, parts.name, parts.nameFrom, parts.nameEnd);
    this.#values.countedFollow(id, parent);
    this.#digests?.add(id, parent, parts);
    this.#link(id, parent);
    this.#size++;
    this.#dataBytes += length;
    this.#pathBytes += this.#paths.length(id);
    return id;
  }

  /** Whether a digest counts it: what servers write below `/zookeeper` by themselves may differ between them. */
  #isCounted(id: number): boolean {
    return this.#digests !== undefined && !this.#values.hasFlag(id, nameFlag.uncounted);
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
    this.#rows.set(id, rowField.creates, state.cversion);
    if (state.ephemeralOwner !== 0n) this.#ownerSet(id, state.ephemeralOwner);
    this.#cversionDerive(id);
  }

  #ownerSet(id: number, owner: bigint): void {
    const isExtended = isExtendedOwner(owner);
    if (isExtended) this.#extendedOwners.set(id, owner);
    this.#stats.longSet(id, statField.ephemeralOwner, isExtended ? 0n : owner);
  }

  #link(id: number, parent: number): void {
    const rows = this.#rows;
    rows.set(id, rowField.prev, none);
    rows.set(id, rowField.next, none);
    if (parent === none) return;
    this.#beforeChange?.(parent);
    const first = rows.get(parent, rowField.first);
    rows.set(id, rowField.next, first);
    if (first !== none) rows.set(first, rowField.prev, id);
    rows.set(parent, rowField.first, id);
    this.#childCountAdd(parent, 1);
  }

  #unlink(id: number, parent: number): void {
    if (parent === none) return;
    this.#beforeChange?.(parent);
    const rows = this.#rows;
    const next = rows.get(id, rowField.next);
    const prev = rows.get(id, rowField.prev);
    if (next !== none) rows.set(next, rowField.prev, prev);
    if (prev === none) rows.set(parent, rowField.first, next);
    else rows.set(prev, rowField.next, next);
    this.#childCountAdd(parent, -1);
  }

  #childCountAdd(id: number, count: number): void {
    this.#stats.intSet(id, statField.numChildren, this.childCount(id) + count);
    this.#cversionDerive(id);
  }

  /** A Stat shows creates and deletes below a znode: 2 × creates − children, wrapping as Java's int does. */
  #cversionDerive(id: number): void {
    const shown = (this.creates(id) * 2 - this.childCount(id)) | 0;
    this.#stats.intSet(id, statField.cversion, shown);
  }
}

/** The ref of an id that is not in use. */
const idle = -3;

const noBytes = Buffer.alloc(0);
