import { close, fdatasync, fsync, open, rename, write } from "node:fs";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { promisify } from "node:util";

import { TreeImage } from "../tree/image.ts";
import type { Tree } from "../tree/tree.ts";
import { fileReplace, filesNamed, type NamedFile, snapshotName, temporarySuffix } from "./files.ts";
import { snapshotsKept, snapshotTurnZnodes } from "./limits.ts";

/** Writes a snapshot in one go: for a tree that is still small, before anything is served. */
export function snapshotWriteNow<W extends object>(directory: string, tree: Tree<W>): void {
  const image = new TreeImage(tree);
  fileReplace(directory, snapshotName(image.zxid), image.next(tree.znodes.idEnd));
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
  try {
    const path = join(directory, snapshotName(image.zxid));
    const fd = await openFile(`${path}${temporarySuffix}`, "w");
    try {
      await imageWrite(fd, image, signal);
      if (signal.aborted) return undefined;
      await sync(fd);
    } finally {
      await closeFile(fd);
    }
    await renameFile(`${path}${temporarySuffix}`, path);
    await directorySyncLater(directory);
    return image.zxid;
  } finally {
    image.abandon();
  }
}

async function imageWrite<W extends object>(
  fd: number,
  image: TreeImage<W>,
  signal: AbortSignal,
): Promise<void> {
  let position = 0;
  while (!image.isDone && !signal.aborted) {
    const bytes = image.next(snapshotTurnZnodes);
    for (let at = 0; at < bytes.length; ) {
      const { bytesWritten } = await writeFile(fd, bytes, at, bytes.length - at, position + at);
      at += bytesWritten;
    }
    position += bytes.length;
    await turn();
  }
}

/** Files that no recovery needs any more: all but the newest snapshots, and logs before the oldest of those. */
export function purgeable(directory: string, kept = snapshotsKept): readonly NamedFile[] {
  const snapshots = filesNamed(directory, "snapshot");
  const oldest = snapshots.at(-kept);
  if (oldest === undefined) return [];
  const logs = filesNamed(directory, "log");
  // The last log that begins at or below the snapshot may hold the first txns after it.
  const firstNeeded = logs.findLastIndex((log) => log.zxid <= oldest.zxid + 1);
  const purge = [...snapshots.slice(0, -kept)];
  if (firstNeeded > 0) purge.push(...logs.slice(0, firstNeeded));
  return purge;
}

/** As `directorySync`, off this thread. */
async function directorySyncLater(directory: string): Promise<void> {
  const fd = await openFile(directory, "r");
  try {
    await promisify(fsync)(fd);
  } finally {
    await closeFile(fd);
  }
}

const openFile = promisify(open);
const closeFile = promisify(close);
const renameFile = promisify(rename);
const sync = promisify(fdatasync);
const writeFile = promisify(write) as (
  fd: number,
  bytes: Buffer,
  offset: number,
  length: number,
  position: number,
) => Promise<{ readonly bytesWritten: number }>;
