import { randomUUID } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { messageOf, ServiceError } from "../../../kit/src/errors.ts";
import { nodeDisk, replaceFile } from "../log/disk.ts";
import { lockDirectory } from "./lock-file.ts";

/** A data directory that this process holds. One directory, one process. */
export interface DataDirectory {
  readonly path: string;
  /** Drawn when the directory was made: with another disk, a node is another replica. */
  readonly diskId: string;
  /** Lets another process have it. */
  release(): void;
}

const idName = "disk-id";

/**
 * Opens a data directory, or makes it. Throws `storage.locked` naming the pid that has it,
 * `storage.damaged` when its id is not readable, and `storage.failed` when it cannot be made or written.
 */
export async function openDataDirectory(path: string): Promise<DataDirectory> {
  const release = await usable(path, async () => {
    makeDirectories(resolve(path));
    await nodeDisk.fsyncDirectory(dirname(resolve(path)));
    return lockDirectory(path);
  });
  try {
    return { path, diskId: await usable(path, () => diskIdOf(path)), release };
  } catch (thrown) {
    release();
    throw thrown;
  }
}

/** Says of what the file system refuses which directory it was for. */
async function usable<Result>(directory: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (thrown) {
    if (thrown instanceof ServiceError) throw thrown;
    const what = `the data directory cannot be used: ${messageOf(thrown)}`;
    throw new ServiceError("storage.failed", what, { directory }, { cause: thrown });
  }
}

/** Not `mkdir` with `recursive`: where nothing can be made, as in /proc, Node's never returns. */
function makeDirectories(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return;
  if (dirname(path) !== path) makeDirectories(dirname(path));
  mkdirSync(path, { mode: 0o750 });
}

async function diskIdOf(path: string): Promise<string> {
  const file = join(path, idName);
  if (!readdirSync(path).includes(idName)) {
    if (readdirSync(path).includes("storage")) {
      throw new ServiceError("storage.damaged", "data directory has lost its id", { file });
    }
    await replaceFile(nodeDisk, file, Buffer.from(`${randomUUID()}\n`));
  }
  const id = readFileSync(file, "utf8").trim();
  if (!/^[0-9a-f-]{36}$/.test(id)) {
    throw new ServiceError("storage.damaged", "id of the data directory is damaged", { file });
  }
  return id;
}

/** Where a store keeps what, below the data directory. */
export interface StorePaths {
  readonly root: string;
  readonly log: string;
  readonly trash: string;
  shard(shard: number): string;
}

export function storePaths(data: DataDirectory, shardCount: number): StorePaths {
  const root = join(data.path, "storage");
  const paths: StorePaths = {
    root,
    log: join(root, "log"),
    trash: join(root, "trash"),
    shard: (shard) => join(root, `shard-${String(shard).padStart(4, "0")}`),
  };
  for (const directory of [paths.log, paths.trash]) mkdirSync(directory, { recursive: true });
  for (let shard = 0; shard < shardCount; shard++) {
    mkdirSync(paths.shard(shard), { recursive: true });
  }
  return paths;
}
