import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ZooKeeperClient } from "../../coordinator/src/client/client.ts";

import {
  CuttableProxy,
  openServer,
  type TestServer,
} from "../../coordinator/test/client-server.ts";
import { Lifecycle } from "../../kit/src/lifecycle.ts";
import { silentLogger } from "../../kit/src/logger.ts";
import type { ShardFacts } from "../../storage/src/replication/core/types.ts";
import type { ShardChange } from "../../storage/src/replication/ownership.ts";
import type { SegmentEntry } from "../../storage/src/shard/manifest.ts";
import type { NodeFacts } from "../src/announcement.ts";
import { type Cluster, type ClusterOptions, openCluster } from "../src/cluster.ts";
import { replicaOfOwner } from "../src/node.ts";

/** A coordinator and the clusters that a test opens on it. */
export class Given {
  readonly server: TestServer;
  readonly directory: string;
  readonly #lifecycle = new Lifecycle();

  private constructor(server: TestServer, directory: string) {
    this.server = server;
    this.directory = directory;
    this.#lifecycle.add("server", () => server.close());
    this.#lifecycle.add("directory", () => rm(directory, { recursive: true, force: true }));
  }

  static async open(): Promise<Given> {
    const directory = await mkdtemp(join(tmpdir(), "logkeep-cluster-"));
    return new Given(await openServer(), directory);
  }

  get connect(): string {
    return this.server.address + this.server.chroot;
  }

  /** Each has an incarnation of its own; node and disk are the same unless told. */
  options(more: Partial<ClusterOptions> = {}): ClusterOptions {
    return {
      connect: this.connect,
      // Client and server are one process, which a busy machine may hold up for seconds.
      sessionTimeoutMs: 20_000,
      credentials: { user: "logkeep", password: "secret" },
      closed: false,
      inboxOpen: true,
      shards: 4,
      founding: "alone",
      identity: { nodeId: 1, diskId: "disk-1", incarnation: randomUUID() },
      foldDirectory: join(this.directory, "folds"),
      logger: silentLogger,
      ...more,
    };
  }

  async cluster(more: Partial<ClusterOptions> = {}): Promise<Cluster> {
    const cluster = await openCluster(this.options(more));
    this.#lifecycle.add("cluster", () => cluster.close());
    return cluster;
  }

  /** A client past any proxy, without an identity. */
  direct(): ZooKeeperClient {
    const client = new ZooKeeperClient({ connect: this.connect, sessionTimeoutMs: 20_000 });
    this.#lifecycle.add("direct", () => client.close());
    return client;
  }

  async proxy(): Promise<CuttableProxy> {
    const proxy = await CuttableProxy.open(this.server.address);
    this.#lifecycle.add("proxy", () => proxy.close());
    return proxy;
  }

  close(): Promise<void> {
    return this.#lifecycle.close();
  }
}

/** Of sessions that are to expire. */
export const expiringMs = 1_000;

/** Acquires shards as their replicas do; returns their epochs. */
export async function acquire(
  { ownership }: Cluster,
  shards: readonly number[],
): Promise<number[]> {
  const found = await ownership.read(shards);
  return Promise.all(
    shards.map(async (shard, at) => {
      const { version, epoch } = found[at] as ShardFacts;
      const outcome = await ownership.change(shard, version, claimOf(ownership, found[at]));
      if (outcome.kind !== "done")
        throw new Error(`shard ${shard} is not acquired: ${outcome.kind}`);
      return epoch + 1;
    }),
  );
}

/** What acquires a shard, as it was seen. */
export function claimOf(
  { self }: Cluster["ownership"],
  facts: ShardFacts | undefined,
): ShardChange {
  assert.ok(facts !== undefined);
  const isHeld = facts.holder?.name.startsWith(`${replicaOfOwner(self)}/`) === true;
  return { kind: "acquire", epoch: facts.epoch + 1, owner: self, isHeld };
}

/** What a node says of itself. */
export function facts(more: Partial<NodeFacts> = {}): NodeFacts {
  return {
    state: "live",
    http: "127.0.0.1:7070",
    peer: "127.0.0.1:7071",
    coordinator: "",
    coordinatorTls: false,
    zone: "",
    roles: ["ingest"],
    version: "0",
    startedMs: 1,
    capacityBytes: 2,
    ...more,
  };
}

export function segment(epoch: number, from: number, through: number): SegmentEntry {
  const uuid = randomUUID();
  const moment = { ms: 1_700_000_000_000, ns: 5 };
  return {
    uuid,
    file: `${epoch}-${uuid}`,
    epoch,
    positionFrom: from,
    positionThrough: through,
    rows: 10,
    bytes: 1_000,
    level: 0,
    replaces: [],
    partitions: [
      {
        tenant: "default",
        class: "default",
        internal: false,
        rows: 10,
        timeMin: moment,
        timeMax: moment,
        receiptMsMax: moment.ms,
      },
    ],
  };
}

export async function until(claim: () => boolean | Promise<boolean>): Promise<void> {
  for (let waited = 0; !(await claim()); waited += 5) {
    if (waited > 30_000) throw new Error("it did not come to be");
    await sleep(5);
  }
}
