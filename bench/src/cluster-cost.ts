// What three nodes with two replicas cost beside one node alone: CPU seconds per GB of the same corpus, and how long one record's
// acknowledgement takes where the shard's owner is the node asked, and where it is another. Prints JSON lines.
//   node bench/src/cluster-cost.ts [--records 500000] [--senders 4] [--seed 1] [--parts load,routing] [--profile DIRECTORY]
// All nodes and the senders share the cores: CPU compares, and medians do where the machine has nothing else to do.
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { Nodes } from "../../test/cluster/nodes.ts";
import { Service } from "../../test/service.ts";
import { generateCorpus } from "./corpus.ts";
import { processTree, threadSeconds } from "./process-tree.ts";
import { quantile, round, shipAll } from "./shipping.ts";

const { values: options } = parseArgs({
  options: {
    records: { type: "string", default: "500000" },
    senders: { type: "string", default: "4" },
    seed: { type: "string", default: "1" },
    parts: { type: "string", default: "load,routing" },
    profile: { type: "string" },
  },
});

/** Records in one request, as shippers send them. */
const bodyRecords = 2_000;

/** Records whose acknowledgements are timed at each node, after as many that are not. */
const timed = 400;

/** Records of nodes that have just started cost what code costs that has just been compiled. */
const warmRecords = 40_000;

/** Seals, copies of segments and merges that are under way belong to the records before them. */
const restMs = 8_000;

/** A figure of latency is made of so many looks at each node, taken in turn. */
const turns = 4;

const env: Readonly<Record<string, string>> =
  options.profile === undefined
    ? {}
    : { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${options.profile}` };

function print(row: object): void {
  console.log(JSON.stringify(row));
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function bodiesOf(records: number, seed: number): Buffer[] {
  const bodies: Buffer[] = [];
  let lines: Buffer[] = [];
  for (const line of generateCorpus({ seed, records, endMs: Date.now() })) {
    lines.push(line);
    if (lines.length < bodyRecords) continue;
    bodies.push(Buffer.concat(lines));
    lines = [];
  }
  if (lines.length > 0) bodies.push(Buffer.concat(lines));
  return bodies;
}

function cpuOf(nodes: readonly Service[]): number {
  return nodes.reduce((sum, { pid }) => sum + processTree(pid).cpuSeconds, 0);
}

/** CPU seconds of all nodes' threads together, by the name of their kind. */
function threadsOf(nodes: readonly Service[]): Map<string, number> {
  const sum = new Map<string, number>();
  for (const { pid } of nodes) {
    for (const [name, seconds] of threadSeconds(pid)) {
      sum.set(name, (sum.get(name) ?? 0) + seconds);
    }
  }
  return sum;
}

/** Ships everything, each sender to one node; gives CPU seconds per GB, with what follows the last acknowledgement. */
async function load(
  name: string,
  nodes: readonly Service[],
  bodies: readonly Buffer[],
): Promise<number> {
  const bytes = bodies.reduce((sum, { length }) => sum + length, 0);
  const before = cpuOf(nodes);
  const threadsBefore = threadsOf(nodes);
  const startedMs = performance.now();
  const shares = nodes.map((_, node) => bodies.filter((_body, at) => at % nodes.length === node));
  const senders = Math.max(1, Math.round(Number(options.senders) / nodes.length));
  const latencies = await Promise.all(
    nodes.map(({ http }, node) => shipAll(http, shares[node] ?? [], senders)),
  );
  const seconds = (performance.now() - startedMs) / 1000;
  await sleep(restMs);
  const cpu = cpuOf(nodes) - before;
  const cpuPerGb = cpu / (bytes / 1e9);
  print({
    ...{ name, megabytes: round(bytes / 1e6), seconds: round(seconds), cpuSeconds: round(cpu) },
    threads: Object.fromEntries(
      [...threadsOf(nodes)]
        .map(([kind, now]) => [kind, round(now - (threadsBefore.get(kind) ?? 0))] as const)
        .filter(([, spent]) => spent > 0),
    ),
    ...{ cpuPerGb: round(cpuPerGb), ackMsP50: quantile(latencies.flat(), 0.5), load: loadavg()[0] },
  });
  return cpuPerGb;
}

/** How long a node alone takes for what three nodes take, and what it costs them. */
async function compareLoad(): Promise<void> {
  const bodies = bodiesOf(Number(options.records), Number(options.seed));
  const warm = bodiesOf(warmRecords, Number(options.seed) + 1);
  const one = await Service.start({ env });
  await shipAll(one.http, warm, Number(options.senders));
  const single = await load("one node", [one], bodies);
  await one.stop();
  const nodes = await Nodes.start({ count: 3, env, args: ["--set", "storage.shards=4"] });
  const all = nodes.ids.map((id) => nodes.node(id));
  await Promise.all(all.map(({ http }) => shipAll(http, warm, 2)));
  const three = await load("three nodes, two replicas", all, bodies);
  await Promise.all(all.map((node) => node.stop()));
  await nodes.close();
  print({ name: "three nodes beside one", ratio: round(three / single) });
}

/** Milliseconds of each acknowledgement, of one record at a time. */
async function acknowledgements({ http }: Service): Promise<number[]> {
  const record = Buffer.from('{"service":"s","host":"h","_msg":"one record"}\n');
  return shipAll(
    http,
    Array.from({ length: timed / turns }, () => record),
    1,
  );
}

/** The one shard's owner asked, and another node: what the way over costs. */
async function compareRouting(replication: number): Promise<void> {
  const args = ["--set", "storage.shards=1", "--set", `cluster.replication=${replication}`];
  const nodes = await Nodes.start({ count: 3, env, args });
  const all = nodes.ids.map((id) => nodes.node(id));
  await sleep(restMs);
  const answer = await fetch(`${all[0]?.http}/api/v1/cluster/shards`);
  const { shards } = (await answer.json()) as { shards: { owner: number; replicas: unknown[] }[] };
  const { owner, replicas } = shards[0] as (typeof shards)[0];
  const figures = new Map(nodes.ids.map((id) => [id, [] as number[]]));
  for (const id of nodes.ids)
    for (let at = 0; at < turns; at++) await acknowledgements(nodes.node(id));
  for (let turn = 0; turn < turns; turn++) {
    for (const [id, found] of figures) found.push(...(await acknowledgements(nodes.node(id))));
  }
  const local = quantile(figures.get(owner) ?? [], 0.5);
  const others = [...figures].filter(([id]) => id !== owner).flatMap(([, found]) => found);
  const routed = quantile(others, 0.5);
  print({
    ...{ name: "acknowledgement of one record", copies: replicas.length },
    ...{ localMsP50: local, routedMsP50: routed, addedMs: round(routed - local) },
    load: loadavg()[0],
  });
  await nodes.close();
}

if (options.parts.includes("load")) await compareLoad();
if (options.parts.includes("routing")) for (const copies of [1, 2]) await compareRouting(copies);
