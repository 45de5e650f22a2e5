import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import { settingsJsonSchema } from "../../config/src/describe.ts";
import { loadSettings } from "../../config/src/load.ts";
import { messageOf, ServiceError } from "../../kit/src/errors.ts";
import { registerClusterConfig } from "./config-cluster.ts";
import { CliExit, type CliIo, print } from "./io.ts";

/** Adds `config check`, and what is said of the whole cluster's settings. */
export function registerConfig(program: Command, io: CliIo): void {
  const config = program.command("config").description("look at settings and change the cluster's");
  registerClusterConfig(config, io);
  config
    .command("check")
    .description("tell whether a configuration file and the LOGKEEP_ variables are right")
    .argument("[file]", "the YAML file (LOGKEEP_CONFIG)")
    .option("--schema", "print a JSON schema of the file, for editors, and check nothing")
    .option("--show", "print every setting that is in force, as JSON")
    .addHelpText(
      "after",
      `
Examples:
  logkeep config check logkeep.yaml
  LOGKEEP_STORAGE_RETENTION_DAYS=30 logkeep config check --show
  logkeep config check --schema > logkeep.schema.json`,
    )
    .action((file: string | undefined, options: CheckOptions) => check(io, file, options));
}

interface CheckOptions {
  readonly schema?: boolean;
  readonly show?: boolean;
}

async function check(io: CliIo, named: string | undefined, options: CheckOptions): Promise<void> {
  if (options.schema === true) {
    await print(io.stdout, `${JSON.stringify(settingsJsonSchema(), undefined, 2)}\n`);
    return;
  }
  const name = named ?? (io.env["LOGKEEP_CONFIG"] || undefined);
  const file = name === undefined ? undefined : { name, text: await textOf(name) };
  try {
    const { settings, origins, warnings } = loadSettings({ file, env: io.env });
    for (const warning of warnings) await print(io.stderr, `warning: ${warning}\n`);
    if (options.show === true) {
      const { superDigest, ...coordinator } = settings.coordinator;
      const hidden = superDigest === undefined ? {} : { superDigest: "(set)" };
      const shown = { ...settings, coordinator: { ...coordinator, ...hidden } };
      await print(io.stdout, `${JSON.stringify(shown, undefined, 2)}\n`);
    } else {
      const count = origins.size === 1 ? "1 setting" : `${origins.size} settings`;
      await print(io.stdout, `${name ?? "the environment"} is fine: ${count} set\n`);
    }
  } catch (thrown) {
    if (!(thrown instanceof ServiceError)) throw thrown;
    const problems = thrown.fields["problems"] as readonly string[];
    for (const problem of problems) await print(io.stderr, `${problem}\n`);
    throw new CliExit(1, `${name ?? "the environment"} is not a valid configuration`);
  }
}

async function textOf(name: string): Promise<string> {
  try {
    return await readFile(name, "utf8");
  } catch (thrown) {
    throw new CliExit(1, `cannot read the configuration: ${messageOf(thrown)}`);
  }
}
