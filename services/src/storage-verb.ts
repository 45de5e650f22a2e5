import path from "node:path";
import type { Command } from "commander";
import { CliExit, type CliIo, print, usageError } from "../../cli/src/io.ts";
import { messageOf, ServiceError } from "../../kit/src/errors.ts";
import { type StoredFile, storedFiles } from "../../storage/src/inspect/stored-files.ts";
import { lockHolder } from "../../storage/src/shard/lock-file.ts";
import { parseMoment } from "./http/moments.ts";
import { acceptLoss } from "./storage/accept-loss.ts";
import { type DumpChoice, dump } from "./storage/dump.ts";
import { inspect } from "./storage/inspect.ts";
import { verify } from "./storage/verify.ts";

const pathHelp = "a data directory, a folder within it, or one of its files";
const dataDefault = "./data";

/** Adds `storage`: what looks at stored files themselves, with a node or without. Only `accept-loss` changes any. */
export function registerStorage(program: Command, io: CliIo): void {
  const command = program.command("storage").description("check, describe and read stored files");
  registerAcceptLoss(command, io);
  command
    .command("verify")
    .argument("[path]", pathHelp, dataDefault)
    .description("read every byte of segments, checkpoints and the commit log, and check it")
    .option("--json", "what was found as lines of JSON")
    .addHelpText(
      "after",
      `
Exits with 1 when anything is not what was written; each finding is a line with its file.
A node may run meanwhile: files that it deletes are left out. Which files its manifest
names only the node knows: its metric logkeep_storage_lost_segments tells what is missing.

Examples:
  logkeep storage verify /var/lib/logkeep
  logkeep storage verify data/storage/shard-0002 --json`,
    )
    .action(async (at: string, { json }: { json?: boolean }) => {
      const files = filesAt(at);
      await verify(io, files, { isJson: json === true, isLive: await noteHolder(io, files) });
    });
  command
    .command("inspect")
    .argument("[path]", pathHelp, dataDefault)
    .description("describe what is stored: shards of a directory, or all of one file")
    .option("--json", "as JSON, with every block and template")
    .addHelpText(
      "after",
      `
Of a segment: partitions (tenant and retention class), blocks, columns with how they are
encoded and their bytes, and the most frequent templates of texts.

Examples:
  logkeep storage inspect /var/lib/logkeep
  logkeep storage inspect data/storage/shard-0000/1-0f8fad5b-d9cb-469f-a165-70867728950e`,
    )
    .action(async (at: string, { json }: { json?: boolean }) => {
      await told(() => inspect(io, filesAt(at), json === true));
    });
  command
    .command("dump")
    .argument("[path]", pathHelp, dataDefault)
    .description("print stored records as NDJSON, in the order in which they lie")
    .option("--tenant <name>", "whose records", "default")
    .option("--from <time>", "records at or after this: RFC 3339, or 7d for so long ago")
    .option("--to <time>", "records before this")
    .option("--internal", "streams of Logkeep itself too, as _rejected")
    .addHelpText(
      "after",
      `
What was deleted by a query and is not rewritten yet is still there.

Examples:
  logkeep storage dump /var/lib/logkeep --from 2026-11-20 --to 2026-11-21 > day.ndjson
  logkeep storage dump data/storage/log --tenant acme`,
    )
    .action(async (at: string, options: DumpOptions) => {
      const files = filesAt(at);
      const choice = choiceOf(options);
      await noteHolder(io, files);
      await told(() => dump(io, files, choice));
    });
}

function registerAcceptLoss(command: Command, io: CliIo): void {
  command
    .command("accept-loss")
    .argument("[path]", "a data directory that no node uses", dataDefault)
    .description("give up entries of a damaged commit log, so that its shards serve what is left")
    .option("--json", "what was given up as JSON")
    .addHelpText(
      "after",
      `
Only where no other replica has them: with one, a node mends its log by itself. Takes out of
the log what "shard is stopped" names, for good; copy the folder storage/log before.

Examples:
  logkeep storage accept-loss /var/lib/logkeep`,
    )
    .action((at: string, { json }: { json?: boolean }) => acceptLoss(io, at, json === true));
}

interface DumpOptions {
  readonly tenant: string;
  readonly from?: string;
  readonly to?: string;
  readonly internal?: boolean;
}

function choiceOf({ tenant, from, to, internal }: DumpOptions): DumpChoice {
  const moment = (text: string | undefined, flag: string) => {
    try {
      return text === undefined ? undefined : parseMoment(text, Date.now(), flag);
    } catch (thrown) {
      throw usageError(messageOf(thrown));
    }
  };
  return {
    tenant,
    internal: internal === true,
    from: moment(from, "--from"),
    to: moment(to, "--to"),
  };
}

function filesAt(at: string): readonly StoredFile[] {
  try {
    return storedFiles(at);
  } catch (thrown) {
    throw usageError(messageOf(thrown));
  }
}

/** Damage ends a verb with a line that names the place. */
async function told(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (thrown) {
    if (!(thrown instanceof ServiceError) || thrown.code !== "storage.damaged") throw thrown;
    const { file, block } = thrown.fields;
    const place = block === undefined ? `${file}` : `${file}, block ${block}`;
    throw new CliExit(1, `${place}: ${thrown.message}; logkeep storage verify finds all of it`);
  }
}

/** Whether a node uses the directory, which is said: what is read is then of a moment. */
async function noteHolder(io: CliIo, files: readonly StoredFile[]): Promise<boolean> {
  const [first] = files;
  for (
    let folder = path.dirname(path.resolve(first?.path ?? ""));
    ;
    folder = path.dirname(folder)
  ) {
    const pid = lockHolder(folder);
    if (pid !== undefined) {
      await print(io.stderr, `logkeep: process ${pid} uses ${folder}; it is read beside it\n`);
      return true;
    }
    if (path.dirname(folder) === folder) return false;
  }
}
