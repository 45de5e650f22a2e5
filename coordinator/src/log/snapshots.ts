import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";

import { TreeImage } from "../tree/image.ts";
import type { Tree } from "../tree/tree.ts";
import { fileReplace, filesNamed, type NamedFile, snapshotName, temporarySuffix } from "./files.ts";
import {
  closeFile,
  directorySyncLater,
  openFile,
  removeFile,
  renameFile,
  syncData,
  writeAllLater,
} from "./files-async.ts";
import { snapshotsKept } from "./limits.ts";

/** Writes a snapshot in one go: for a tree that is still small, before anything is served. */
export function snapshotWriteNow<W extends object>(directory: string, tree: Tree<W>): void {
  const image = new TreeImage(tree);
  const pieces: Buffer[] = [];
  while (!image.isDone) pieces.push(image.next());
  fileReplace(directory, snapshotName(image.zxid), Buffer.concat(pieces));
}

/**
 * Writes a snapshot of the tree as it is at the call, a few znodes a turn, while the tree goes on
 * changing. Durable under its name when it resolves, with the zxid it holds; undefined when it was abandoned.
 */
export async function snapshotWrite<W extends object>(
  directory: string,
  tree: Tree<W>,
  signal: AbortSignal,
): Promise<number | undefined> {
  const image = new TreeImage(tree);
  const path = join(directory, snapshotName(image.zxid));
  const temporary = `${path}${temporarySuffix}`;
  try {
    const fd = await openFile(temporary, "w");
    try {
      await imageWrite(fd, image, signal);
      if (!signal.aborted) await syncData(fd);
    } finally {
      await closeFile(fd);
    }
    if (!signal.aborted) {
      await renameFile(temporary, path);
      await directorySyncLater(directory);
      return image.zxid;
    }
  } catch (thrown) {
    await removeFile(temporary).catch(() => undefined);
    throw thrown;
  } finally {
    image.abandon();
  }
  await removeFile(temporary);
  return undefined;
}

async function imageWrite<W extends object>(
  fd: number,
  image: TreeImage<W>,
  signal: AbortSignal,
): Promise<void> {
  let position = 0;
  while (!image.isDone && !signal.aborted) {
    const bytes = image.next();
    await writeAllLater(fd, bytes, position);
    position += bytes.length;
    await turn();
  }
}

/** Files that no recovery needs any more: all but the newest snapshots, and logs before the oldest of those. */
export function purgeable(
  directory: string,
  kept = snapshotsKept,
  logDirectory = directory,
): readonly NamedFile[] {
  const snapshots = filesNamed(directory, "snapshot");
  const oldest = snapshots.at(-kept);
  if (oldest === undefined) return [];
  const logs = filesNamed(logDirectory, "log");
  // The last log that begins at or below the snapshot may hold the first txns after it.
  const firstNeeded = logs.findLastIndex((log) => log.zxid <= oldest.zxid + 1);
  const purge = [...snapshots.slice(0, -kept)];
  if (firstNeeded > 0) purge.push(...logs.slice(0, firstNeeded));
  return purge;
}
