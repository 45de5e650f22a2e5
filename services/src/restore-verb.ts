import type { Command } from "commander";
import type { BackupManifest } from "../../api/src/backup.ts";
import { type CliIo, print } from "../../cli/src/io.ts";
import { printSize } from "../../cli/src/numbers.ts";
import { checkEmpty, restoreBackup, verifyBackup } from "./backup/restore.ts";
import { createLogger } from "./logger.ts";

interface RestoreVerbOptions {
  readonly from: string;
  readonly data: string;
  readonly verify?: boolean;
}

/** Adds `restore`: a data directory made of a backup, while no service runs on it. */
export function registerRestore(program: Command, io: CliIo): void {
  program
    .command("restore")
    .description("make a data directory of a backup, or only look whether the backup is whole")
    .requiredOption("--from <dir>", "the backup")
    .option("--data <dir>", "where to: not there yet, or empty", "./data")
    .option("--verify", "only read every byte of the backup and compare checksums")
    .addHelpText(
      "after",
      `
Every checksum is compared before anything is written. The restored node is of the same cluster and
node id as the one that was backed up, and takes its place: do not run both at a time.

Examples:
  logkeep restore --from /mnt/backup/logkeep --verify
  logkeep restore --from /mnt/backup/logkeep --data /var/lib/logkeep && logkeep start --data /var/lib/logkeep`,
    )
    .action((options: RestoreVerbOptions) => restore(io, options));
}

async function restore(io: CliIo, options: RestoreVerbOptions): Promise<void> {
  const { from, data, verify = false } = options;
  if (!verify) checkEmpty(data);
  const manifest = await verifyBackup(from);
  if (verify) {
    await print(io.stdout, `the backup is whole: ${factsOf(manifest)}\n`);
    return;
  }
  const logger = await createLogger({ level: "warn", pretty: io.isErrTTY === true });
  await restoreBackup({ manifest, from, to: data, logger });
  await print(io.stdout, `restored to ${data}: ${factsOf(manifest)}\n`);
}

function factsOf({ createdAt, shards, files, missing }: BackupManifest): string {
  const segments = shards.flatMap((shard) => shard.segments);
  const rows = segments.reduce((sum, segment) => sum + segment.rows, 0);
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const lacking = missing.length === 0 ? "" : `; damaged before it was made: ${missing.join(", ")}`;
  return `${rows} records of ${createdAt} in ${files.length} files, ${printSize(bytes)}${lacking}`;
}
