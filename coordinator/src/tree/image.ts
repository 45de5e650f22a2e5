import { adler32 } from "../wire/adler32.ts";
import {
  FileHeader,
  fileVersion,
  SnapshotDigest,
  SnapshotSeal,
  SnapshotZxidLast,
  snapshotDbid,
  snapshotMagic,
  snapshotPathEnd,
} from "../wire/files.ts";
import { JuteWriter } from "../wire/writer.ts";
import { ImageBody } from "./image-body.ts";
import { imageKeptBytesMax, imageTurnBytes, imageTurnZnodes } from "./limits.ts";
import type { Tree } from "./tree.ts";
import type { DigestSum } from "./tree-digest.ts";
import { digestVersion } from "./znode-digest.ts";

/** An image of the tree in the form of ZooKeeper's snapshot files: header, body, and what seals it. */
export class TreeImage<W extends object> {
  readonly #body: ImageBody<W>;
  /** As it was at the beginning. */
  readonly #digest: DigestSum | undefined;
  readonly #writer = new JuteWriter();
  #checksum = 1;

  /** Begins an image of the tree as it is now; it must be run to its end or abandoned. */
  constructor(tree: Tree<W>, keptBytesMax = imageKeptBytesMax) {
    const { digest } = tree.znodes;
    this.#digest = digest === undefined ? undefined : { high: digest.high, low: digest.low };
    this.#body = new ImageBody(tree, keptBytesMax);
    FileHeader.write(this.#writer, {
      magic: snapshotMagic,
      version: fileVersion,
      dbid: snapshotDbid,
    });
  }

  get zxid(): number {
    return this.#body.zxid;
  }

  get isDone(): boolean {
    return this.#body.isDone;
  }

  /**
   * The next piece: so many znodes more, fewer when they are large. In a buffer of its own. Throws an `ImageOverrunError` when
   * more changed since the last call than is kept.
   */
  next(znodes = imageTurnZnodes): Buffer {
    const header = this.#take();
    const body = this.#body.next(znodes, imageTurnBytes);
    this.#checksum = adler32(body, 0, body.length, this.#checksum);
    const parts = [header, body];
    if (this.#body.isDone) parts.push(...this.#seals());
    return Buffer.concat(parts);
  }

  /** The image is worth nothing then. */
  abandon(): void {
    this.#body.abandon();
  }

  #seals(): Buffer[] {
    const parts = [this.#seal()];
    const zxid = BigInt(this.zxid);
    if (this.#digest !== undefined) {
      SnapshotDigest.write(this.#writer, { zxid, version: digestVersion, ...this.#digest });
      parts.push(this.#take(), this.#seal());
    }
    SnapshotZxidLast.write(this.#writer, { zxid });
    parts.push(this.#take(), this.#seal());
    return parts;
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
}

/**
 * An image as a leader sends it to a learner: the body of a snapshot and nothing else. What Apache's servers send
 * has no digest in it either; it follows with the next txn.
 */
export class WireImage<W extends object> {
  readonly #body: ImageBody<W>;

  /** Begins an image of the tree as it is now; it must be run to its end or abandoned. */
  constructor(tree: Tree<W>, keptBytesMax = imageKeptBytesMax) {
    this.#body = new ImageBody(tree, keptBytesMax);
  }

  get zxid(): number {
    return this.#body.zxid;
  }

  get isDone(): boolean {
    return this.#body.isDone;
  }

  /** The next piece, in a buffer of its own. Throws an `ImageOverrunError` when the receiver is too slow. */
  next(): Buffer {
    return this.#body.next(imageTurnZnodes, imageTurnBytes);
  }

  abandon(): void {
    this.#body.abandon();
  }
}
