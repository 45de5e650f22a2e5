import { adler32 } from "../wire/adler32.ts";
import {
  FileHeader,
  fileVersion,
  SnapshotAcls,
  SnapshotDigest,
  SnapshotNode,
  SnapshotSeal,
  SnapshotSessions,
  SnapshotZxidLast,
  snapshotDbid,
  snapshotMagic,
  snapshotPathEnd,
} from "../wire/files.ts";
import { JuteWriter } from "../wire/writer.ts";
import type { Tree } from "./tree.ts";
import type { DigestSum } from "./tree-digest.ts";
import { digestVersion } from "./znode-digest.ts";
import { none, rootId } from "./znodes.ts";

/**
 * The tree as it stood at one moment, written out in pieces while the tree moves on. Before a znode
 * changes or goes, its old state is written first, so the file holds exactly one zxid and no mixture. Parents
 * stand before their children, as every reader of ZooKeeper's snapshots expects.
 */
export class TreeImage<W extends object> {
  readonly zxid: number;
  readonly #tree: Tree<W>;
  readonly #idEnd: number;
  /** As it was at the beginning. */
  readonly #digest: DigestSum | undefined;
  /** One bit a znode: written, or not part of the image because it is younger. */
  readonly #settled: Uint8Array;
  readonly #writer = new JuteWriter(64 * 1024);
  #checksum = 1;
  #at = 0;
  #isDone = false;

  /** Begins an image of the tree as it is now. One at a time; it must be run to its end or abandoned. */
  constructor(tree: Tree<W>) {
    this.#tree = tree;
    this.zxid = tree.zxidLast;
    this.#idEnd = tree.znodes.idEnd;
    const { digest } = tree.znodes;
    this.#digest = digest === undefined ? undefined : { high: digest.high, low: digest.low };
    this.#settled = new Uint8Array((this.#idEnd + 7) >>> 3);
    for (let id = 0; id < this.#idEnd; id++) if (!tree.znodes.isLive(id)) this.#settle(id);
    FileHeader.write(this.#writer, {
      magic: snapshotMagic,
      version: fileVersion,
      dbid: snapshotDbid,
    });
    const sessions = [...tree.sessions.entries()];
    SnapshotSessions.write(
      this.#writer,
      sessions.map(([sessionId, timeoutMs]) => ({ sessionId, timeoutMs })),
    );
    const acls = [...tree.acls.entries()];
    SnapshotAcls.write(
      this.#writer,
      acls.map(({ number, acl }) => ({ number: BigInt(number), acl })),
    );
    tree.znodes.beforeChangeSet((id) => this.#keep(id));
  }

  get isDone(): boolean {
    return this.#isDone;
  }

  /** Writes up to this many znodes more. Returns the bytes written since the last call, in a buffer of their own. */
  next(znodes: number): Buffer {
    const stop = Math.min(this.#idEnd, this.#at + znodes);
    for (; this.#at < stop; this.#at++) this.#keep(this.#at);
    if (this.#at === this.#idEnd && !this.#isDone) return this.#end();
    return this.#take();
  }

  /** Stops keeping old states; the image is worth nothing then. */
  abandon(): void {
    this.#isDone = true;
    this.#tree.znodes.beforeChangeSet(undefined);
  }

  #end(): Buffer {
    this.abandon();
    this.#writer.string(snapshotPathEnd);
    const parts = [this.#take(), this.#seal()];
    const zxid = BigInt(this.zxid);
    if (this.#digest !== undefined) {
      SnapshotDigest.write(this.#writer, { zxid, version: digestVersion, ...this.#digest });
      parts.push(this.#take(), this.#seal());
    }
    SnapshotZxidLast.write(this.#writer, { zxid });
    parts.push(this.#take(), this.#seal());
    return Buffer.concat(parts);
  }

  /** Of everything taken so far. */
  #seal(): Buffer {
    SnapshotSeal.write(this.#writer, { checksum: BigInt(this.#checksum), path: snapshotPathEnd });
    return this.#take();
  }

  #take(): Buffer {
    const bytes = this.#writer.copy();
    this.#writer.reset();
    this.#checksum = adler32(bytes, 0, bytes.length, this.#checksum);
    return bytes;
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
      const { data, acl, ephemeralOwner, ...rest } = znodes.state(one);
      this.#writer.string(one === rootId ? "" : znodes.path(one));
      const stat = {
        ...rest,
        czxid: BigInt(rest.czxid),
        mzxid: BigInt(rest.mzxid),
        pzxid: BigInt(rest.pzxid),
        ctime: BigInt(rest.ctime),
        mtime: BigInt(rest.mtime),
        ephemeralOwner,
      };
      SnapshotNode.write(this.#writer, { data, acl: BigInt(acl), stat });
    }
  }

  #settle(id: number): void {
    this.#settled[id >>> 3]! |= 1 << (id & 7);
  }

  #isSettled(id: number): boolean {
    return ((this.#settled[id >>> 3]! >> (id & 7)) & 1) === 1;
  }
}
