import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { ServiceError } from "../../../kit/src/errors.ts";
import type { EpochFile } from "../core/peer.ts";
import { epochMax } from "../core/zxid.ts";
import { fileReplace } from "./files.ts";

/** The epoch in a file of the directory, as decimal text; undefined when there is none yet. */
export function epochRead(directory: string, file: EpochFile): number | undefined {
  const path = join(directory, file);
  if (!existsSync(path)) return undefined;
  const text = readFileSync(path, "utf8").trim();
  const epoch = Number(text);
  if (!/^\d{1,7}$/.test(text) || epoch > epochMax) {
    throw new ServiceError("storage.damaged", "an epoch file does not hold an epoch", { path });
  }
  return epoch;
}

/** Durable when it returns. */
export function epochWrite(directory: string, file: EpochFile, epoch: number): void {
  fileReplace(directory, file, Buffer.from(String(epoch)));
}
