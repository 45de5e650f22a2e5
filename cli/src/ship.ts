import { stat } from "node:fs/promises";
import { hostname } from "node:os";
import { resolve } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import { parseDurationMs } from "../../config/src/quantity.ts";
import { messageOf } from "../../kit/src/errors.ts";
import { ServiceClient, type ServiceOptions, withService } from "./client.ts";
import { CliExit, type CliIo, print, usageError } from "./io.ts";
import { ProgressBar } from "./ship/bar.ts";
import { type FormatName, formatNames } from "./ship/format/detect.ts";
import { continuesOf } from "./ship/multiline.ts";
import { Report } from "./ship/report.ts";
import { Sender } from "./ship/sender.ts";
import { followFile, type ShippingOptions, shipFile, shipPipe } from "./ship/shipping.ts";
import type { OpenFile } from "./ship/source.ts";
import { progressStoreOf } from "./ship/state.ts";
import { type StreamLabels, streamOf } from "./ship/stream.ts";

/** How long requests under way may go on after an interruption, in milliseconds. */
const graceMs = 3000;

/** Adds `ship`. */
export function registerShip(program: Command, io: CliIo): void {
  withService(program.command("ship"))
    .description("send the lines of files, or of stdin, to the service")
    .argument("[file...]", "files, plain, .gz or .zst; - or none is stdin")
    .option("--stream <fields>", "what forms the stream, as service=api,host=h1 (host and file)")
    .addOption(
      new Option("--format <form>", "form of the lines")
        .choices(["auto", ...formatNames])
        .default("auto"),
    )
    .option("--time-field <name>", "the field with the time, in JSON lines")
    .option("--msg-field <name>", "the field with the message, in JSON lines")
    .option("--multiline", "join indented lines and stack traces to the line before")
    .option("--multiline-start <pattern>", "join all lines up to the next one with this pattern")
    .option("-f, --follow", "go on with what is added, over rotations, until interrupted")
    .option("--state <file>", "where to keep how far each file is (below XDG_STATE_HOME)")
    .addOption(new Option("--in-flight <n>", "requests at once").argParser(inFlightOf).default(4))
    .addOption(
      new Option("--retry-for <time>", "how long to repeat a request before giving up")
        .argParser(durationOf)
        .default(300_000, "5m; with --follow as long as it takes"),
    )
    .addHelpText(
      "after",
      `
A run that breaks off is taken up where it stopped by the same command, and stores nothing twice.
Lines that do not have the form of their file go as text; none is left out but blank ones.

Examples:
  logkeep ship /var/log/syslog
  logkeep ship --stream service=api,host=h1 --multiline app.log app.log.1.gz
  logkeep ship --follow --stream service=web /var/log/nginx/access.log
  journalctl -o json -f | logkeep ship --stream service=journal --msg-field MESSAGE -`,
    )
    .action((files: readonly string[], options: ShipOptions) => ship(io, files, options));
}

interface ShipOptions extends ServiceOptions {
  readonly stream?: string;
  readonly format: FormatName | "auto";
  readonly timeField?: string;
  readonly msgField?: string;
  readonly multiline?: boolean;
  readonly multilineStart?: string;
  readonly follow?: boolean;
  readonly state?: string;
  readonly inFlight: number;
  readonly retryFor: number;
}

async function ship(io: CliIo, named: readonly string[], options: ShipOptions): Promise<void> {
  const files = named.length === 0 ? ["-"] : named;
  await checkSources(files, options);
  if (files.includes("-") && "isTTY" in io.stdin && io.stdin.isTTY === true) {
    await print(io.stderr, "ship: reading from the terminal; Ctrl-D ends it\n");
  }
  const client = new ServiceClient(io, options);
  const startMs = performance.now();
  const report = new Report(startMs);
  report.sources = files.length;
  const meters = new Meters(options.follow === true ? undefined : await sizeOf(files));
  const bar = new ProgressBar(io, () => ({
    ...meters.sum(),
    records: report.accepted + report.rejected,
    elapsedMs: performance.now() - startMs,
  }));
  const sender = new Sender(client, report, {
    inFlightMax: options.inFlight,
    retryForMs: options.follow === true ? Number.POSITIVE_INFINITY : options.retryFor,
    signal: io.signal,
    breakSignal: laterSignal(io.signal, graceMs),
    onTrouble: (reason) => bar.say(`ship: ${reason}; trying again`),
  });
  try {
    await shipAll(io, files, options, shippingOptions(io, client, options, sender, meters));
    await sender.idle();
  } catch (thrown) {
    // A follower is ended by interrupting it; anyone else has left something undone.
    if (!(options.follow === true && io.signal.aborted)) {
      throw endOf(thrown, io, files, report);
    }
  } finally {
    // What is under way may still be stored; whatever fails of it has been told, or is sent again.
    await sender.idle().catch(() => undefined);
    bar.stop();
    for (const note of report.notes()) await print(io.stderr, `${note}\n`);
    await print(io.stdout, report.summary(performance.now()));
  }
  if (report.rejected > 0) throw new CliExit(1);
}

function shippingOptions(
  io: CliIo,
  client: ServiceClient,
  options: ShipOptions,
  sender: Sender,
  meters: Meters,
): ShippingOptions {
  const stream = options.stream === undefined ? undefined : streamOf(options.stream);
  const { format, timeField, msgField, tenant } = options;
  const multiline = options.multilineStart ?? options.multiline;
  return {
    sender,
    store: progressStoreOf(io, options.state),
    format,
    continues: continuesOf(multiline),
    paramsOf: (file, time, msg) => ({
      ...paramsOf(stream, file),
      time: timeField ?? time,
      msg: msgField ?? msg,
    }),
    // Another service, tenant or reading of the same file is another shipping of it.
    variant: JSON.stringify([
      client.url.href,
      tenant,
      options.stream,
      format,
      multiline,
      timeField,
      msgField,
    ]),
    signal: io.signal,
    onOpen: (file) => meters.add(file),
  };
}

async function shipAll(
  io: CliIo,
  files: readonly string[],
  options: ShipOptions,
  shipping: ShippingOptions,
): Promise<void> {
  if (options.follow !== true) {
    for (const file of files) {
      if (io.signal.aborted) throw new CliExit(1, "interrupted");
      await (file === "-" ? shipPipe(io.stdin, shipping) : shipFile(resolve(file), shipping));
    }
    return;
  }
  const ending = new AbortController();
  const signal = AbortSignal.any([io.signal, ending.signal]);
  const following = files.map((file) =>
    file === "-"
      ? shipPipe(io.stdin, { ...shipping, signal })
      : followFile(resolve(file), { ...shipping, signal }),
  );
  try {
    await Promise.all(following);
  } finally {
    // One that fails ends the others.
    ending.abort();
    await Promise.allSettled(following);
  }
}

/** A signal that comes so long after another one. */
function laterSignal(signal: AbortSignal, ms: number): AbortSignal {
  const later = new AbortController();
  const onAbort = (): void => {
    setTimeout(() => later.abort(), ms).unref();
  };
  if (signal.aborted) later.abort();
  else signal.addEventListener("abort", onAbort, { once: true });
  return later.signal;
}

/** Says before anything is sent what cannot be read. */
async function checkSources(files: readonly string[], options: ShipOptions): Promise<void> {
  if (files.filter((file) => file === "-").length > 1)
    throw usageError("stdin can be read only once");
  for (const file of files) {
    if (file === "-") continue;
    const stats = await stat(file).catch((thrown: unknown) => {
      const isAwaited =
        options.follow === true && (thrown as NodeJS.ErrnoException).code === "ENOENT";
      if (!isAwaited) throw new CliExit(1, `cannot read ${file}: ${messageOf(thrown)}`);
      return undefined;
    });
    if (stats?.isDirectory()) throw usageError(`${file} is a directory; name its files`);
  }
}

function endOf(thrown: unknown, io: CliIo, files: readonly string[], report: Report): CliExit {
  const resumable = files.some((file) => file !== "-");
  const advice = resumable ? "; the same command goes on where this one stopped" : "";
  const message = io.signal.aborted ? "interrupted" : messageOf(thrown);
  if (report.accepted === 0 && !io.signal.aborted && thrown instanceof CliExit) return thrown;
  return new CliExit(1, `${message}${advice}`, { cause: thrown });
}

function paramsOf(
  stream: StreamLabels | undefined,
  file: string | undefined,
): Record<string, string> {
  const params: Record<string, string> = {};
  const labels = stream ?? {
    names: file === undefined ? ["host"] : ["host", "file"],
    values: new Map([["host", hostname()]]),
  };
  params["stream"] = labels.names.join(",");
  if (file !== undefined) params["extra.file"] = file;
  for (const [name, value] of labels.values) params[`extra.${name}`] = value;
  return params;
}

/** How far all files of a run are. */
class Meters {
  readonly #totalBytes: number | undefined;
  readonly #files: OpenFile[] = [];

  constructor(totalBytes: number | undefined) {
    this.#totalBytes = totalBytes;
  }

  add(file: OpenFile): void {
    this.#files.push(file);
  }

  sum(): { readonly totalBytes: number | undefined; readonly readBytes: number } {
    const readBytes = this.#files.reduce((sum, { meter }) => sum + meter.readBytes, 0);
    return { totalBytes: this.#totalBytes, readBytes };
  }
}

async function sizeOf(files: readonly string[]): Promise<number | undefined> {
  let bytes = 0;
  for (const file of files) {
    const stats = file === "-" ? undefined : await stat(file).catch(() => undefined);
    if (stats === undefined || !stats.isFile()) return undefined;
    bytes += stats.size;
  }
  return bytes;
}

function inFlightOf(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > 64) {
    throw new InvalidArgumentError("It must be a whole number from 1 to 64.");
  }
  return count;
}

function durationOf(text: string): number {
  const ms = parseDurationMs(text);
  if (ms === undefined) throw new InvalidArgumentError("It must be a time as 30s or 5m.");
  return ms;
}
