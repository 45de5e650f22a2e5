import { WireError } from "../wire/errors.ts";
import { entryBytesMax } from "../wire/limits.ts";
import { imageSignature } from "../wire/quorum.ts";

/** Bytes of each field that the scanner looks at; what lies between is passed over. */
const widths = {
  sessionCount: 4,
  aclCount: 4,
  /** The number of a list, and how many entries it has. */
  aclList: 12,
  /** The permissions, and the length of the scheme. */
  aclEntry: 8,
  aclId: 4,
  path: 4,
  pathOfOne: 1,
  data: 4,
  /** A string: its length and itself. */
  signature: 14,
  done: 0,
} as const;

type Field = keyof typeof widths;

/** Session id and timeout. */
const sessionBytes = 12;
/** After a znode's data: ACL number and persisted stat. */
const znodeTailBytes = 8 + 60;
const slash = "/".charCodeAt(0);

/**
 * Finds the end of an image in a stream: sessions, ACLs and znodes through the path "/", then the signature. It keeps
 * nothing but a field that is split between chunks, and makes no objects of what it passes.
 */
export class ImageScanner {
  #field: Field = "sessionCount";
  /** Bytes to be passed before the field. */
  #skip = 0;
  #lists = 0;
  #entries = 0;
  readonly #part = Buffer.alloc(16);
  #partLength = 0;

  /** The image and its signature were passed. */
  get isDone(): boolean {
    return this.#field === "done";
  }

  /**
   * Passes over a chunk. Returns how many of its bytes are the image, and how many were taken: more at the end, since the
   * signature is no part of the image. Throws a `WireError` when this is no image.
   */
  push(chunk: Buffer): { readonly image: number; readonly taken: number } {
    let image = this.#field === "signature" ? 0 : undefined;
    let at = 0;
    while (at < chunk.length && this.#field !== "done") {
      if (this.#skip > 0) {
        const passed = Math.min(this.#skip, chunk.length - at);
        this.#skip -= passed;
        at += passed;
        continue;
      }
      at = this.#pass(chunk, at);
      if (image === undefined && this.#field === "signature") image = at;
    }
    return { image: image ?? at, taken: at };
  }

  #pass(chunk: Buffer, at: number): number {
    const width = widths[this.#field];
    if (this.#partLength === 0 && chunk.length - at >= width) {
      this.#take(chunk, at);
      return at + width;
    }
    const copied = chunk.copy(this.#part, this.#partLength, at, at + width - this.#partLength);
    this.#partLength += copied;
    if (this.#partLength === width) {
      this.#partLength = 0;
      this.#take(this.#part, 0);
    }
    return at + copied;
  }

  #take(bytes: Buffer, at: number): void {
    switch (this.#field) {
      case "sessionCount":
        this.#skip = countRead(bytes, at) * sessionBytes;
        this.#field = "aclCount";
        return;
      case "aclCount":
        this.#lists = countRead(bytes, at);
        this.#field = this.#lists > 0 ? "aclList" : "path";
        return;
      case "aclList":
        this.#entries = countRead(bytes, at + 8);
        this.#aclNext();
        return;
      case "aclEntry":
        this.#skip = lengthRead(bytes, at + 4);
        this.#field = "aclId";
        return;
      case "aclId":
        this.#skip = lengthRead(bytes, at);
        this.#entries--;
        this.#aclNext();
        return;
      case "path":
        this.#skip = lengthRead(bytes, at);
        this.#field = "data";
        if (this.#skip !== 1) return;
        this.#skip = 0;
        this.#field = "pathOfOne";
        return;
      case "pathOfOne":
        if (bytes[at] !== slash) throw new WireError("text", "a znode of an image has no path", at);
        this.#field = "signature";
        return;
      case "data":
        this.#skip = lengthRead(bytes, at) + znodeTailBytes;
        this.#field = "path";
        return;
      case "signature":
        signatureCheck(bytes, at);
        this.#field = "done";
        return;
      case "done":
        return;
    }
  }

  #aclNext(): void {
    if (this.#entries > 0) this.#field = "aclEntry";
    else this.#field = --this.#lists > 0 ? "aclList" : "path";
  }
}

/** -1 counts as 0, as in every vector of ZooKeeper's. */
function countRead(bytes: Buffer, at: number): number {
  const count = bytes.readInt32BE(at);
  if (count < -1) throw new WireError("length", `an image with a count of ${count}`, at);
  return Math.max(0, count);
}

function lengthRead(bytes: Buffer, at: number): number {
  const length = bytes.readInt32BE(at);
  if (length < -1 || length > entryBytesMax) {
    throw new WireError("length", `an image with a length of ${length}`, at);
  }
  return Math.max(0, length);
}

function signatureCheck(bytes: Buffer, at: number): void {
  const length = bytes.readInt32BE(at);
  const text = bytes.toString("latin1", at + 4, at + 14);
  if (length !== imageSignature.length || text !== imageSignature) {
    throw new WireError("magic", "an image without its signature", at);
  }
}
