import { open } from "node:fs/promises";
import { join } from "node:path";
import { messageOf, ServiceError } from "../../../kit/src/errors.ts";
import type { SegmentFilePart } from "./segment-source.ts";

/** Names of segments and checkpoints: others ask for them, so nothing that could lead out of the directory, and no draft. */
const namePattern = /^[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*$/;
const draftPattern = /\.part$/;

/** What the file of a segment is called: its epoch and uuid. */
export const segmentFilePattern = /^\d+-[0-9a-f-]{36}$/;

/**
 * Reads parts of this node's own sealed files, as `SegmentSource.read` does of others'; undefined where there is no such file.
 * `directoryOf`: where the files of a shard lie. Rejects with `storage.failed`.
 */
export function segmentFileReader(
  directoryOf: (shard: number) => string | undefined,
): (part: SegmentFilePart) => Promise<Uint8Array | undefined> {
  return async ({ shard, file, offset, length }) => {
    const directory = directoryOf(shard);
    const isName = namePattern.test(file) && !draftPattern.test(file);
    if (directory === undefined || !isName) return undefined;
    try {
      // A part a call: a handle that stays open would keep what is dropped meanwhile.
      await using handle = await open(join(directory, file), "r");
      const bytes = Buffer.allocUnsafeSlow(length);
      let filled = 0;
      while (filled < length) {
        const { bytesRead } = await handle.read(bytes, filled, length - filled, offset + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return bytes.subarray(0, filled);
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      const facts = { shard, file, reason: messageOf(thrown) };
      throw new ServiceError("storage.failed", "a sealed file cannot be read", facts);
    }
  };
}
