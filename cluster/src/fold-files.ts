import { hash } from "node:crypto";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";

import { ServiceError } from "../../kit/src/errors.ts";
import type { SegmentEntry } from "../../storage/src/shard/manifest.ts";
import { decodeZnode, segmentSchema } from "./znode-data.ts";

/**
 * Folded manifest entries as they were kept before they lay in znodes: files on the owner's disk, the SHA-256 of the rest in the
 * first line, then an entry a line. They are read once, by the first owner that finds one named.
 */
export class FoldFiles {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Throws `storage.damaged` when the file is not there, or not what was written. */
  async read(shard: number, name: string): Promise<readonly SegmentEntry[]> {
    const path = join(this.#directory, String(shard), name);
    const text = await readFile(path, "utf8").catch((thrown: unknown) => {
      throw damaged(path, "it cannot be read", thrown);
    });
    const end = text.indexOf("\n");
    const body = text.slice(end + 1);
    if (hash("sha256", body) !== text.slice(0, end)) throw damaged(path, "its checksum differs");
    const lines = body.split("\n").slice(0, -1);
    return lines.map((line) => decodeZnode(segmentSchema, path, Buffer.from(line)));
  }

  /** Removes every other file of the shard. */
  async keepOnly(shard: number, name: string | null): Promise<void> {
    const directory = join(this.#directory, String(shard));
    const names = await readdir(directory).catch((thrown: NodeJS.ErrnoException) => {
      if (thrown.code === "ENOENT") return [];
      throw thrown;
    });
    for (const each of names) if (each !== name) await rm(join(directory, each), { force: true });
  }
}

function damaged(path: string, reason: string, cause?: unknown): ServiceError {
  const text = "a file of the manifest is damaged";
  return new ServiceError("storage.damaged", text, { path, reason }, { cause });
}
