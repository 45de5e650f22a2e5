import type { Command } from "commander";
import {
  recoverAnswerSchema,
  type ShardListed,
  shardsAnswerSchema,
} from "../../api/src/cluster.ts";
import { ServiceClient, type ServiceOptions, withService } from "./client.ts";
import { CliExit, type CliIo, print, usageError } from "./io.ts";
import { sayingWhy } from "./leader.ts";
import { printCount, printSize } from "./numbers.ts";
import { type Style, styleOf, tableOf } from "./style.ts";

const shardsPath = "/api/v1/cluster/shards";

interface ListOptions extends ServiceOptions {
  readonly json?: boolean;
}

interface MoveOptions extends ServiceOptions {
  readonly from: string;
  readonly to: string;
}

interface RecoverOptions extends ServiceOptions {
  readonly acceptLoss?: boolean;
}

/** Adds `shard list`, `shard move`, `shard recover`, and what takes a node out: `shard drain` and `shard undrain`. */
export function registerShard(program: Command, io: CliIo): void {
  const shard = program.command("shard").description("see and move the shards of a cluster");
  withService(shard.command("list"))
    .description("each shard: its owner, its copies, how far they are behind, where they are to be")
    .option("--json", "as JSON")
    .action((options: ListOptions) => list(io, options));
  withService(shard.command("move"))
    .description(
      "move a copy of a shard to another node, or with --from as --to have it owned there",
    )
    .argument("<shard>", "its number, as shard list shows it")
    .requiredOption("--from <node>", "a node that has a copy")
    .requiredOption("--to <node>", "the node that is to have it")
    .addHelpText(
      "after",
      `
Examples:
  logkeep shard move 7 --from 1 --to 3
  logkeep shard move 7 --from 2 --to 2      (node 2 has a copy and is to be the owner)`,
    )
    .action((id: string, options: MoveOptions) => move(io, id, options));
  withService(shard.command("recover"))
    .description(
      "make the copy of the node that is asked the only one of a shard that nobody can serve",
    )
    .argument("<shard>", "its number, as shard list shows it")
    .option("--accept-loss", "records that only the other copies have are given up")
    .addHelpText(
      "after",
      `
Every member of the shard's set must be gone for good: records that it had and this node has not are lost. It is noted
in the audit journal, and refused while the process of such a member is there.

Example:
  logkeep shard recover 7 --accept-loss --url http://NODE-THAT-HAS-A-COPY:7070`,
    )
    .action((id: string, options: RecoverOptions) => recover(io, id, options));
  for (const verb of ["drain", "undrain"] as const) {
    const what =
      verb === "drain"
        ? "move everything away from a node, before it goes for good"
        : "let a node that was drained have its share again";
    withService(shard.command(verb))
      .description(what)
      .argument("<node>", "the node's number")
      .action((node: string, options: ServiceOptions) => drain(io, verb, node, options));
  }
}

async function list(io: CliIo, options: ListOptions): Promise<void> {
  const client = new ServiceClient(io, options);
  const answer = await client.json(client.urlOf(shardsPath), { signal: io.signal });
  if (options.json === true) {
    await print(io.stdout, `${JSON.stringify(answer, undefined, 2)}\n`);
    return;
  }
  const parsed = shardsAnswerSchema.safeParse(answer);
  if (!parsed.success) {
    throw new CliExit(1, "the answer is no list of shards; is the service of this version?");
  }
  await print(io.stdout, shardsText(parsed.data.shards, styleOf(io, io.isTTY)));
}

/** A copy is `node`, with `+N` where it lacks N entries, `?` where it is not in sync, `!` where its node is away. */
export function shardsText(shards: readonly ShardListed[], style: Style): string {
  const rows = shards.map((shard) => [
    String(shard.id),
    shard.state === "offline" ? style.red(shard.state) : shard.state,
    shard.owner === undefined ? "-" : String(shard.owner),
    shard.replicas.map(replicaText).join(" "),
    shard.assigned.join(" "),
    String(shard.epoch),
    shard.records === undefined ? "" : printCount(shard.records),
    shard.segmentBytes === undefined ? "" : printSize(shard.segmentBytes),
  ]);
  const head = ["SHARD", "STATE", "OWNER", "COPIES", "WANTED", "EPOCH", "RECORDS", "SEGMENTS"];
  return tableOf(head, rows);
}

function replicaText({ node, isInSync, isLive, lag }: ShardListed["replicas"][number]): string {
  const behind = lag === undefined || lag === 0 ? "" : `+${lag}`;
  return `${node}${behind}${isInSync ? "" : "?"}${isLive ? "" : "!"}`;
}

async function move(io: CliIo, id: string, { from, to, ...options }: MoveOptions): Promise<void> {
  const body = JSON.stringify({ from: nodeOf(from), to: nodeOf(to) });
  if (!/^\d{1,6}$/.test(id)) throw usageError(`${id} is no shard's number`);
  const client = new ServiceClient(io, options);
  const asked = client.ask(client.urlOf(`${shardsPath}/${id}/move`), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
    signal: io.signal,
  });
  await sayingWhy(io, client, asked);
  await print(io.stderr, `shard ${id} will move; logkeep shard list shows how it goes\n`);
}

async function recover(
  io: CliIo,
  id: string,
  { acceptLoss, ...options }: RecoverOptions,
): Promise<void> {
  if (!/^\d{1,6}$/.test(id)) throw usageError(`${id} is no shard's number`);
  if (acceptLoss !== true) {
    throw usageError(
      "records may be lost: say --accept-loss, once no member of its set can come back",
    );
  }
  const client = new ServiceClient(io, options);
  const asked = client.json(client.urlOf(`${shardsPath}/${id}/recover`), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ acceptLoss }),
    signal: io.signal,
  });
  const parsed = recoverAnswerSchema.safeParse(await sayingWhy(io, client, asked));
  const lost = parsed.success ? parsed.data.lost : [];
  const what = lost.length === 0 ? "none" : lost.join(", ");
  await print(io.stderr, `shard ${id} is served by this node's copy alone; given up: ${what}\n`);
}

async function drain(
  io: CliIo,
  verb: "drain" | "undrain",
  node: string,
  options: ServiceOptions,
): Promise<void> {
  const client = new ServiceClient(io, options);
  const url = client.urlOf(`/api/v1/cluster/nodes/${nodeOf(node)}/${verb}`);
  await sayingWhy(io, client, client.ask(url, { method: "POST", signal: io.signal }));
  const what =
    verb === "drain"
      ? "is to have nothing; it may be stopped when shard list names it no more"
      : "gets its share again";
  await print(io.stderr, `node ${node} ${what}\n`);
}

function nodeOf(text: string): number {
  if (/^\d{1,3}$/.test(text) && Number(text) >= 1) return Number(text);
  throw usageError(`${text} is no node's number`);
}
