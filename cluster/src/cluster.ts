import { ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import { isZooKeeperError } from "../../coordinator/src/client/errors.ts";
import { PersistentEphemeral } from "../../coordinator/src/recipes/persistent-ephemeral.ts";
import { RoleElection, type RoleOptions } from "../../coordinator/src/recipes/role-election.ts";
import { assert } from "../../kit/src/assert.ts";
import { ServiceError } from "../../kit/src/errors.ts";
import type { Closable } from "../../kit/src/lifecycle.ts";
import type { Logger } from "../../kit/src/logger.ts";
import { type Access, type AccessOptions, accessOf } from "./access.ts";
import { Acquisitions } from "./acquisitions.ts";
import { DiskFoldFiles } from "./fold-files.ts";
import type { InboxSink } from "./inbox-sink.ts";
import { Inboxes } from "./inboxes.ts";
import { ZnodeManifest } from "./manifest.ts";
import type { NodeIdentity, NodeRecord } from "./node.ts";
import { ZnodeOwnership } from "./ownership.ts";
import { paths } from "./paths.ts";
import { type RuleStoreOptions, ZnodeRuleStore } from "./rule-store.ts";
import { settle } from "./settle.ts";
import { ensureNode, ensureTree } from "./tree.ts";
import { type ClusterState, encodeZnode } from "./znode-data.ts";

export interface ClusterOptions extends AccessOptions {
  /** `host:port,host:port/chroot` of the coordinator. */
  readonly connect: string;
  readonly sessionTimeoutMs?: number;
  /** Counts when the cluster is made; a cluster that is there has its own number. */
  readonly shards: number;
  readonly identity: NodeIdentity;
  /** A directory of this disk for folded manifests. */
  readonly foldDirectory: string;
  readonly logger: Logger;
}

/** The topology as one node sees it, over one session of the coordinator. */
export class Cluster implements Closable {
  readonly client: ZooKeeperClient;
  /** Unique for all time. */
  readonly id: string;
  /** Fixed when the cluster was made. */
  readonly shards: number;
  readonly ownership: ZnodeOwnership;
  readonly manifest: ZnodeManifest;
  readonly #options: ClusterOptions;
  readonly #access: Access;
  #live: PersistentEphemeral | undefined;
  #inboxes: Inboxes | undefined;

  constructor(
    client: ZooKeeperClient,
    access: Access,
    state: ClusterState,
    options: ClusterOptions,
  ) {
    const { identity, logger } = options;
    const acquisitions = new Acquisitions();
    this.client = client;
    this.id = state.id;
    this.shards = state.shards;
    this.ownership = new ZnodeOwnership({ client, access, identity, acquisitions, logger });
    this.manifest = new ZnodeManifest({
      client,
      access,
      nodeId: identity.nodeId,
      self: this.ownership.self,
      shards: state.shards,
      acquisitions,
      files: new DiskFoldFiles(options.foldDirectory),
      logger,
    });
    this.#options = options;
    this.#access = access;
  }

  /** Tells others that this node lives and where; resolves once it is said. Said again in each new session. */
  async announce(record: Omit<NodeRecord, keyof NodeIdentity>): Promise<void> {
    assert(this.#live === undefined, "a node is announced once");
    const { identity, logger } = this.#options;
    this.#live = new PersistentEphemeral({
      client: this.client,
      path: paths.live(identity.nodeId, identity.incarnation),
      data: encodeZnode({ ...identity, ...record } satisfies NodeRecord),
      acl: this.#access.acl,
      onFailure: (thrown) => logger.warn({ err: thrown }, "node could not be announced"),
    });
    await this.#live.made;
  }

  /**
   * Drains the inboxes of all tenants into `sink`, one drainer a tenant in the whole cluster. Makes those of
   * `tenants` where they are missing.
   */
  async drainInboxes(sink: InboxSink, tenants: readonly string[]): Promise<Inboxes> {
    assert(this.#inboxes === undefined, "inboxes are drained once");
    const { logger } = this.#options;
    const { client, ownership } = this;
    const access = this.#access;
    this.#inboxes = new Inboxes({ client, access, self: ownership.self, sink, logger });
    await this.#inboxes.open(tenants);
    return this.#inboxes;
  }

  /** The rules of all tenants, followed from now on. */
  openRules(options: Pick<RuleStoreOptions, "rulesMax" | "clock">): Promise<ZnodeRuleStore> {
    const { logger } = this.#options;
    const acl = this.#access.keyAcl;
    return ZnodeRuleStore.open({ client: this.client, acl, logger, ...options });
  }

  /** Stands for a role of the cluster, which one process holds at a time; to be closed before the cluster. */
  elect(role: string, options: Pick<RoleOptions, "run" | "onFailure">): RoleElection {
    const { self } = this.ownership;
    const replica = self.slice(0, self.lastIndexOf("/") + 1);
    return new RoleElection({
      client: this.client,
      path: paths.role(role),
      holder: self,
      // The data directory has a lock, so an earlier incarnation on it has ended.
      replaces: (holder) => holder !== self && holder.startsWith(replica),
      acl: this.#access.acl,
      ...options,
    });
  }

  /** Ends the session, and with it every ephemeral of this node. */
  async close(): Promise<void> {
    await this.#inboxes?.close();
    await this.#live?.close();
    this.ownership.close();
    await this.client.close();
  }
}

/**
 * Joins the cluster at the coordinator, or makes it. Waits for the coordinator; rejects with the signal's reason, with
 * `cluster.mismatch` for the wrong credentials, with `cluster.malformed`.
 */
export async function openCluster(options: ClusterOptions, signal?: AbortSignal): Promise<Cluster> {
  const { connect, credentials, sessionTimeoutMs, identity } = options;
  const access = accessOf(options);
  const timeout = sessionTimeoutMs === undefined ? {} : { sessionTimeoutMs };
  const client = openClient({ connect, ...timeout });
  try {
    await client.connected(signal === undefined ? {} : { signal });
    await client.addAuth("digest", `${credentials.user}:${credentials.password}`);
    const state = await ensureTree(client, access, options.shards);
    await settle(() => ensureNode(client, access, identity.nodeId));
    const cluster = new Cluster(client, access, state, options);
    await cluster.ownership.watch();
    return cluster;
  } catch (thrown) {
    await client.close();
    throw thrown;
  }
}

function openClient(options: ConstructorParameters<typeof ZooKeeperClient>[0]): ZooKeeperClient {
  try {
    return new ZooKeeperClient(options);
  } catch (thrown) {
    if (!isZooKeeperError(thrown, "BADARGUMENTS")) throw thrown;
    const text = "the coordinator's address cannot be read";
    throw new ServiceError("config.invalid", text, { connect: options.connect }, { cause: thrown });
  }
}
