import { randomBytes } from "node:crypto";
import { open, rm } from "node:fs/promises";
import { join } from "node:path";

import { ServiceError } from "../../../kit/src/errors.ts";
import { treeRestore } from "../tree/restore.ts";
import { adler32 } from "../wire/adler32.ts";
import { WireError } from "../wire/errors.ts";
import { SnapshotZxidLast } from "../wire/files.ts";
import { JuteReader } from "../wire/reader.ts";
import { imageName, readWhole } from "./files.ts";

/**
 * Writes a snapshot file as it comes, durably, under a name that no recovery looks at. Returns its path. Throws
 * `storage.full` for more than `bytesMax` bytes, and what the disk or the sender fails with; the file is gone then.
 */
export async function snapshotFileTake(
  directory: string,
  bytes: AsyncIterable<Buffer>,
  bytesMax: number,
): Promise<string> {
  const path = join(directory, imageName(0, randomBytes(4).toString("hex")));
  const file = await open(path, "wx");
  try {
    let size = 0;
    for await (const chunk of bytes) {
      size += chunk.length;
      if (size > bytesMax) {
        throw new ServiceError("storage.full", "a snapshot is larger than is taken", { bytesMax });
      }
      await file.writeFile(chunk);
    }
    await file.datasync();
    await file.close();
    return path;
  } catch (thrown) {
    await file.close().catch(() => undefined);
    await rm(path, { force: true });
    throw thrown;
  }
}

/**
 * The zxid that a snapshot file says it holds. Throws `storage.damaged` when it is not whole, or of a server before 3.9:
 * only its name would tell then.
 */
export function snapshotFileCheck(path: string): number {
  const bytes = readWhole(path);
  try {
    const zxid = zxidLastRead(bytes);
    treeRestore(bytes, zxid);
    return zxid;
  } catch (thrown) {
    if (!(thrown instanceof WireError)) throw thrown;
    const fields = { offset: thrown.offset, fault: thrown.fault };
    const message = `this is no whole snapshot: ${thrown.message}`;
    throw new ServiceError("storage.damaged", message, fields, { cause: thrown });
  }
}

/** What stands between the last two seals. */
function zxidLastRead(bytes: Buffer): number {
  const at = bytes.length - sealBytes - zxidBytes;
  const sealAt = at - sealBytes;
  if (sealAt < 0) throw new WireError("truncated", "it is too short", bytes.length);
  const seal = new JuteReader(bytes, sealAt);
  if (seal.long() !== BigInt(adler32(bytes, 0, sealAt))) {
    throw new WireError("checksum", "it does not say which zxid it holds", sealAt);
  }
  const zxid = Number(SnapshotZxidLast.read(new JuteReader(bytes, at)).zxid);
  if (!Number.isSafeInteger(zxid) || zxid < 0) throw new WireError("range", "its zxid is none", at);
  return zxid;
}

/** A checksum, and the path "/". */
const sealBytes = 8 + 4 + 1;
const zxidBytes = 8;
