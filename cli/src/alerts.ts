import { type Command, InvalidArgumentError } from "commander";
import { stringify } from "yaml";
import type { z } from "zod";
import {
  type AlertEvent,
  alertHistorySchema,
  alertTestSchema,
  type RuleListed,
  ruleListedSchema,
  rulesAnswerSchema,
  rulesAppliedSchema,
} from "../../api/src/alerts.ts";
import { alertHistoryMax } from "../../api/src/limits.ts";
import { failureOf, problemOf, ServiceClient, type ServiceOptions, withService } from "./client.ts";
import { CliExit, type CliIo, print } from "./io.ts";
import { sayingWhy } from "./leader.ts";
import { readRules } from "./rules-file.ts";
import { harmless, tableOf } from "./style.ts";

const rulesPath = "/api/v1/alerting/rules";

interface PrintOptions extends ServiceOptions {
  readonly json?: boolean;
}

interface HistoryOptions extends PrintOptions {
  readonly rule?: string;
  readonly limit?: number;
}

/** Adds `alerts apply`, `list`, `show`, `delete`, `test` and `history`. */
export function registerAlerts(program: Command, io: CliIo): void {
  const alerts = program
    .command("alerts")
    .description("rules that watch records, and what they told");
  registerApply(alerts, io);
  withService(alerts.command("list"))
    .description("list the rules with their states")
    .option("--json", "as JSON")
    .action((options: PrintOptions) => list(io, options));
  withService(alerts.command("show"))
    .description(
      "print a rule in YAML, ready to be applied again; secrets are masked, and kept then",
    )
    .argument("<name>", "the rule's name")
    .action((name: string, options: ServiceOptions) => show(io, name, options));
  withService(alerts.command("delete"))
    .description("delete a rule; what it fired is resolved")
    .argument("<name>", "the rule's name")
    .action((name: string, options: ServiceOptions) => remove(io, name, options));
  withService(alerts.command("test"))
    .description("send a test notification to each receiver of a rule, and print what each said")
    .argument("<name|file>", "a rule's name, or a .yaml or .json file (- for stdin) of rules")
    .action((target: string, options: ServiceOptions) => test(io, target, options));
  withService(alerts.command("history"))
    .description("list the latest notifications and what became of them")
    .option("--rule <name>", "only of this rule")
    .option("--limit <n>", "the newest so many (100)", limitOf)
    .option("--json", "as JSON, with the lines of each")
    .action((options: HistoryOptions) => history(io, options));
}

function registerApply(alerts: Command, io: CliIo): void {
  withService(alerts.command("apply"))
    .description("create or change rules; none is when one of them is wrong")
    .argument("<file>", "YAML or JSON: one rule, a list, or several documents; - for stdin")
    .addHelpText(
      "after",
      `
Examples:
  logkeep alerts apply rules.yaml
  logkeep alerts show disk-full > rule.yaml
  logkeep alerts apply - <<'END'
  name: errors
  type: threshold
  query: '{service="api"} level:error | stats count() n'
  condition: '> 5'
  every: 15s
  notify:
    - webhook: {url: 'https://hooks.example.org/logkeep', secret: a-secret}
  END`,
    )
    .action((file: string, options: ServiceOptions) => apply(io, file, options));
}

async function apply(io: CliIo, file: string, options: ServiceOptions): Promise<void> {
  const client = new ServiceClient(io, options);
  const rules = await readRules(io, file);
  const answer = await post(client, rulesPath, rules, io.signal);
  const { rules: applied } = checked(rulesAppliedSchema, answer);
  const lines = applied.map(({ outcome, name }) => `${outcome.padEnd(9)}  ${harmless(name)}\n`);
  await print(io.stdout, lines.join(""));
}

async function list(io: CliIo, options: PrintOptions): Promise<void> {
  const client = new ServiceClient(io, options);
  const answer = await client.json(client.urlOf(rulesPath), { signal: io.signal });
  if (options.json === true) return printJson(io, answer);
  const { rules } = checked(rulesAnswerSchema, answer);
  if (rules.length === 0)
    await print(
      io.stderr,
      "there are no rules; logkeep alerts apply --help shows how one is made\n",
    );
  const head = ["NAME", "TYPE", "STATE", "EVERY", "EVALUATED", "ERROR"];
  await print(io.stdout, tableOf(head, rules.map(rowOf)));
}

function rowOf({ rule, state, evaluatedAt, error }: RuleListed): readonly string[] {
  // A match is evaluated record by record.
  const every = rule.every ?? "-";
  const { name, type } = rule;
  return [harmless(name), type, state, every, evaluatedAt ?? "-", oneLine(error ?? "")];
}

async function show(io: CliIo, name: string, options: ServiceOptions): Promise<void> {
  const client = new ServiceClient(io, options);
  const answer = await client.json(client.urlOf(pathOf(name)), { signal: io.signal });
  const { rule } = checked(ruleListedSchema, answer);
  await print(io.stdout, stringify(rule, { lineWidth: 0 }));
}

async function remove(io: CliIo, name: string, options: ServiceOptions): Promise<void> {
  const client = new ServiceClient(io, options);
  const asked = client.ask(client.urlOf(pathOf(name)), { method: "DELETE", signal: io.signal });
  await sayingWhy(io, client, asked);
  await print(io.stdout, `rule ${harmless(name)} is deleted\n`);
}

async function test(io: CliIo, target: string, options: ServiceOptions): Promise<void> {
  const client = new ServiceClient(io, options);
  const isFile = target === "-" || /\/|\.(ya?ml|json)$/.test(target);
  const rules: readonly unknown[] = isFile ? await readRules(io, target) : [undefined];
  let failed = 0;
  let count = 0;
  for (const [i, rule] of rules.entries()) {
    const name = rule === undefined ? target : nameOf(rule, i + 1);
    const answer = await post(client, `${pathOf(name)}/test`, rule, io.signal);
    const { deliveries } = checked(alertTestSchema, answer);
    if (deliveries.length === 0) await print(io.stderr, `rule ${harmless(name)} notifies nobody\n`);
    for (const { url, delivered, reason } of deliveries) {
      const said = delivered ? "delivered" : `failed: ${oneLine(reason ?? "no reason")}`;
      await print(io.stdout, `${harmless(name)}  ${harmless(url)}  ${said}\n`);
      failed += delivered ? 0 : 1;
      count++;
    }
  }
  if (failed > 0) throw new CliExit(1, `${failed} of ${count} receivers did not take it`);
}

async function history(io: CliIo, options: HistoryOptions): Promise<void> {
  const client = new ServiceClient(io, options);
  const { rule, limit } = options;
  const url = client.urlOf("/api/v1/alerting/history", { rule, limit: limit?.toString() });
  const answer = await client.json(url, { signal: io.signal });
  if (options.json === true) return printJson(io, answer);
  const { events } = checked(alertHistorySchema, answer);
  const head = ["TIME", "RULE", "STATUS", "COUNT", "LABELS", "DELIVERED"];
  const rows = events.map((event) => [
    event.time,
    harmless(event.rule),
    event.status,
    String(event.count),
    labelsOf(event) || "-",
    deliveredOf(event),
  ]);
  await print(io.stdout, tableOf(head, rows));
}

function labelsOf({ labels }: AlertEvent): string {
  const texts = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  return oneLine(texts.join(","));
}

/** `1 of 2, waiting`: with what became of the others, and why. */
function deliveredOf({ deliveries }: AlertEvent): string {
  const done = deliveries.filter(({ outcome }) => outcome === "delivered").length;
  const others = deliveries
    .filter(({ outcome }) => outcome !== "delivered")
    .map(({ outcome, reason }) => (reason === undefined ? outcome : `${outcome}: ${reason}`));
  return oneLine([`${done} of ${deliveries.length}`, ...new Set(others)].join(", "));
}

/** The JSON of a good answer, undefined where it is none; what is wrong with a rule stands in the problem's own sentence. */
async function post(
  client: ServiceClient,
  path: string,
  body: unknown,
  signal: AbortSignal,
): Promise<unknown> {
  const json = body === undefined ? {} : { body: JSON.stringify(body) };
  const headers = body === undefined ? {} : { "content-type": "application/json" };
  const request = { method: "POST", headers, ...json, signal };
  const response = await client.send(client.urlOf(path), request).catch((thrown: unknown) => {
    if (signal.aborted) throw new CliExit(1, "interrupted");
    throw client.unreachable(thrown);
  });
  if (!response.ok) {
    const problem = await problemOf(response);
    if (problem.code === "alerts.invalid-rule") throw new CliExit(1, problem.detail);
    throw failureOf(problem);
  }
  return response.json().catch(() => undefined);
}

function checked<T>(schema: z.ZodType<T>, answer: unknown): T {
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new CliExit(1, "the answer is not what was asked for; is the service of this version?");
}

function printJson(io: CliIo, answer: unknown): Promise<void> {
  return print(io.stdout, `${JSON.stringify(answer, undefined, 2)}\n`);
}

function pathOf(name: string): string {
  return `${rulesPath}/${encodeURIComponent(name)}`;
}

function nameOf(rule: unknown, number: number): string {
  const name = typeof rule === "object" && rule !== null && "name" in rule ? rule.name : undefined;
  if (typeof name === "string" && name !== "") return name;
  throw new CliExit(1, `rule #${number}: name: is missing`);
}

function oneLine(text: string): string {
  return harmless(text).replaceAll(/\s+/g, " ");
}

function limitOf(text: string): number {
  const limit = Number(text);
  if (Number.isInteger(limit) && limit >= 1 && limit <= alertHistoryMax) return limit;
  throw new InvalidArgumentError(`It is a number from 1 to ${alertHistoryMax}.`);
}
