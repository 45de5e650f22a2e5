import { SnapshotAcls, SnapshotSessions, snapshotPathEnd } from "../wire/files.ts";
import { JuteWriter } from "../wire/writer.ts";
import { imageTurnBytes } from "./limits.ts";
import type { Tree } from "./tree.ts";
import { none } from "./znodes.ts";

/** An image was given up, since whoever takes it is slower than the tree changes. */
export class ImageOverrunError extends Error {
  override readonly name = "ImageOverrunError";
  readonly keptBytesMax: number;

  constructor(keptBytesMax: number) {
    super("an image is taken more slowly than the tree changes");
    this.keptBytesMax = keptBytesMax;
  }
}

/**
 * Sessions, ACLs and znodes as they stood at one moment, written out in pieces while the tree moves on. Before a
 * znode changes or goes, its old state is written first, so an image holds exactly one zxid and no mixture. Parents stand
 * before their children, as every reader of ZooKeeper's snapshots expects. Any number of images may be under way.
 */
export class ImageBody<W extends object> {
  readonly zxid: number;
  readonly #tree: Tree<W>;
  readonly #keptBytesMax: number;
  readonly #idEnd: number;
  /** One bit a znode: written, or not part of the image because it is younger. */
  readonly #settled: Uint8Array;
  readonly #hook = (id: number) => this.#changes(id);
  #writer = new JuteWriter(imageTurnBytes);
  #at = 0;
  #isDone = false;
  #isOverrun = false;

  /**
   * Begins an image of the tree as it is now; it must be run to its end or abandoned. `keptBytesMax` bounds what is kept
   * between two calls of `next` for znodes that change meanwhile.
   */
  constructor(tree: Tree<W>, keptBytesMax: number) {
    const { znodes } = tree;
    this.#tree = tree;
    this.#keptBytesMax = keptBytesMax;
    this.zxid = tree.zxidLast;
    this.#idEnd = znodes.idEnd;
    this.#settled = new Uint8Array((this.#idEnd + 7) >>> 3);
    for (const id of znodes.idsFree) this.#settle(id);
    SnapshotSessions.write(
      this.#writer,
      Array.from(tree.sessions.entries(), ([sessionId, timeoutMs]) => ({ sessionId, timeoutMs })),
    );
    SnapshotAcls.write(
      this.#writer,
      Array.from(tree.acls.entries(), ({ number, acl }) => ({ number: BigInt(number), acl })),
    );
    znodes.beforeChangeAdd(this.#hook);
  }

  get isDone(): boolean {
    return this.#isDone;
  }

  /**
   * Writes up to this many znodes more, fewer once `bytes` are reached. Returns what was written since the last call, in a
   * buffer of its own. Throws an `ImageOverrunError` when too much had to be kept meanwhile.
   */
  next(znodes: number, bytes: number): Buffer {
    if (this.#isOverrun) throw new ImageOverrunError(this.#keptBytesMax);
    const stop = Math.min(this.#idEnd, this.#at + znodes);
    for (; this.#at < stop && this.#writer.length < bytes; this.#at++) this.#keep(this.#at);
    if (this.#at === this.#idEnd && !this.#isDone) {
      this.#release();
      this.#writer.string(snapshotPathEnd);
    }
    const written = this.#writer.copy();
    this.#writer.reset();
    return written;
  }

  /** Keeps no old states any more; what is not written yet is lost. */
  abandon(): void {
    this.#release();
    this.#writer = new JuteWriter(0);
  }

  #release(): void {
    this.#isDone = true;
    this.#tree.znodes.beforeChangeRemove(this.#hook);
  }

  #changes(id: number): void {
    this.#keep(id);
    if (this.#writer.length <= this.#keptBytesMax) return;
    this.abandon();
    // Not done: whoever takes it has to hear of it.
    this.#isDone = false;
    this.#isOverrun = true;
  }

  /** Writes this znode, and those above it first, unless that is done. */
  #keep(id: number): void {
    if (id >= this.#idEnd || this.#isSettled(id)) return;
    const { znodes } = this.#tree;
    const chain = [id];
    for (
      let above = znodes.parent(id);
      above !== none && !this.#isSettled(above);
      above = znodes.parent(above)
    ) {
      chain.push(above);
    }
    for (const one of chain.reverse()) {
      this.#settle(one);
      znodes.persist(one, this.#writer);
    }
  }

  #settle(id: number): void {
    this.#settled[id >>> 3]! |= 1 << (id & 7);
  }

  #isSettled(id: number): boolean {
    return ((this.#settled[id >>> 3]! >> (id & 7)) & 1) === 1;
  }
}
