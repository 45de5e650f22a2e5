import { randomBytes } from "node:crypto";
import { join } from "node:path";

import { messageOf, ServiceError } from "../../../kit/src/errors.ts";
import type { ImageSink } from "../quorum/ports.ts";
import { adler32 } from "../wire/adler32.ts";
import { encode } from "../wire/codec.ts";
import {
  FileHeader,
  fileVersion,
  SnapshotSeal,
  snapshotDbid,
  snapshotMagic,
  snapshotPathEnd,
} from "../wire/files.ts";
import { imageName } from "./files.ts";
import { closeFile, openFile, removeFile, syncData, writeAllLater } from "./files-async.ts";

/**
 * A snapshot that comes from a leader, written to a file of its own as it comes. It is nothing that a
 * recovery would look at before `TxnLog.replaceWith` puts it into force. That the bytes are an image and the
 * whole of one is for the caller to see.
 */
export class SnapshotSpool implements ImageSink {
  readonly directory: string;
  /** What the snapshot holds, through this zxid. */
  readonly zxid: number;
  readonly path: string;
  readonly #bytesMax: number;
  #fd: number | undefined;
  #position = 0;
  #checksum = 1;
  /** The last bytes of the body, where the path that ends an image must be. */
  #tail: Buffer = Buffer.alloc(0);
  #state: "open" | "whole" | "gone" = "open";
  /** What was asked for so far; it never rejects. */
  #done: Promise<void> = Promise.resolve();

  /** `directory` is where snapshots lie; more than `bytesMax` bytes are refused. */
  constructor(directory: string, zxid: number, { bytesMax }: { readonly bytesMax: number }) {
    this.directory = directory;
    this.zxid = zxid;
    // Of a name that no other has: one that was abandoned may go while the next one comes.
    this.path = join(directory, imageName(zxid, randomBytes(4).toString("hex")));
    this.#bytesMax = bytesMax;
  }

  /** All of it is durable. */
  get isWhole(): boolean {
    return this.#state === "whole";
  }

  /** Rejects `storage.full` or `storage.failed`; the file is gone then. The bytes may be reused once it resolves. */
  write(bytes: Buffer): Promise<void> {
    return this.#then(async () => {
      if (this.#position + bytes.length > this.#bytesMax) {
        const fields = { bytesMax: this.#bytesMax };
        throw new ServiceError("storage.full", "an image is larger than is taken", fields);
      }
      await this.#begin();
      await this.#put(bytes);
      const tail = bytes.subarray(-imageEnd.length);
      this.#tail = Buffer.concat([this.#tail, tail]).subarray(-imageEnd.length);
    });
  }

  end(): Promise<void> {
    return this.#then(async () => {
      if (!this.#tail.equals(imageEnd)) {
        throw new ServiceError("storage.failed", "an image ends before its end", {});
      }
      const seal = { checksum: BigInt(this.#checksum), path: snapshotPathEnd };
      await this.#put(encode(SnapshotSeal, seal));
      await syncData(this.#fd!);
      await closeFile(this.#fd!);
      this.#fd = undefined;
      this.#state = "whole";
    });
  }

  /** Removes the file, in its own time. */
  abandon(): void {
    if (this.#state === "gone") return;
    this.#state = "gone";
    this.#done = this.#done.then(() => this.#remove());
  }

  /** Resolves when everything asked for so far is over, however it went. */
  settled(): Promise<void> {
    return this.#done;
  }

  #then(task: () => Promise<void>): Promise<void> {
    const result = this.#done.then(async () => {
      if (this.#state !== "open") {
        throw new ServiceError("storage.failed", "an image was given up", { path: this.path });
      }
      try {
        await task();
      } catch (thrown) {
        // The disk may have taken any part of it.
        this.#state = "gone";
        await this.#remove();
        throw failureOf(thrown, this.path);
      }
    });
    this.#done = result.catch(() => undefined);
    return result;
  }

  async #begin(): Promise<void> {
    if (this.#fd !== undefined) return;
    this.#fd = await openFile(this.path, "wx");
    const header = { magic: snapshotMagic, version: fileVersion, dbid: snapshotDbid };
    await this.#put(encode(FileHeader, header));
  }

  async #put(bytes: Buffer): Promise<void> {
    this.#checksum = adler32(bytes, 0, bytes.length, this.#checksum);
    await writeAllLater(this.#fd!, bytes, this.#position);
    this.#position += bytes.length;
  }

  /** What cannot be removed now is removed at the next start. */
  async #remove(): Promise<void> {
    const fd = this.#fd;
    this.#fd = undefined;
    if (fd !== undefined) await closeFile(fd).catch(() => undefined);
    await removeFile(this.path).catch(() => undefined);
  }
}

/** The path "/", which follows the last znode. */
const imageEnd = Buffer.from([0, 0, 0, 1, 0x2f]);

function failureOf(thrown: unknown, path: string): ServiceError {
  if (thrown instanceof ServiceError) return thrown;
  const isFull = ["ENOSPC", "EDQUOT"].includes((thrown as NodeJS.ErrnoException).code ?? "");
  const code = isFull ? "storage.full" : "storage.failed";
  return new ServiceError(
    code,
    `an image cannot be kept: ${messageOf(thrown)}`,
    { path },
    {
      cause: thrown,
    },
  );
}
