import { readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

import { ServiceError } from "../../../kit/src/errors.ts";
import { directorySync, type NamedFile, snapshotName } from "./files.ts";

/** Where a directory's files lie: both may be the same. */
export interface Directories {
  readonly snapshots: string;
  readonly logs: string;
}

/**
 * Puts a snapshot into force in place of everything else, in three steps: it is renamed to what says so
 * (`snapshot.<zxid>.installing`), all else is removed, it gets its own name. A crash before the first is durable leaves
 * the old state; after it every start goes on from there, by `installFinish`. Without that name a crash among the
 * removals would leave a snapshot and logs of two histories, which no reader could tell from one.
 */
export function installBegin(path: string, zxid: number, directories: Directories): NamedFile {
  const file = { path: join(directories.snapshots, `${snapshotName(zxid)}${suffix}`), zxid };
  renameSync(path, file.path);
  directorySync(directories.snapshots);
  return file;
}

/** The snapshot that a crash kept from coming into force. */
export function installPending(directories: Directories): NamedFile | undefined {
  const found: NamedFile[] = [];
  for (const name of readdirSync(directories.snapshots)) {
    const match = /^snapshot\.([0-9a-f]{1,14})\.installing$/.exec(name);
    if (match === null) continue;
    const path = join(directories.snapshots, name);
    found.push({ path, zxid: Number.parseInt(match[1]!, 16) });
  }
  if (found.length > 1) {
    const paths = found.map(({ path }) => path);
    throw new ServiceError("storage.damaged", "two snapshots are to replace everything", { paths });
  }
  return found[0];
}

/** Removes every log and every other snapshot. The next log or snapshot is of the new history only. */
export function installFinish(file: NamedFile, { snapshots, logs }: Directories): void {
  for (const directory of new Set([snapshots, logs])) {
    for (const name of readdirSync(directory)) {
      const path = join(directory, name);
      // A purge that is still under way may have been there first.
      if (/^(log|snapshot)\./.test(name) && path !== file.path) rmSync(path, { force: true });
    }
    // Before the name that says so is given up, nothing may come back.
    directorySync(directory);
  }
  renameSync(file.path, join(snapshots, snapshotName(file.zxid)));
  directorySync(snapshots);
}

const suffix = ".installing";
