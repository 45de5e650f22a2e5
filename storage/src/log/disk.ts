import * as fs from "node:fs";
import { dirname } from "node:path";

/**
 * What the log asks of a file system. Tests and simulations put faults in here; everything else uses
 * `nodeDisk`. What waits for a device is a promise, what only touches the page cache is not.
 */
export interface Disk {
  readdir(directory: string): string[];
  open(path: string, flags: "r" | "r+" | "wx+"): number;
  close(fd: number): void;
  size(fd: number): number;
  /** Reads exactly `target.length` bytes or to the end; returns how many. */
  read(fd: number, target: Uint8Array, position: number): number;
  /** Writes all buffers, into the page cache. */
  writev(fd: number, buffers: readonly Uint8Array[], position: number): void;
  /** Writes and may wait: for filling files ahead of use. */
  write(fd: number, bytes: Uint8Array, position: number): Promise<void>;
  fdatasync(fd: number): Promise<void>;
  fsync(fd: number): Promise<void>;
  /** Makes creating, renaming and deleting in the directory durable. */
  fsyncDirectory(directory: string): Promise<void>;
  rename(from: string, to: string): void;
  unlink(path: string): void;
}

export const nodeDisk: Disk = {
  readdir: (directory) => fs.readdirSync(directory),
  open: (path, flags) => fs.openSync(path, flags, 0o640),
  close: (fd) => fs.closeSync(fd),
  size: (fd) => fs.fstatSync(fd).size,
  read(fd, target, position) {
    let done = 0;
    while (done < target.length) {
      const got = fs.readSync(fd, target, done, target.length - done, position + done);
      if (got === 0) break;
      done += got;
    }
    return done;
  },
  writev(fd, buffers, position) {
    const rest = [...buffers];
    let first = 0;
    while (first < rest.length) {
      let written = fs.writevSync(fd, first === 0 ? rest : rest.slice(first), position);
      position += written;
      // A short write is not a fault: the rest is written behind it.
      while (first < rest.length && written >= rest[first]!.length) {
        written -= rest[first]!.length;
        first++;
      }
      if (written > 0) rest[first] = rest[first]!.subarray(written);
    }
  },
  async write(fd, bytes, position) {
    let done = 0;
    while (done < bytes.length) {
      done += await new Promise<number>((resolve, reject) => {
        fs.write(fd, bytes, done, bytes.length - done, position + done, (error, written) =>
          error === null ? resolve(written) : reject(error),
        );
      });
    }
  },
  fdatasync: (fd) => settled((done) => fs.fdatasync(fd, done)),
  fsync: (fd) => settled((done) => fs.fsync(fd, done)),
  async fsyncDirectory(directory) {
    const fd = fs.openSync(directory, "r");
    try {
      await settled((done) => fs.fsync(fd, done));
    } finally {
      fs.closeSync(fd);
    }
  },
  rename: (from, to) => fs.renameSync(from, to),
  unlink: (path) => fs.unlinkSync(path),
};

function settled(start: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) => (error === null ? resolve() : reject(error)));
  });
}

/** Replaces a small file so that after a crash it is the old or the new one, whole. */
export async function replaceFile(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  const draft = `${path}.tmp`;
  if (disk.readdir(dirname(path)).includes(draft.slice(dirname(path).length + 1))) {
    disk.unlink(draft);
  }
  const fd = disk.open(draft, "wx+");
  try {
    await disk.write(fd, bytes, 0);
    await disk.fsync(fd);
  } finally {
    disk.close(fd);
  }
  disk.rename(draft, path);
  await disk.fsyncDirectory(dirname(path));
}
