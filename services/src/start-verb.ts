import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { CliExit, type CliIo, print } from "../../cli/src/io.ts";
import { flagValues, settingFlags } from "../../config/src/flags.ts";
import { loadSettings } from "../../config/src/load.ts";
import type { Settings } from "../../config/src/schema.ts";
import { messageOf, ServiceError } from "../../kit/src/errors.ts";
import { listenFailure } from "./listen-failure.ts";
import type { LoadOver } from "./live-settings.ts";
import { createLogger } from "./logger.ts";
import { startStandalone } from "./standalone.ts";

interface StartOptions extends Readonly<Record<string, unknown>> {
  readonly config?: string;
  readonly set?: readonly string[];
}

/** Adds `start`: everything in one process, until a signal ends it. */
export function registerStart(program: Command, io: CliIo): void {
  const command = program
    .command("start")
    .description("run the service: coordinator, ingest, storage, search and the console")
    .option("--config <file>", "settings as YAML (LOGKEEP_CONFIG)")
    .option("--set <path=value>", "any setting; may be repeated", collect);
  for (const { flag, description } of settingFlags) command.option(flag, description);
  command
    .addHelpText(
      "after",
      `
Examples:
  logkeep start
  logkeep start --data /var/lib/logkeep --http 127.0.0.1:8080
  logkeep start --set storage.retention.days=30
  LOGKEEP_HTTP_LISTEN=127.0.0.1:8080 logkeep start`,
    )
    .action(async (options: StartOptions) => {
      await runStart(io, settingsLoader(io, options));
    });
}

/** The file is read once: what it says later counts from the next start on. */
function settingsLoader(io: CliIo, options: StartOptions): LoadOver {
  const name = options.config ?? io.env["LOGKEEP_CONFIG"];
  const file = name === undefined ? undefined : { name, text: textOf(name) };
  const flags = flagValues(options, options.set);
  return (shared) => loadSettings({ shared, file, env: io.env, flags });
}

function textOf(name: string): string {
  try {
    return readFileSync(name, "utf8");
  } catch (thrown) {
    throw new ServiceError(
      "config.invalid",
      `the settings file cannot be read: ${messageOf(thrown)}`,
    );
  }
}

async function runStart(io: CliIo, load: LoadOver): Promise<void> {
  const { settings, warnings } = load({});
  for (const warning of warnings) io.stderr.write(`logkeep: ${warning}\n`);
  const { level, pretty } = settings.log;
  const isPretty = pretty === "always" || (pretty === "auto" && io.isErrTTY === true);
  const logger = await createLogger({ level, pretty: isPretty });
  const version = io.version ?? "unknown";
  const service = await startStandalone({
    ...{ settings, load, logger, version, signal: io.signal },
    secret: io.env["LOGKEEP_CLUSTER_SECRET"],
  }).catch((thrown: unknown) => {
    // One that was waiting for others has been told to stop.
    if (io.signal.aborted) return undefined;
    throw failedListen(thrown, settings) ?? thrown;
  });
  if (service === undefined) return;
  await print(io.stdout, `logkeep ready http=${service.http} coordinator=${service.coordinator}\n`);
  const failure = await Promise.race([service.failed, interrupted(io.signal)]);
  logger.info({}, "stopping");
  await service.close();
  logger.info({}, "stopped");
  if (failure !== undefined) throw new CliExit(1, failure.message);
}

/** Says which flag chooses another address, where the one that is set cannot be listened on. */
function failedListen(thrown: unknown, settings: Settings): CliExit | undefined {
  const said = listenFailure(messageOf(thrown), settings);
  return said === undefined ? undefined : new CliExit(1, said, { cause: thrown });
}

function interrupted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
}

function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}
