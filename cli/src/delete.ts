import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import {
  type Delete,
  deleteDryRunSchema,
  deleteSchema,
  deletesAnswerSchema,
} from "../../api/src/deletes.ts";
import { ServiceClient, type ServiceOptions, withService } from "./client.ts";
import { CliExit, type CliIo, print } from "./io.ts";
import { harmless, tableOf } from "./style.ts";

const path = "/api/v1/deletes";

/** How often `--wait` asks how far it has come. */
const askEveryMs = 1000;

/** Adds `delete` and `deletes`. */
export function registerDelete(program: Command, io: CliIo): void {
  withService(program.command("delete"))
    .description("delete the records that match a filter: at once for queries, then from the disk")
    .argument("<query>", "a filter, without pipes; * is everything")
    .option("--from <time>", "only records from here on: 1h, now-15m, RFC 3339, epoch")
    .option("--to <time>", "only records before this")
    .option("--dry-run", "only count what matches")
    .option("--wait", "until no file holds a match, some minutes")
    .addHelpText(
      "after",
      `
There is no way back. What is shipped later is not deleted, whatever its time.

Examples:
  logkeep delete 'user_id:="4711"' --dry-run
  logkeep delete 'user_id:="4711"' --wait
  logkeep delete '{service="api"} password' --from 2026-11-20 --to 2026-11-21`,
    )
    .action((query: string, options: DeleteOptions) => remove(io, query, options));
  withService(program.command("deletes"))
    .description("show how far deletes have come, those that are done too")
    .argument("[id]", "only this one")
    .option("--json", "as JSON")
    .action((id: string | undefined, options: ServiceOptions & { json?: boolean }) =>
      show(io, id, options),
    );
}

interface DeleteOptions extends ServiceOptions {
  readonly from?: string;
  readonly to?: string;
  readonly dryRun?: boolean;
  readonly wait?: boolean;
}

async function remove(io: CliIo, query: string, options: DeleteOptions): Promise<void> {
  const client = new ServiceClient(io, options);
  const { from: start, to: end, dryRun } = options;
  const body = JSON.stringify({ query, start, end, dryRun });
  const headers = { "content-type": "application/json" };
  const request = { method: "POST", headers, body, signal: io.signal };
  const answer = await client.json(client.urlOf(path), request);
  if (dryRun === true) {
    const counted = deleteDryRunSchema.safeParse(answer);
    if (!counted.success) throw notUnderstood();
    await print(io.stdout, `${counted.data.rows} records match ${harmless(counted.data.query)}\n`);
    return;
  }
  let made = deleteIn(answer);
  await print(io.stdout, `delete ${made.id}: ${made.rowsHidden} records are hidden\n`);
  if (options.wait !== true) return;
  while (made.state !== "done") {
    if (made.filesStuck > 0 && made.filesStuck === made.filesLeft) {
      const advice = "what they have stays hidden; logkeep deletes names them";
      throw new CliExit(1, `${made.filesStuck} damaged files cannot be rewritten; ${advice}`);
    }
    await sleep(askEveryMs, undefined, { signal: io.signal }).catch(() => undefined);
    made = deleteIn(await client.json(client.urlOf(`${path}/${made.id}`), { signal: io.signal }));
  }
  const { filesRewritten } = made;
  await print(io.stdout, `delete ${made.id}: done, ${filesRewritten} files were rewritten\n`);
}

async function show(
  io: CliIo,
  id: string | undefined,
  options: ServiceOptions & { json?: boolean },
): Promise<void> {
  const client = new ServiceClient(io, options);
  const url = client.urlOf(id === undefined ? path : `${path}/${encodeURIComponent(id)}`);
  const answer = await client.json(url, { signal: io.signal });
  if (options.json === true) {
    await print(io.stdout, `${JSON.stringify(answer, undefined, 2)}\n`);
    return;
  }
  const parsed = deletesAnswerSchema.safeParse(id === undefined ? answer : { deletes: [answer] });
  if (!parsed.success) throw notUnderstood();
  const rows = parsed.data.deletes.map((made) => [
    made.id,
    made.state,
    made.createdAt,
    String(made.rowsHidden),
    String(made.filesRewritten),
    String(made.filesLeft + made.filesKept),
    harmless(made.query),
  ]);
  const names = ["ID", "STATE", "CREATED", "HIDDEN", "REWRITTEN", "LEFT", "QUERY"];
  await print(io.stdout, tableOf(names, rows));
}

function deleteIn(answer: unknown): Delete {
  const parsed = deleteSchema.safeParse(answer);
  if (!parsed.success) throw notUnderstood();
  return parsed.data;
}

function notUnderstood(): CliExit {
  return new CliExit(1, "the answer is not of a delete; is the service of this version?");
}
