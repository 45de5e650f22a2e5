import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Cluster } from "../../cluster/src/cluster.ts";
import { openPeers } from "../../cluster/src/peers/open-peers.ts";
import type { Peers } from "../../cluster/src/peers/peers.ts";
import { facts, Given } from "../../cluster/test/given.ts";
import { settingsSchema } from "../../config/src/schema.ts";
import { systemClock } from "../../kit/src/clock.ts";
import { Lifecycle } from "../../kit/src/lifecycle.ts";
import { silentLogger } from "../../kit/src/logger.ts";
import { recordsOf } from "../../query/src/engine/encode.ts";
import { type QuerySummary, runQuery } from "../../query/src/engine/run.ts";
import { parseQuery } from "../../query/src/language/parse.ts";
import { openDataDirectory } from "../../storage/src/shard/data-directory.ts";
import { openReading, type Reading } from "../src/reading.ts";
import type { RoutingPart } from "../src/routing/routing-part.ts";
import { openStorePart, type StorePart } from "../src/store-part.ts";

const secret = Buffer.from("a secret of the cluster");

/** How long whatever a test waits for may take on a busy machine. */
const patienceMs = 60_000;

/** A node of a cluster in this process, with threads, disk and connections of its own. */
export interface NodeGiven {
  readonly id: number;
  readonly folder: string;
  readonly cluster: Cluster;
  readonly peers: Peers;
  readonly stored: StorePart;
  readonly routing: RoutingPart;
  readonly reading: Reading;
  close(): Promise<void>;
  /** As `close`, but nobody hears of it before it is gone: nothing is handed over. */
  crash(): Promise<void>;
}

export interface NodeOver {
  /** What queries are evaluated by, in place of the node's own threads. */
  readonly pool?: (pool: StorePart["pool"]) => StorePart["pool"];
}

export interface Answered {
  readonly rows: readonly Readonly<Record<string, string>>[];
  readonly summary: QuerySummary;
}

/** A cluster of real stores in one process: each shard has two copies, placed by the balancer. */
export class ClusterGiven {
  readonly shardCount: number;
  readonly #given: Given;
  readonly #directory: string;
  readonly #founders: number;
  readonly #nodes = new Map<number, NodeGiven>();

  private constructor(given: Given, directory: string, founders: number, shardCount: number) {
    this.#given = given;
    this.#directory = directory;
    this.#founders = founders;
    this.shardCount = shardCount;
  }

  /** Nodes are numbered from 1. Resolves when each shard is served and has its copies. */
  static async open(
    nodes: number,
    shardCount: number,
    over: Readonly<Record<number, NodeOver>> = {},
  ): Promise<ClusterGiven> {
    const directory = await mkdtemp(join(tmpdir(), "logkeep-nodes-"));
    const made = new ClusterGiven(await Given.open(), directory, nodes, shardCount);
    const ids = Array.from({ length: nodes }, (_, at) => at + 1);
    try {
      await Promise.all(ids.map((id) => made.start(id, over[id])));
      await made.settled();
    } catch (thrown) {
      await made.close();
      throw thrown;
    }
    return made;
  }

  get nodes(): readonly NodeGiven[] {
    return [...this.#nodes.values()];
  }

  node(id: number): NodeGiven {
    const found = this.#nodes.get(id);
    if (found === undefined) throw new Error(`node ${id} does not run`);
    return found;
  }

  /** A process of a node, over what one before has left on its disk. */
  async start(id: number, over: NodeOver = {}): Promise<NodeGiven> {
    const lifecycle = new Lifecycle();
    const folder = join(this.#directory, `node-${id}`);
    const data = await openDataDirectory(folder);
    lifecycle.add("data", () => data.release());
    const identity = { nodeId: id, diskId: data.diskId, incarnation: randomUUID() };
    const { shardCount: shards } = this;
    const founding = "assigned";
    // Longer than any pause of a busy machine: what ends here ends by closing.
    const session = { sessionTimeoutMs: 20_000, foldDirectory: join(folder, "manifest") };
    const cluster = await this.#given.cluster({ identity, shards, founding, ...session });
    lifecycle.add("cluster", () => cluster.close());
    const peers = await openPeers({
      ...{ self: identity, clusterId: cluster.id, secret, listen: "127.0.0.1:0" },
      ...{ directory: cluster.topology.peers, logger: silentLogger },
    });
    lifecycle.add("peers", () => peers.close());
    await cluster.announce(facts({ peer: peers.address }), () => undefined);
    const balancer = cluster.balance({
      ...{ replication: () => 2, graceMs: () => 600_000, founders: this.#founders },
      nowMs: () => performance.now(),
    });
    lifecycle.add("balancer", () => balancer.close());
    const storage = { arenaBytes: 32 * 1024 * 1024, workers: 1 };
    const settings = settingsSchema.parse({ storage });
    const stored = await openStorePart({
      ...{ settings, data, cluster, identity, peers },
      ...{ clock: systemClock, logger: silentLogger },
    });
    lifecycle.add("store", () => stored.close());
    const { routing, pool } = stored;
    if (routing === undefined) throw new Error("a node with peers routes");
    const read = { ...stored, pool: over.pool?.(pool) ?? pool };
    const reading = openReading(read, { peers, ...routing });
    lifecycle.add("reading", () => reading.close());
    lifecycle.add("held records", () => routing.stop());
    const close = async (): Promise<void> => {
      this.#nodes.delete(id);
      await lifecycle.close();
    };
    const crash = async (): Promise<void> => {
      this.#nodes.delete(id);
      await peers.close();
      await cluster.client.close();
      await lifecycle.close();
    };
    const node = { id, folder, cluster, peers, stored, routing, reading, close, crash };
    this.#nodes.set(id, node);
    return node;
  }

  /** Resolves when each shard is served by a node and has two members in sync. */
  async settled(): Promise<void> {
    await this.until("each shard is served and copied", () => {
      const { topology } = (this.nodes[0] as NodeGiven).cluster;
      return this.#shards.every((shard) => {
        const isServed = this.nodes.some(({ stored }) => stored.store.serves(shard));
        return isServed && topology.shard(shard)?.inSync.length === 2;
      });
    });
  }

  /** Whose sets are just these nodes. */
  shardsOf(set: readonly number[]): number[] {
    const { topology } = (this.nodes[0] as NodeGiven).cluster;
    return this.#shards.filter((shard) => {
      const members = topology.shard(shard)?.inSync.map((replica) => Number.parseInt(replica, 10));
      return members?.length === set.length && set.every((id) => members.includes(id));
    });
  }

  ownerOf(shard: number): NodeGiven | undefined {
    return this.nodes.find(({ stored }) => stored.store.serves(shard));
  }

  /** Stores records by way of a node, wherever they belong. */
  async ship(id: number, records: readonly object[]): Promise<void> {
    const lines = records.map((record) => `${JSON.stringify(record)}\n`).join("");
    await this.node(id).stored.ingest.take({
      options: {
        ...{ protocol: "json-lines", encoding: "identity", index: undefined, extra: [] },
        ...{ streamFields: ["service"], timeFields: ["_time"], msgFields: ["_msg"] },
      },
      tenant: "t",
      // Moved to a worker, which a piece of Node's own pool cannot be.
      body: new Uint8Array(Buffer.from(lines)),
      receivedMs: Date.now(),
    });
  }

  async seal(): Promise<void> {
    await Promise.all(this.nodes.map(({ stored }) => stored.store.seal()));
  }

  /** As `runQuery`, by what the node reads with unless told. */
  async ask(
    id: number,
    text: string,
    timeoutMs = 40_000,
    reading: Pick<Reading, "answering"> = this.node(id).reading,
  ): Promise<Answered> {
    const answer = await runQuery({
      ...reading.answering({ timeoutMs, signal: undefined }),
      ...{ tenant: "t", query: parseQuery(text), timeoutMs },
      range: { from: { ms: 0, ns: 0 }, to: { ms: Number.MAX_SAFE_INTEGER, ns: 0 } },
    });
    const rows: Record<string, string>[] = [];
    for await (const batch of answer.rows) rows.push(...recordsOf(batch));
    return { rows, summary: answer.summary() };
  }

  async until(what: string, claim: () => boolean | Promise<boolean>): Promise<void> {
    const endMs = performance.now() + patienceMs;
    while (!(await claim())) {
      if (performance.now() > endMs) throw new Error(`it did not come to be: ${what}`);
      await sleep(20);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.close()));
    await this.#given.close();
    await rm(this.#directory, { recursive: true, force: true });
  }

  get #shards(): number[] {
    return Array.from({ length: this.shardCount }, (_, shard) => shard);
  }
}

/** Records of a phase of a test, over many streams. */
export function recordsNamed(phase: string, count: number): object[] {
  return Array.from({ length: count }, (_, i) => ({
    _time: Date.UTC(2026, 10, 20) + i * 1000,
    ...{ service: `s${i % 60}`, phase, n: String(i), _msg: `record ${i} of ${phase}` },
  }));
}
