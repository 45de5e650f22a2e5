import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Command } from "commander";
import { parse, stringify } from "yaml";
import type { z } from "zod";
import {
  type ConfigAnswer,
  type ConfigChanged,
  configAnswerSchema,
  configChangedSchema,
  configHistorySchema,
} from "../../api/src/config.ts";
import { sectionOf, sharedSections } from "../../config/src/shared.ts";
import { messageOf } from "../../kit/src/errors.ts";
import { ServiceClient, type ServiceOptions, withService } from "./client.ts";
import { CliExit, type CliIo, print, usageError } from "./io.ts";
import { sayingWhy } from "./leader.ts";
import { harmless, tableOf } from "./style.ts";

const base = "/api/v1/config";

/** Adds what reads and changes the settings of the whole cluster: `config get|set|edit|history|rollback`. */
export function registerClusterConfig(config: Command, io: CliIo): void {
  withService(config.command("get"))
    .description("show the settings of the whole cluster, and what set each")
    .argument("[path]", "one setting or section, as query.timeoutMs or query")
    .option("--json", "as JSON")
    .action((wanted: string | undefined, options: GetOptions) => get(io, wanted, options));
  withService(config.command("set"))
    .description("set settings of one section for the whole cluster")
    .argument(
      "<path=value...>",
      "as query.timeoutMs=60s; without a value it goes back to the default",
    )
    .option("--version <n>", "only if the section has this version", numberOf)
    .addHelpText(
      "after",
      `
Examples:
  logkeep config set query.timeoutMs=60s query.memoryMaxBytes=512MiB
  logkeep config set storage.retention.days=30
  logkeep config set log.level=`,
    )
    .action((pairs: readonly string[], options: SetOptions) => set(io, pairs, options));
  withService(config.command("edit"))
    .description("edit a section in $VISUAL or $EDITOR, as YAML")
    .argument("<section>", `one of ${[...sharedSections].join(", ")}`)
    .action((section: string, options: ServiceOptions) => edit(io, section, options));
  withService(config.command("history"))
    .description("list the versions of a section")
    .argument("<section>", `one of ${[...sharedSections].join(", ")}`)
    .option("--json", "as JSON")
    .action((section: string, options: GetOptions) => history(io, section, options));
  withService(config.command("rollback"))
    .description("make an earlier version of a section the next one")
    .argument("<section>", `one of ${[...sharedSections].join(", ")}`)
    .argument("<version>", "as config history shows it; 0: nothing is set", numberOf)
    .action((section: string, version: number, options: ServiceOptions) =>
      rollback(io, section, version, options),
    );
}

interface GetOptions extends ServiceOptions {
  readonly json?: boolean;
}

interface SetOptions extends ServiceOptions {
  readonly version?: number;
}

async function get(io: CliIo, wanted: string | undefined, options: GetOptions): Promise<void> {
  const client = new ServiceClient(io, options);
  const answer = await asked(client, io, base, configAnswerSchema);
  const isWanted = (name: string): boolean =>
    wanted === undefined || name === wanted || name.startsWith(`${wanted}.`);
  const settings = answer.settings.filter((setting) => isWanted(setting.path));
  if (settings.length === 0) {
    throw new CliExit(1, `${wanted} is no setting of the whole cluster; config get lists them`);
  }
  if (options.json === true) {
    const sections = answer.sections.filter(({ section }) =>
      settings.some((setting) => sectionOf(setting.path) === section),
    );
    await print(io.stdout, `${JSON.stringify({ sections, settings }, undefined, 2)}\n`);
    return;
  }
  const rows = settings.map(({ path: name, value, origin, waiting }) => [
    name,
    shown(value),
    harmless(origin ?? "default"),
    waiting === undefined ? "" : `${shown(waiting)} after a restart`,
  ]);
  await print(io.stdout, tableOf(["SETTING", "VALUE", "SET BY", "WAITING"], rows));
}

async function set(io: CliIo, pairs: readonly string[], options: SetOptions): Promise<void> {
  const values: Record<string, string> = {};
  const unset: string[] = [];
  for (const pair of pairs) {
    const at = pair.indexOf("=");
    if (at < 1) {
      const example = at === 0 ? "query.timeoutMs" : pair;
      throw usageError(
        `${pair} is not of the form path=value: ${example}=VALUE sets it, ${example}= takes it back to its default`,
      );
    }
    const value = pair.slice(at + 1);
    if (value === "") unset.push(pair.slice(0, at));
    else values[pair.slice(0, at)] = value;
  }
  const sections = new Set([...Object.keys(values), ...unset].map(sectionOf));
  const [section, ...others] = sections;
  if (section === undefined || others.length > 0) {
    throw usageError("settings of one section are set together; call config set for each section");
  }
  const { version } = options;
  await change(io, new ServiceClient(io, options), section, { set: values, unset, version });
}

async function edit(io: CliIo, section: string, options: ServiceOptions): Promise<void> {
  const client = new ServiceClient(io, options);
  const before = await asked(client, io, base, configAnswerSchema);
  const found = before.sections.find((one) => one.section === section);
  if (found === undefined) {
    throw usageError(`there is no section ${section}; there are ${[...sharedSections].join(", ")}`);
  }
  const folder = await mkdtemp(path.join(tmpdir(), "logkeep-config-"));
  const file = path.join(folder, "section.yaml");
  let isKept = false;
  try {
    const first = editText(before, found);
    const text = await edited(io, file, first);
    isKept = text !== first;
    await changeTo(io, client, found, valuesOf(text));
    isKept = false;
  } catch (thrown) {
    // Nobody writes all of it again for one wrong value.
    if (isKept) await print(io.stderr, `what you wrote is kept in ${file}\n`);
    throw thrown;
  } finally {
    if (!isKept) await rm(folder, { recursive: true, force: true });
  }
}

/** As in the file of a node: what has no value is not set. */
function valuesOf(text: string): Readonly<Record<string, unknown>> {
  let found: unknown;
  try {
    found = parse(text) ?? {};
  } catch (thrown) {
    throw new CliExit(1, `this is no YAML, nothing was changed: ${messageOf(thrown)}`);
  }
  if (typeof found !== "object" || Array.isArray(found)) {
    const what = "this holds no settings, nothing was changed: each is a line of its own";
    throw new CliExit(1, `${what}, as query.timeoutMs: 60s`);
  }
  return Object.fromEntries(Object.entries(found as object).filter(([, value]) => value !== null));
}

async function changeTo(
  io: CliIo,
  client: ServiceClient,
  { section, version, values }: ConfigAnswer["sections"][number],
  wanted: Readonly<Record<string, unknown>>,
): Promise<void> {
  if (JSON.stringify(wanted) === JSON.stringify(values)) {
    await print(io.stdout, "nothing was changed\n");
    return;
  }
  const unset = Object.keys(values).filter((name) => !Object.hasOwn(wanted, name));
  // Whoever changed it meanwhile would be overwritten unseen.
  await change(io, client, section, { set: wanted, unset, version });
}

/** What is set, and as a comment what can be. */
function editText(
  { settings }: ConfigAnswer,
  { section, version, values }: ConfigAnswer["sections"][number],
): string {
  const rest = settings.filter(
    ({ path: name }) => sectionOf(name) === section && !Object.hasOwn(values, name),
  );
  const lines = rest.map(({ path: name, value }) => `# ${name}: ${shown(value)}`);
  const set = Object.keys(values).length === 0 ? "" : stringify(values);
  return `# Section ${section}, version ${version}; what stands behind # is as it is without being set.\n${set}${lines.join("\n")}\n`;
}

/** The text as the editor left it in the file. */
async function edited(io: CliIo, file: string, text: string): Promise<string> {
  const editor = io.env["VISUAL"] || io.env["EDITOR"] || "vi";
  await writeFile(file, text, { mode: 0o600 });
  // As git does: an editor may have arguments.
  const child = spawn("sh", ["-c", `${editor} "$1"`, "sh", file], { stdio: "inherit" });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject).once("exit", resolve);
  });
  if (code !== 0) throw new CliExit(1, `the editor (${editor}) failed, nothing was changed`);
  return readFile(file, "utf8").catch((thrown: unknown) => {
    throw new CliExit(1, `the editor left no file, nothing was changed: ${messageOf(thrown)}`);
  });
}

async function history(io: CliIo, section: string, options: GetOptions): Promise<void> {
  const client = new ServiceClient(io, options);
  const path = `${base}/${encodeURIComponent(section)}/history`;
  const answer = await asked(client, io, path, configHistorySchema);
  if (options.json === true) {
    await print(io.stdout, `${JSON.stringify(answer, undefined, 2)}\n`);
    return;
  }
  const rows = answer.versions.map(({ version, at, by, values }) => [
    String(version),
    at ?? "",
    harmless(by) || "(no key)",
    Object.entries(values)
      .map(([name, value]) => `${name}=${shown(value)}`)
      .join(" ") || "(nothing)",
  ]);
  await print(io.stdout, tableOf(["VERSION", "AT", "BY", "VALUES"], rows));
}

async function rollback(
  io: CliIo,
  section: string,
  version: number,
  options: ServiceOptions,
): Promise<void> {
  await change(io, new ServiceClient(io, options), section, { rollback: version });
}

async function change(
  io: CliIo,
  client: ServiceClient,
  section: string,
  body: object,
): Promise<void> {
  const path = `${base}/${encodeURIComponent(section)}`;
  const request = {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  };
  const done = await asked(client, io, path, configChangedSchema, request);
  await print(io.stdout, changedText(done));
}

function changedText({ section, version, afterRestart, overridden }: ConfigChanged): string {
  const lines = [`${section} is now at version ${version}`];
  if (afterRestart.length > 0) {
    lines.push(`after a restart of each node: ${afterRestart.join(", ")}`);
  }
  if (overridden.length > 0) {
    lines.push(
      `the node that answered is told otherwise by its own settings: ${overridden.join(", ")}`,
    );
  }
  return `${lines.map(harmless).join("\n")}\n`;
}

async function asked<T>(
  client: ServiceClient,
  io: CliIo,
  path: string,
  schema: z.ZodType<T>,
  init: RequestInit = {},
): Promise<T> {
  const answer = schema.safeParse(
    await sayingWhy(io, client, client.json(client.urlOf(path), { ...init, signal: io.signal })),
  );
  if (answer.success) return answer.data;
  throw new CliExit(1, "the answer cannot be read; is the service of this version?");
}

function shown(value: unknown): string {
  return harmless(typeof value === "string" ? value : (JSON.stringify(value) ?? ""));
}

function numberOf(text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw usageError(`a version is a whole number, not ${text}`);
}
