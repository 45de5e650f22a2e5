import { createHash } from "node:crypto";
import { createReadStream, type Stats } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { pipeline, type Readable } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { pause } from "../../../kit/src/pause.ts";
import { headMaxBytes, idleMs, pollMs, readBytes } from "./limits.ts";

/** What a source gives: bytes, or the word that there are none for now. */
export type Piece = Uint8Array | "idle";

/** Bytes of a file on disk: by how many it is known, and how far it has been read. */
export interface Meter {
  /** Undefined when nobody knows, as of a pipe. */
  readonly totalBytes: number | undefined;
  readonly readBytes: number;
}

type Compression = "gzip" | "zstd" | "none";

/** A file that has been opened; it keeps its bytes when its name goes to another one. */
export class OpenFile {
  readonly path: string;
  readonly stats: Stats;
  readonly compression: Compression;
  readonly #handle: FileHandle;
  #readBytes = 0;

  private constructor(path: string, handle: FileHandle, stats: Stats, compression: Compression) {
    this.path = path;
    this.#handle = handle;
    this.stats = stats;
    this.compression = compression;
  }

  /** Throws the system's error when it cannot be read. */
  static async open(path: string): Promise<OpenFile> {
    const handle = await open(path, "r");
    try {
      const stats = await handle.stat();
      if (stats.isDirectory()) throw new Error(`${path} is a directory`);
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(4), 0, 4, 0);
      return new OpenFile(path, handle, stats, compressionOf(buffer.subarray(0, bytesRead)));
    } catch (thrown) {
      await handle.close();
      throw thrown;
    }
  }

  get meter(): Meter {
    return { totalBytes: this.stats.size, readBytes: this.#readBytes };
  }

  /** SHA-256 over the first `bytes` bytes, or over as many as there are up to a bound. */
  async head(
    bytes: number = headMaxBytes,
  ): Promise<{ readonly bytes: number; readonly hash: string }> {
    const { buffer, bytesRead } = await this.#handle.read(Buffer.alloc(bytes), 0, bytes, 0);
    const hash = createHash("sha256").update(buffer.subarray(0, bytesRead)).digest("hex");
    return { bytes: bytesRead, hash };
  }

  /** The content from an offset (of what is inflated) to the end as it is now. */
  async *read(offset: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    if (this.compression === "none") {
      for (let at = offset; !signal.aborted; ) {
        const bytes = await this.#chunk(at);
        if (bytes.length === 0) return;
        at += bytes.length;
        yield bytes;
      }
    } else {
      yield* skipped(this.#inflated(), offset);
    }
  }

  /**
   * The content from an offset on, and what is added to it, until the name belongs to another file or
   * the file was cut short. Returns which of the two it was, or that the signal came.
   */
  async *follow(
    offset: number,
    signal: AbortSignal,
  ): AsyncGenerator<Piece, "rotated" | "truncated" | "stopped"> {
    let at = offset;
    let isRotated = false;
    let quietMs = 0;
    while (!signal.aborted) {
      const bytes = await this.#chunk(at);
      if (bytes.length > 0) {
        at += bytes.length;
        quietMs = 0;
        yield bytes;
        continue;
      }
      // Writers keep the old file open for a moment: it is done when it gave nothing once more.
      if (isRotated && quietMs >= idleMs) return "rotated";
      if ((await this.#handle.stat()).size < at) return "truncated";
      isRotated = !(await this.#isStillNamed());
      quietMs += pollMs;
      if (quietMs >= idleMs && quietMs < idleMs + pollMs) yield "idle";
      if (await pause(pollMs, signal)) break;
    }
    return "stopped";
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  async #chunk(at: number): Promise<Uint8Array> {
    const { buffer, bytesRead } = await this.#handle.read(
      Buffer.allocUnsafe(readBytes),
      0,
      readBytes,
      at,
    );
    this.#readBytes = at + bytesRead;
    return buffer.subarray(0, bytesRead);
  }

  async #isStillNamed(): Promise<boolean> {
    try {
      const now = await stat(this.path);
      return now.ino === this.stats.ino && now.dev === this.stats.dev;
    } catch {
      return false;
    }
  }

  #inflated(): Readable {
    // The handle is closed by us, and read by position, so that nothing else moves with it.
    const raw = createReadStream("", {
      fd: this.#handle,
      start: 0,
      autoClose: false,
      highWaterMark: readBytes,
    });
    raw.on("data", (chunk) => {
      this.#readBytes += chunk.length;
    });
    raw.pause();
    const inflate = this.compression === "gzip" ? createGunzip() : createZstdDecompress();
    // An error reaches whoever reads `inflate`, which the pipeline destroys with it.
    pipeline(raw, inflate, () => undefined);
    return inflate;
  }
}

/** A pipe's bytes, and "idle" whenever none have come for a while. */
export async function* pieces(stream: Readable, signal: AbortSignal): AsyncGenerator<Piece> {
  const iterator = stream[Symbol.asyncIterator]() as AsyncIterator<Uint8Array | string>;
  let next = iterator.next();
  let hasIdled = true;
  while (!signal.aborted) {
    const turn = new AbortController();
    const any = AbortSignal.any([signal, turn.signal]);
    const idle = hasIdled ? never(any) : pause(idleMs, any).then(() => undefined);
    const result = await Promise.race([next, idle]);
    turn.abort();
    if (result === undefined) {
      if (signal.aborted) break;
      hasIdled = true;
      yield "idle";
      continue;
    }
    if (result.done === true) return;
    hasIdled = false;
    yield typeof result.value === "string" ? Buffer.from(result.value) : result.value;
    next = iterator.next();
  }
  // The read that is under way ends with the stream; nobody waits for it.
  next.catch(() => undefined);
  stream.destroy();
}

function never(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
}

function compressionOf(head: Buffer): Compression {
  if (head.length >= 2 && head.readUInt16BE(0) === 0x1f8b) return "gzip";
  if (head.length >= 4 && head.readUInt32LE(0) === 0xfd2fb528) return "zstd";
  return "none";
}

async function* skipped(
  chunks: AsyncIterable<Uint8Array>,
  bytes: number,
): AsyncGenerator<Uint8Array> {
  let left = bytes;
  for await (const chunk of chunks) {
    if (left >= chunk.length) {
      left -= chunk.length;
    } else {
      yield left === 0 ? chunk : chunk.subarray(left);
      left = 0;
    }
  }
}
