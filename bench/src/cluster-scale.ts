// What a large cluster costs its coordinator: simulated nodes, each a session with the watches and reads of a real one, on three real
// coordinators; the balancer is the real one. One node joins; then what is decided is carried out, write by write. Prints JSON lines.
//   node bench/src/cluster-scale.ts [--nodes 1000] [--shards 10000] [--session-ms 20000] [--parts join,growth]
// All simulated nodes share this process, so the reads of one change come later than from a thousand machines: CPU until all is calm is told too.
import { randomUUID } from "node:crypto";
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { accessOf } from "../../cluster/src/access.ts";
import { type Cluster, type ClusterOptions, openCluster } from "../../cluster/src/cluster.ts";
import { paths } from "../../cluster/src/paths.ts";
import { ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import { silentLogger } from "../../kit/src/logger.ts";
import { Ensemble } from "../../test/ensemble/ensemble.ts";
import type { Member } from "../../test/ensemble/member.ts";
import { temporaryFolder } from "../../test/service.ts";
import { sealMany } from "./manifest-growth.ts";
import { processTree } from "./process-tree.ts";
import { round } from "./shipping.ts";
import { type ReadCounts, SimulatedNode, stateOf } from "./simulated-node.ts";

const { values: options } = parseArgs({
  options: {
    nodes: { type: "string", default: "1000" },
    shards: { type: "string", default: "10000" },
    "session-ms": { type: "string", default: "20000" },
    parts: { type: "string", default: "join,growth" },
  },
});

const nodeCount = Number(options.nodes);
const shardCount = Number(options.shards);
const credentials = { user: "logkeep", password: "a secret of the simulated cluster" };
const access = accessOf({ credentials, closed: false, inboxOpen: true });

/** What the goal is counted over. */
const countedMs = 10_000;

/** Writes of the set-up that are under way at a time. */
const atOnce = 500;

function print(row: object): void {
  console.log(JSON.stringify(row));
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function until(what: string, claim: () => boolean): Promise<void> {
  for (const endMs = performance.now() + 300_000; !claim(); await sleep(20)) {
    if (performance.now() > endMs) throw new Error(`${what} did not come to be`);
  }
}

async function inTurn<T>(things: readonly T[], each: (thing: T) => Promise<void>): Promise<void> {
  for (let at = 0; at < things.length; at += atOnce) {
    await Promise.all(things.slice(at, at + atOnce).map(each));
  }
}

/** When the balancer has written a placement, by the clock of this process, and how many copies are to be elsewhere. */
interface Placed {
  readonly atMs: number;
  readonly moved: number;
}

function clusterOptions(connect: string, more: Partial<ClusterOptions> = {}): ClusterOptions {
  return {
    ...{ connect, credentials, closed: false, inboxOpen: true, shards: shardCount },
    identity: { nodeId: nodeCount + 2, diskId: "disk", incarnation: randomUUID() },
    ...{ founding: "none", foldDirectory: temporaryFolder(), logger: silentLogger },
    sessionTimeoutMs: Number(options["session-ms"]),
    ...more,
  };
}

/** Nodes, a first placement, and shards as it says. */
class Simulation {
  readonly ensemble: Ensemble;
  readonly connect: string;
  readonly cluster: Cluster;
  readonly placed: readonly Placed[];
  readonly counts: ReadCounts = { events: 0, reads: 0, underWay: 0 };
  readonly nodes = new Map<number, SimulatedNode>();
  /** Writes of moves that were carried out. */
  writes = 0;

  private constructor(
    ensemble: Ensemble,
    connect: string,
    cluster: Cluster,
    placed: readonly Placed[],
  ) {
    this.ensemble = ensemble;
    this.connect = connect;
    this.cluster = cluster;
    this.placed = placed;
  }

  static async open(ensemble: Ensemble, connect: string): Promise<Simulation> {
    const placed: Placed[] = [];
    const info = (fields: object, text?: string): void => {
      if (text !== "shards are placed") return;
      placed.push({ atMs: performance.now(), moved: (fields as { moved: number }).moved });
    };
    const logger = { ...silentLogger, info };
    const cluster = await openCluster(clusterOptions(connect, { logger }));
    return new Simulation(ensemble, connect, cluster, placed);
  }

  node(id: number): SimulatedNode {
    const found = this.nodes.get(id);
    if (found === undefined) throw new Error(`there is no node ${id}`);
    return found;
  }

  async add(id: number): Promise<SimulatedNode> {
    const node = new SimulatedNode(
      {
        ...{ id, access, connect: this.connect },
        auth: `${credentials.user}:${credentials.password}`,
        sessionTimeoutMs: Number(options["session-ms"]),
      },
      this.counts,
    );
    this.nodes.set(id, node);
    await node.announce();
    return node;
  }

  async found(): Promise<void> {
    const { cluster } = this;
    const ids = Array.from({ length: nodeCount }, (_, at) => at + 1);
    await inTurn(ids, async (id) => void (await this.add(id)));
    await until("every node", () => cluster.topology.nodes().length >= nodeCount);
    cluster.balance({
      ...{ replication: () => 2, graceMs: () => 60_000, founders: nodeCount },
      nowMs: () => performance.now(),
    });
    const shards = Array.from({ length: shardCount }, (_, shard) => shard);
    const isAssigned = (shard: number): boolean => cluster.topology.assigned(shard) !== undefined;
    await until("a placement", () => shards.every(isAssigned));
    await inTurn(shards, (shard) => {
      const assigned = cluster.topology.assigned(shard) as readonly number[];
      const replicas = assigned.map((id) => this.node(id).replica);
      return this.node(assigned[0] as number).found(shard, replicas);
    });
    await until("every shard", () => [...cluster.topology.shards()].length === shardCount);
    await inTurn([...this.nodes.values()], (node) => node.follow());
  }

  /** The owners do what the balancer says, with the writes that real ones make, but nothing to copy. */
  carryOut(): void {
    const busy = new Set<number>();
    this.cluster.topology.onAssigned((shards) => {
      for (const shard of shards) {
        if (busy.has(shard)) continue;
        busy.add(shard);
        void this.#bringAbout(shard).finally(() => busy.delete(shard));
      }
    });
  }

  async #bringAbout(shard: number): Promise<void> {
    const { topology } = this.cluster;
    const place = topology.shard(shard);
    const assigned = topology.assigned(shard)?.map((id) => this.node(id).replica);
    if (place?.owner === null || place === undefined || assigned === undefined) return;
    let { version } = place;
    let owner = this.node(Number(place.owner.slice(0, place.owner.indexOf("/"))));
    const { inSync, epoch } = place;
    const all = [...new Set([...inSync, ...assigned])];
    const rest = { epoch, owner: owner.owner as string | null, next: null as string | null };
    const write = async (
      by: SimulatedNode,
      more: object,
      set: readonly string[],
    ): Promise<void> => {
      const state = stateOf({ ...rest, transferMs: 0, lossEpoch: 0, ...more }, all, set);
      await by.change(shard, version++, state);
      this.writes++;
    };
    if (all.length > inSync.length) {
      await write(owner, {}, inSync);
      await write(owner, {}, all);
    }
    const first = this.node(Number((assigned[0] as string).split("/")[0]));
    if (first !== owner) {
      await write(owner, { owner: null, next: first.replica }, all);
      owner = first;
      Object.assign(rest, { owner: first.owner, epoch: epoch + 1 });
      await write(owner, { next: first.replica }, all);
    }
    if (all.length > assigned.length) await write(owner, {}, assigned);
  }
}

function cpuOf(member: Member): number {
  return processTree(member.pid as number).cpuSeconds;
}

async function join(ensemble: Ensemble, connect: string): Promise<void> {
  const startedMs = performance.now();
  const simulation = await Simulation.open(ensemble, connect);
  const { counts, placed } = simulation;
  await simulation.found();
  await until("a calm", () => counts.underWay === 0);
  simulation.carryOut();
  await sleep(5_000);
  print({ name: "set up", seconds: round((performance.now() - startedMs) / 1000) });
  const leader = await ensemble.serving();
  const idle = ensemble.members.map(cpuOf);
  await sleep(countedMs);
  const idleCpu = ensemble.members.map((each, at) => round(cpuOf(each) - (idle[at] as number)));
  const before = ensemble.members.map(cpuOf);
  const own = process.cpuUsage();
  const beganMs = performance.now();
  await simulation.add(nodeCount + 1).then((node) => node.follow());
  const joinedMs = performance.now();
  await until("a new placement", () => placed.some(({ atMs }) => atMs > beganMs));
  const ownUsage = process.cpuUsage(own);
  await sleep(Math.max(0, beganMs + countedMs - performance.now()));
  const cpu = ensemble.members.map((each, at) => round(cpuOf(each) - (before[at] as number)));
  for (let events = -1; events !== counts.events || counts.underWay > 0; ) {
    events = counts.events;
    await sleep(2_000);
  }
  const seconds = (performance.now() - beganMs) / 1000;
  const calm = ensemble.members.map((each, at) => round(cpuOf(each) - (before[at] as number)));
  const at = ensemble.members.indexOf(leader);
  const placements = placed
    .filter(({ atMs }) => atMs > beganMs)
    .map(({ atMs, moved }) => ({ afterMs: round(atMs - joinedMs), moved }));
  print({
    ...{ name: "a node joins", nodes: nodeCount, shards: shardCount, placements },
    writesOfMoves: simulation.writes,
    ownCpuUntilDecided: round((ownUsage.user + ownUsage.system) / 1e6),
    leaderCpuShare: round((cpu[at] as number) / (countedMs / 1000)),
    ...{ leader: leader.id, cpuSeconds: cpu, idleCpuSeconds: idleCpu },
    ...{ calmAfterSeconds: round(seconds), cpuSecondsUntilCalm: calm },
    ...{ events: counts.events, reads: counts.reads, load: loadavg()[0] },
  });
  print({ name: "znodes", ...(await znodesOf(connect)) });
}

/** How many there are, and the largest. */
async function znodesOf(connect: string): Promise<object> {
  const client = new ZooKeeperClient({ connect });
  await client.addAuth("digest", `${credentials.user}:${credentials.password}`);
  const counts: Record<string, number> = {};
  let largest = { path: "", bytes: 0 };
  const visit = async (at: string, group: string): Promise<void> => {
    const [{ data }, { children }] = await Promise.all([
      client.getData(at),
      client.getChildren(at),
    ]);
    const bytes = data?.length ?? 0;
    if (bytes > largest.bytes) largest = { path: at, bytes };
    counts[group] = (counts[group] ?? 0) + 1;
    await inTurn(children, (child) => visit(`${at}/${child}`, group));
  };
  const { children } = await client.getChildren(paths.root);
  for (const child of children) await visit(`${paths.root}/${child}`, child);
  await client.close();
  return { largest, counts };
}

const ensemble = await Ensemble.start({ kinds: ["logkeep", "logkeep", "logkeep"] });
const connect = ensemble.addresses.map(({ host, port }) => `${host}:${port}`).join(",");
if (options.parts.includes("growth")) {
  const root = new ZooKeeperClient({ connect });
  await root.create("/growth");
  await root.close();
  const cluster = await openCluster(clusterOptions(`${connect}/growth`, { founding: "alone" }));
  for (const row of await sealMany(cluster, shardCount)) print(row);
  await cluster.close();
}
if (options.parts.includes("join")) await join(ensemble, connect);
await ensemble.end();
process.exit();
