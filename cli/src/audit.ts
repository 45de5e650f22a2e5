import type { Command } from "commander";
import { type AuditAnswer, type AuditLink, auditAnswerSchema } from "../../api/src/audit.ts";
import { chainFault } from "../../api/src/audit-chain.ts";
import { ServiceClient, type ServiceOptions, withService } from "./client.ts";
import { CliExit, type CliIo, print, usageError } from "./io.ts";
import { sayingWhy } from "./leader.ts";
import { harmless, tableOf } from "./style.ts";

const path = "/api/v1/audit";

/** Entries asked for at a time. */
const pageEntries = 1000;

/** Adds `audit list` and `audit verify`. */
export function registerAudit(program: Command, io: CliIo): void {
  const audit = program.command("audit").description("look at who changed what, and check it");
  withService(audit.command("list"))
    .description("list the latest changes of settings, keys and rules")
    .option("--limit <n>", "entries at most", countOf, 50)
    .option("--json", "as JSON")
    .action((options: ListOptions) => list(io, options));
  withService(audit.command("verify"))
    .description("check that no entry of the journal is missing or was changed")
    .addHelpText(
      "after",
      `
Entries form a chain of hashes: each holds that of the one before. The chain is
computed anew and compared with its end, which the coordinator keeps. Write down
the line that this prints to prove later that nothing before it was changed.`,
    )
    .action((options: ServiceOptions) => verify(io, options));
}

interface ListOptions extends ServiceOptions {
  readonly limit: number;
  readonly json?: boolean;
}

async function list(io: CliIo, options: ListOptions): Promise<void> {
  const client = new ServiceClient(io, options);
  const answer = await page(client, io, { limit: String(options.limit) });
  if (options.json === true) {
    await print(io.stdout, `${JSON.stringify(answer, undefined, 2)}\n`);
    return;
  }
  const rows = answer.entries.map(rowOf);
  await print(io.stdout, tableOf(["NUMBER", "AT", "BY", "ACTION", "TARGET", "CHANGE"], rows));
  if (answer.waiting > 0) await print(io.stdout, `${answer.waiting} more are being written\n`);
}

function rowOf({ number, entry }: AuditLink): string[] {
  let fields: Readonly<Record<string, unknown>> = {};
  try {
    fields = JSON.parse(entry) as Record<string, unknown>;
  } catch {
    // Put there by hand: it is shown as it is.
    return [String(number), "", "", "", "", harmless(entry.slice(0, 100))];
  }
  const { atMs, by, action, target, before, after } = fields;
  const at = typeof atMs === "number" ? new Date(atMs).toISOString() : "";
  const change = [before, after].filter((one) => one !== undefined).join(" → ");
  const short = change.length > 100 ? `${change.slice(0, 100)}…` : change;
  const texts = [by === "" ? "(no key)" : by, action, target, short].map((text) =>
    harmless(String(text ?? "")),
  );
  return [String(number), at, ...texts];
}

async function verify(io: CliIo, options: ServiceOptions): Promise<void> {
  const client = new ServiceClient(io, options);
  let before: { count: number; hash: string } | undefined;
  let first: number | undefined;
  for (;;) {
    const answer = await page(client, io, {
      after: String(before?.count ?? 0),
      limit: String(pageEntries),
    });
    const { head, entries } = answer;
    const [next] = entries;
    if (before === undefined && next !== undefined && next.number > 1) {
      // Its link to what was before cannot be checked any more.
      first = next.number;
      entries.shift();
      before = { count: next.number, hash: next.hash };
    }
    before ??= { count: 0, hash: "0".repeat(64) };
    const isLast = entries.length === 0;
    const fault = chainFault(entries, before, isLast ? head : undefined);
    if (fault !== undefined) throw new CliExit(1, `the audit journal is not whole: ${fault}`);
    const last = entries.at(-1);
    if (last !== undefined) before = { count: last.number, hash: last.hash };
    if (!isLast) continue;
    const from =
      first === undefined ? "" : ` from entry ${first} on (what was before is past its retention)`;
    await print(
      io.stdout,
      `the audit journal is whole${from}: ${head.count} entries, ${head.hash}\n`,
    );
    return;
  }
}

async function page(
  client: ServiceClient,
  io: CliIo,
  params: Readonly<Record<string, string>>,
): Promise<AuditAnswer> {
  const answer = auditAnswerSchema.safeParse(
    await sayingWhy(io, client, client.json(client.urlOf(path, params), { signal: io.signal })),
  );
  if (answer.success) return answer.data;
  throw new CliExit(1, "the answer is no audit journal; is the service of this version?");
}

function countOf(text: string): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count > 0) return count;
  throw usageError(`--limit needs a whole number, not ${text}`);
}
