import { setTimeout as sleep } from "node:timers/promises";
import { type Command, InvalidArgumentError } from "commander";
import { type BackupStarted, backupStartedSchema } from "../../../api/src/backup.ts";
import { parseBytes } from "../../../config/src/quantity.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import { causeOf, ServiceClient, type ServiceOptions, withService } from "../client.ts";
import { CliExit, type CliIo, print } from "../io.ts";
import { printSize } from "../numbers.ts";
import { type BackedUpFile, BackupFolder, faultOf } from "./folder.ts";

const path = "/api/v1/backup";

/** How often the progress is told. */
const tellEveryMs = 5_000;

/** Adds `backup`. */
export function registerBackup(program: Command, io: CliIo): void {
  withService(program.command("backup"))
    .description("copy everything that a running service has stored to a directory")
    .requiredOption("--to <dir>", "where to; what is there already is not copied again")
    .option("--rate <size>", "bytes a second at most, as 50MiB; 0: no bound", rateOf, 100 * 2 ** 20)
    .addHelpText(
      "after",
      `
All records that were acknowledged when it begins are in the backup, with keys (their hashes), rules and
settings of the cluster. It can be broken off and run again at any time; until it is through, the backup
before it is the one that holds. The directory is as private as what it holds.

Examples:
  logkeep backup --to /mnt/backup/logkeep
  logkeep restore --from /mnt/backup/logkeep --verify`,
    )
    .action((options: BackupOptions) => backup(io, options));
}

interface BackupOptions extends ServiceOptions {
  readonly to: string;
  readonly rate: number;
}

async function backup(io: CliIo, options: BackupOptions): Promise<void> {
  const folder = new BackupFolder(options.to);
  await folder.prepare();
  const before = await folder.manifest();
  const known = await folder.known();
  const client = new ServiceClient(io, options);
  const request = { method: "POST", signal: io.signal };
  const answer = backupStartedSchema.safeParse(await client.json(client.urlOf(path), request));
  if (!answer.success) {
    throw new CliExit(1, "the answer is not of a backup; is the service of this version?");
  }
  const started = answer.data;
  try {
    if (before !== undefined && before.clusterId !== started.clusterId) {
      throw new CliExit(
        1,
        `${options.to} holds a backup of another cluster; give another directory`,
      );
    }
    const copying = new Copying({ io, client, folder, started, rate: options.rate });
    const files = await copying.run(known);
    const { id: _, ...facts } = started;
    await folder.finish({ ...facts, files, format: "logkeep-backup", formatVersion: 1 });
    await tell(io, started, copying);
  } finally {
    // Without it the files would be held for some minutes more; the service may be gone by now.
    await client.send(client.urlOf(`${path}/${started.id}`), { method: "DELETE" }).catch(() => {});
  }
}

async function tell(io: CliIo, { shards, missing, files }: BackupStarted, copying: Copying) {
  const rows = shards
    .flatMap(({ segments }) => segments)
    .reduce((sum, segment) => sum + segment.rows, 0);
  const copied = `${copying.copied} of ${files.length} files copied (${printSize(copying.bytes)})`;
  await print(io.stdout, `backup of ${rows} records: ${copied}, the others were there\n`);
  if (missing.length === 0) return;
  const what = missing.slice(0, 5).join(", ");
  throw new CliExit(
    1,
    `the service has damaged data, which the backup lacks or has as it is: ${what}`,
  );
}

interface CopyingOptions {
  readonly io: CliIo;
  readonly client: ServiceClient;
  readonly folder: BackupFolder;
  readonly started: BackupStarted;
  readonly rate: number;
}

/** Copies one file after the other, no faster than it may. */
class Copying {
  copied = 0;
  bytes = 0;
  readonly #options: CopyingOptions;
  readonly #startMs = performance.now();
  #toldMs = performance.now();

  constructor(options: CopyingOptions) {
    this.#options = options;
  }

  async run(known: ReadonlyMap<string, BackedUpFile>): Promise<BackedUpFile[]> {
    const { folder, started } = this.#options;
    const files: BackedUpFile[] = [];
    for (const [i, file] of started.files.entries()) {
      await this.#told(i);
      const there = known.get(file.name);
      const isThere =
        there?.bytes === file.bytes &&
        (await faultOf(folder.pathOf(file.name), there)) === undefined;
      files.push(isThere ? there : await this.#copy(file));
    }
    return files;
  }

  async #copy(file: BackupStarted["files"][number]): Promise<BackedUpFile> {
    const { io, client, folder, started } = this.#options;
    const url = client.urlOf(`${path}/${started.id}/files/${file.name}`);
    const response = await client.ask(url, { signal: io.signal });
    try {
      const made = await folder.write(file, this.#paced(response.body ?? new ReadableStream()));
      this.copied++;
      return made;
    } catch (thrown) {
      if (thrown instanceof ServiceError) throw thrown;
      const advice = "run it again to go on from here";
      throw new CliExit(1, `the backup broke off: ${causeOf(thrown)}; ${advice}`, {
        cause: thrown,
      });
    }
  }

  async *#paced(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
    const { rate, io } = this.#options;
    for await (const chunk of body) {
      yield chunk;
      this.bytes += chunk.length;
      if (rate === 0) continue;
      const aheadMs = (this.bytes / rate) * 1000 - (performance.now() - this.#startMs);
      if (aheadMs > 1) await sleep(aheadMs, undefined, { signal: io.signal });
    }
  }

  async #told(done: number): Promise<void> {
    const { io, started } = this.#options;
    if (performance.now() - this.#toldMs < tellEveryMs) return;
    this.#toldMs = performance.now();
    const text = `${done} of ${started.files.length} files, ${printSize(this.bytes)} copied`;
    await print(io.stderr, `${text}\n`);
  }
}

function rateOf(text: string): number {
  const bytes = text === "0" ? 0 : parseBytes(text);
  if (bytes === undefined) throw new InvalidArgumentError("Write a size, as 50MiB.");
  return bytes;
}
