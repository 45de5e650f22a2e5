import { hash } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";

import { ServiceError } from "../../kit/src/errors.ts";
import type { SegmentEntry } from "../../storage/src/shard/manifest.ts";
import { decodeZnode, segmentSchema } from "./znode-data.ts";

/** Where folded manifest entries are kept: immutable files that a znode names. */
export interface FoldFiles {
  /** Durable when it resolves. `name` is new. */
  write(shard: number, name: string, entries: readonly SegmentEntry[]): Promise<void>;
  /** Throws `storage.damaged` when the file is not what was written. */
  read(shard: number, name: string): Promise<readonly SegmentEntry[]>;
  /** Removes every other file of the shard. */
  keepOnly(shard: number, name: string | null): Promise<void>;
}

/** Fold files in a directory of their own: the SHA-256 of the rest in the first line, then an entry a line. */
export class DiskFoldFiles implements FoldFiles {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async write(shard: number, name: string, entries: readonly SegmentEntry[]): Promise<void> {
    const directory = join(this.#directory, String(shard));
    await mkdir(directory, { recursive: true });
    const body = entries.map((entry) => `${JSON.stringify(entry)}\n`).join("");
    const path = join(directory, name);
    const file = await open(`${path}.tmp`, "w");
    try {
      await file.writeFile(`${hash("sha256", body)}\n${body}`);
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(`${path}.tmp`, path);
    // Without this a crash may take the name away although the bytes are on disk.
    for (const each of [directory, this.#directory]) await syncDirectory(each);
  }

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

  async keepOnly(shard: number, name: string | null): Promise<void> {
    const directory = join(this.#directory, String(shard));
    const names = await readdir(directory).catch((thrown: NodeJS.ErrnoException) => {
      if (thrown.code === "ENOENT") return [];
      throw thrown;
    });
    for (const each of names) if (each !== name) await rm(join(directory, each), { force: true });
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function damaged(path: string, reason: string, cause?: unknown): ServiceError {
  const text = "a file of the manifest is damaged";
  return new ServiceError("storage.damaged", text, { path, reason }, { cause });
}
