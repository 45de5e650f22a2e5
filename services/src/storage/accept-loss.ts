import { existsSync } from "node:fs";
import { userInfo } from "node:os";
import path from "node:path";
import { CliExit, type CliIo, print } from "../../../cli/src/io.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import {
  type AcceptedLoss,
  acceptLoss as acceptLogLoss,
} from "../../../storage/src/log/accept-loss.ts";
import { nodeDisk } from "../../../storage/src/log/disk.ts";
import { EpochFile } from "../../../storage/src/log/epoch-file.ts";
import { openDataDirectory, storePaths } from "../../../storage/src/shard/data-directory.ts";
import { noteLoss } from "./loss-note.ts";

/** Gives up what the commit log of a data directory lost, and prints it. No node may use the directory. */
export async function acceptLoss(io: CliIo, directory: string, isJson: boolean): Promise<void> {
  if (!existsSync(path.join(directory, "storage"))) {
    throw new CliExit(1, `${directory} is no data directory: it has no storage/`);
  }
  const data = await openDataDirectory(directory);
  try {
    const { log, root } = storePaths(data, 0);
    const epochs = EpochFile.open(nodeDisk, root);
    const accepted = await acceptLogLoss(nodeDisk, log, epochs);
    if (accepted.places.length + accepted.entries.length > 0) {
      await noteLoss(data.path, accepted, { user: userName(), nowMs: Date.now() });
    }
    await print(io.stdout, isJson ? `${JSON.stringify(accepted)}\n` : textOf(log, accepted));
  } catch (thrown) {
    if (!(thrown instanceof ServiceError) || thrown.code !== "storage.damaged") throw thrown;
    throw new CliExit(1, `${thrown.message} ${JSON.stringify(thrown.fields)}; nothing was changed`);
  } finally {
    data.release();
  }
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A container's user may have a number and no name.
    return String(process.getuid?.() ?? "");
  }
}

function textOf(log: string, { entries, places }: AcceptedLoss): string {
  if (places.length + entries.length === 0)
    return "the commit log is whole, nothing was given up\n";
  const lines = places.map(
    ({ file, offset, bytes }) =>
      `${path.join(log, file)}: ${bytes === 0 ? "what was lost" : `${bytes} bytes`} from ${offset} on\n`,
  );
  const runs = entries.map(({ shard, from, through }) => {
    return `shard ${shard}: entries ${from} to ${through} are given up, as far as they are not sealed\n`;
  });
  const none = "no entry is known to be missing; the last ones of a shard may be\n";
  const next = "the audit journal gets it at the node's next start\n";
  return [...lines, ...(runs.length === 0 ? [none] : runs), next].join("");
}
