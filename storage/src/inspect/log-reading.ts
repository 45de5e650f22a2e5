import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { ServiceError } from "../../../kit/src/errors.ts";
import { headDecode, logFileSequence } from "../log/log-file.ts";
import { type FileScan, scanFile } from "../log/scan.ts";

/** A file of the commit log as it was read; nothing of it is changed. */
export interface LogFileRead {
  readonly bytes: Buffer;
  readonly sequence: number;
  readonly scan: FileScan;
}

/** Throws `storage.damaged` when the file has no head, and what the file system throws. */
export function readLogFile(path: string): LogFileRead {
  const bytes = readFileSync(path);
  const head = headDecode(bytes);
  if (head === undefined || head.sequence !== logFileSequence(basename(path))) {
    throw new ServiceError("storage.damaged", "head of the file is damaged", { file: path });
  }
  return { bytes, sequence: head.sequence, scan: scanFile(bytes, head.fileId) };
}
