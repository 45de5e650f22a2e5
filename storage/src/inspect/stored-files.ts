import { type Dirent, readdirSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { ServiceError } from "../../../kit/src/errors.ts";

export type StoredKind = "segment" | "checkpoint" | "epochs" | "log";

/** A file in which a store keeps records or what belongs to them. */
export interface StoredFile {
  readonly path: string;
  readonly kind: StoredKind;
  readonly bytes: number;
  /** Whose folder it lies in; undefined for what is of all shards, and for files elsewhere. */
  readonly shard: number | undefined;
}

const kinds: readonly (readonly [RegExp, StoredKind])[] = [
  // In the trash, the time it was dropped stands before.
  [/^(\d+-)?\d+-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, "segment"],
  [/^checkpoint-\d+-[0-9a-f-]{36}$/, "checkpoint"],
  [/^epochs$/, "epochs"],
  [/^log-\d{12}$/, "log"],
];

/**
 * The files of a store below a path: a data directory, a folder within it, or one file. The trash counts only where
 * it is named. In the order of shards and names. Throws `storage.failed` when there is none.
 */
export function storedFiles(path: string): readonly StoredFile[] {
  const stat = statSync(path, { throwIfNoEntry: false });
  const found = stat?.isDirectory() === true ? filesBelow(path) : stat && [storedFile(path)];
  const files = (found ?? []).filter((file) => file !== undefined);
  if (files.length > 0) return files;
  const what = stat === undefined ? "there is no such file" : "nothing of a store is here";
  throw new ServiceError("storage.failed", `${what}: ${path}`);
}

function filesBelow(folder: string): StoredFile[] {
  const entries: Dirent[] = readdirSync(folder, { withFileTypes: true });
  const names = entries.map(({ name }) => name).sort();
  const isData = names.includes("disk-id") && names.includes("storage");
  if (isData) return filesBelow(join(folder, "storage"));
  const folders = new Set(entries.filter((each) => each.isDirectory()).map(({ name }) => name));
  return names.flatMap((name) => {
    const path = join(folder, name);
    if (folders.has(name)) return /^(shard-\d+|log)$/.test(name) ? filesBelow(path) : [];
    const file = storedFile(path);
    return file === undefined ? [] : [file];
  });
}

function storedFile(path: string): StoredFile | undefined {
  const kind = kinds.find(([pattern]) => pattern.test(basename(path)))?.[1];
  const bytes = statSync(path, { throwIfNoEntry: false })?.size;
  // Merged away since the folder was read.
  if (kind === undefined || bytes === undefined) return undefined;
  const shard = /^shard-(\d+)$/.exec(basename(dirname(path)))?.[1];
  return { path, kind, bytes, shard: shard === undefined ? undefined : Number(shard) };
}
