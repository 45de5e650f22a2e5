import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { type ClusterAnswer, clusterAnswerSchema } from "../../api/src/answers.ts";
import { type ShardListed, shardsAnswerSchema } from "../../api/src/cluster.ts";
import { ServiceClient, type ServiceOptions, withService } from "./client.ts";
import { CliExit, type CliIo, print, usageError } from "./io.ts";
import { isLed, noLeader, sayingWhy } from "./leader.ts";

type NodeListed = ClusterAnswer["nodes"][number];

/** Between two looks at how far it is. */
const lookMs = 500;

/** Adds `node leave`. */
export function registerNode(program: Command, io: CliIo): void {
  const node = program.command("node").description("let a node leave a cluster");
  withService(node.command("leave"))
    .description("move everything away from a node and wait until it may be stopped for good")
    .argument("<node>", "its number, as status shows it")
    .addHelpText(
      "after",
      `
Copies of its shards are made on other nodes first, so that none is ever on fewer disks than before; records are taken
and found all the while. Ends with 0 when nothing is left on the node. Interrupted, the node goes on emptying itself:
run it again to wait, or logkeep shard undrain to have it stay. Ask any node; where the one that leaves is stopped by
a script, run this before it.

Example:
  logkeep node leave 4 && systemctl stop logkeep`,
    )
    .action((id: string, options: ServiceOptions) => leave(io, nodeOf(id), options));
}

async function leave(io: CliIo, node: number, options: ServiceOptions): Promise<void> {
  const client = new ServiceClient(io, options);
  const votes = checkLeaving((await clusterOf(io, client)).nodes, node);
  const url = client.urlOf(`/api/v1/cluster/nodes/${node}/drain`);
  await sayingWhy(io, client, client.ask(url, { method: "POST", signal: io.signal }));
  let said = "";
  let wasDrained = false;
  for (;;) {
    const { nodes, coordinator } = await clusterOf(io, client);
    const leaving = nodes.find(({ id }) => id === node);
    // The node that is asked may hear of the drain a moment later; one that has died says nothing of it.
    if (wasDrained && leaving !== undefined && leaving.state !== "gone" && !leaving.isDrained) {
      throw new CliExit(1, `node ${node} stays: somebody gave it its share again`);
    }
    wasDrained ||= leaving?.isDrained === true;
    const others = nodes.filter(({ id }) => id !== node);
    // Who is only away comes back; where all are to leave, it would never end.
    if (!others.some((other) => other.state === "gone" || mayHold(other))) throw nowhere(node);
    const { copies, owned } = leftOn(await shardsOf(io, client), node);
    if (copies === 0) break;
    const waits = isLed(coordinator) ? "" : `; waiting: ${noLeader}`;
    const text = `node ${node}: ${copies} copies left, ${owned} of them owned${waits}\n`;
    if (text !== said) await print(io.stderr, text);
    said = text;
    await sleep(lookMs, undefined, { signal: io.signal }).catch(() => {
      throw new CliExit(1, `interrupted; node ${node} goes on emptying itself`);
    });
  }
  await print(io.stderr, `nothing is left on node ${node}: it may be stopped\n`);
  if (votes) {
    const what =
      "it is a member of the coordinator: the others must go on to be most of all members";
    await print(io.stderr, `${what}\n`);
  }
}

/** Whether the node is a member of the coordinator. Throws a `CliExit` where its shards could go nowhere. */
function checkLeaving(nodes: readonly NodeListed[], node: number): boolean {
  const leaving = nodes.find(({ id }) => id === node);
  if (leaving === undefined) throw new CliExit(1, `there is no node ${node}`);
  const others = nodes.filter((other) => other.id !== node && other.state === "live");
  if (!others.some(mayHold)) throw nowhere(node);
  return leaving.roles.includes("coordinator");
}

function mayHold({ roles, isDrained }: NodeListed): boolean {
  return roles.includes("ingest") && isDrained !== true;
}

function nowhere(node: number): CliExit {
  return new CliExit(1, `no other node is there to hold the shards of node ${node}`);
}

async function clusterOf(io: CliIo, client: ServiceClient): Promise<ClusterAnswer> {
  const answer = await client.json(client.urlOf("/api/v1/cluster"), { signal: io.signal });
  const parsed = clusterAnswerSchema.safeParse(answer);
  if (!parsed.success) {
    throw new CliExit(1, "the answer is no status; is the service of this version?");
  }
  return parsed.data;
}

async function shardsOf(io: CliIo, client: ServiceClient): Promise<readonly ShardListed[]> {
  const answer = await client.json(client.urlOf("/api/v1/cluster/shards"), { signal: io.signal });
  const parsed = shardsAnswerSchema.safeParse(answer);
  if (!parsed.success) {
    throw new CliExit(1, "the answer is no list of shards; is the service of this version?");
  }
  return parsed.data.shards;
}

/** What is still there, or is to be there as far as the balancer has said. */
function leftOn(
  shards: readonly ShardListed[],
  node: number,
): { readonly copies: number; readonly owned: number } {
  const copies = shards.filter(
    ({ replicas, assigned }) =>
      assigned.includes(node) || replicas.some((replica) => replica.node === node),
  );
  return { copies: copies.length, owned: copies.filter(({ owner }) => owner === node).length };
}

function nodeOf(text: string): number {
  if (/^\d{1,3}$/.test(text) && Number(text) >= 1) return Number(text);
  throw usageError(`${text} is no node's number`);
}
