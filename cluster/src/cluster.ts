import { ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import type { SecurityOf, ServerAddress } from "../../coordinator/src/client/dial.ts";
import { isZooKeeperError } from "../../coordinator/src/client/errors.ts";
import { steps } from "../../coordinator/src/client/multi.ts";
import { RoleElection, type RoleOptions } from "../../coordinator/src/recipes/role-election.ts";
import { assert } from "../../kit/src/assert.ts";
import { messageOf, ServiceError } from "../../kit/src/errors.ts";
import type { Closable } from "../../kit/src/lifecycle.ts";
import type { Logger } from "../../kit/src/logger.ts";
import { type Access, type AccessOptions, accessOf } from "./access.ts";
import { Acquisitions } from "./acquisitions.ts";
import { Announcement, type AnnouncementOptions, type NodeFacts } from "./announcement.ts";
import { AuditTrail } from "./audit/entry.ts";
import { type BalancerOptions, balanceShards } from "./balancer.ts";
import { ConfigStore, type ConfigStoreOptions } from "./config-store.ts";
import { FoldFiles } from "./fold-files.ts";
import { ZnodeFolds } from "./folds.ts";
import { inTime } from "./in-time.ts";
import type { InboxSink } from "./inbox-sink.ts";
import { Inboxes } from "./inboxes.ts";
import { isThere } from "./live-nodes.ts";
import { ZnodeManifest } from "./manifest.ts";
import { checkMove, type MoveRequest, requestMove } from "./moves.ts";
import { type NodeIdentity, replicaOf } from "./node.ts";
import { ZnodeOwnership } from "./ownership.ts";
import { paths } from "./paths.ts";
import { type RuleStoreOptions, ZnodeRuleStore } from "./rule-store.ts";
import { settle } from "./settle.ts";
import { Topology } from "./topology.ts";
import { ensureNode, ensureTree } from "./tree.ts";
import type { ClusterState } from "./znode-data.ts";

export interface ClusterOptions extends AccessOptions {
  /** `host:port,host:port/chroot` of the coordinator. */
  readonly connect: string;
  readonly sessionTimeoutMs?: number;
  /** How to speak to each of its servers; by default without TLS. */
  readonly security?: CoordinatorConnections | undefined;
  /** Counts when the cluster is made; a cluster that is there has its own number. */
  readonly shards: number;
  readonly identity: NodeIdentity;
  /**
   * Who makes shards that are not there yet: `alone` this node, for itself; `assigned` the nodes that the balancer says;
   * `none` for a node that holds no shards. Where the balancer has said something that counts.
   */
  readonly founding: "alone" | "assigned" | "none";
  /** A directory of this disk where folded manifests were kept before they lay in znodes. */
  readonly foldDirectory: string;
  readonly logger: Logger;
}

export interface CoordinatorConnections {
  of: SecurityOf;
  /** The server and this node did not believe each other; others are tried, and it again. */
  failed(server: ServerAddress, cause: Error): void;
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
  /** Who is there and who has what, as far as this node has heard. */
  readonly topology: Topology;
  /** Journals what users change. */
  readonly audit: AuditTrail;
  readonly #options: ClusterOptions;
  readonly #access: Access;
  #announcement: Announcement | undefined;
  #inboxes: Inboxes | undefined;

  constructor(
    client: ZooKeeperClient,
    access: Access,
    state: ClusterState,
    topology: Topology,
    options: ClusterOptions,
  ) {
    const { identity, logger } = options;
    const acquisitions = new Acquisitions();
    this.client = client;
    this.id = state.id;
    this.shards = state.shards;
    this.topology = topology;
    this.ownership = new ZnodeOwnership({
      ...{ client, access, identity, acquisitions, topology, logger },
      shards: state.shards,
      founders: (shard) => foundersOf(topology, options, shard),
    });
    this.manifest = new ZnodeManifest({
      client,
      access,
      nodeId: identity.nodeId,
      self: this.ownership.self,
      shards: state.shards,
      acquisitions,
      folds: new ZnodeFolds(client, access.acl),
      files: new FoldFiles(options.foldDirectory),
      logger,
    });
    this.audit = new AuditTrail(access.keyAcl, identity.nodeId, Date.now);
    this.#options = options;
    this.#access = access;
  }

  /**
   * Says that this node is there, before it has any part in shards. Rejects with `cluster.mismatch` while another process with
   * our number is there; `onTaken` is called when that is found later.
   */
  async announce(facts: NodeFacts, onTaken: AnnouncementOptions["onTaken"]): Promise<void> {
    assert(this.#announcement === undefined, "a node is announced once");
    const { identity, logger } = this.#options;
    const options = { client: this.client, access: this.#access, logger, onTaken };
    this.#announcement = await Announcement.make(options, { ...identity, ...facts });
  }

  /** Says something else of this node, which is announced. */
  async say(facts: Partial<NodeFacts>): Promise<void> {
    await this.#announcement?.update(facts);
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
    const { audit, client } = this;
    return ZnodeRuleStore.open({ client, acl: this.#access.keyAcl, audit, logger, ...options });
  }

  /** What is set for the whole cluster, followed from now on. */
  openConfig(options: Pick<ConfigStoreOptions, "sections" | "clock">): Promise<ConfigStore> {
    const { logger } = this.#options;
    const { audit, client } = this;
    return ConfigStore.open({ client, acl: this.#access.acl, audit, logger, ...options });
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

  /**
   * Stands for the role that decides which node is to have which shard; to be closed before the cluster.
   */
  balance(
    options: Pick<BalancerOptions, "replication" | "graceMs" | "founders" | "nowMs">,
  ): RoleElection {
    const { logger } = this.#options;
    const { client, topology, shards } = this;
    const all = { client, topology, shards, logger, access: this.#access, ...options };
    return this.elect("balancer", {
      run: (term) => balanceShards(term, all),
      onFailure: (thrown) =>
        logger.warn({ reason: messageOf(thrown) }, "shards are not placed, trying again"),
    });
  }

  /** Asks the balancer for a move. Rejects with `cluster.refused` when it makes no sense now, and as `inTime`. */
  async requestMove(request: MoveRequest, by: string | undefined): Promise<void> {
    const { client, topology, audit } = this;
    const open = topology
      .nodes()
      .filter(({ nodeId, roles }) => roles.includes("ingest") && !topology.drained.has(nodeId));
    const nodes = new Set(open.map(({ nodeId }) => nodeId));
    checkMove(request, (shard) => topology.assigned(shard), nodes);
    const { shard, from, to } = request;
    const note = { by, action: "shard.move", target: String(shard), after: { from, to } };
    const access = this.#access;
    await inTime(client, (signal) =>
      requestMove(client, access, request, audit.step(note), signal),
    );
  }

  /** Takes everything away from a node, or lets it have its share again. Rejects as `inTime`. */
  async setDrained(node: number, isDrained: boolean, by: string | undefined): Promise<void> {
    const { client, audit } = this;
    const note = { by, action: isDrained ? "node.drain" : "node.undrain", target: String(node) };
    const path = paths.drained(node);
    const acl = this.#access.acl;
    const change = isDrained ? steps.create(path, null, { acl }) : steps.delete(path);
    try {
      await inTime(client, (signal) => client.multi([change, audit.step(note)], { signal }));
    } catch (thrown) {
      if (isZooKeeperError(thrown, "NODEEXISTS")) return;
      if (!isZooKeeperError(thrown, "NONODE")) throw thrown;
      if (isDrained)
        throw new ServiceError("cluster.refused", "there never was such a node", { node });
    }
  }

  /**
   * The set of a shard, as `nodeId/diskId`, and those of it whose process is there: both read behind a write, since what is
   * done with it cannot be taken back.
   */
  async membersOf(shard: number): Promise<{ set: readonly string[]; live: readonly string[] }> {
    return inTime(this.client, async () => {
      const [facts] = await this.ownership.read([shard]);
      const set = facts?.inSync ?? [];
      const live = await Promise.all(
        set.map(async (replica) => ((await isThere(this.client, replica)) ? [replica] : [])),
      );
      return { set, live: live.flat() };
    });
  }

  /** Notes in the audit journal that records of a shard may be given up, before they are. */
  async journalRecovery(
    shard: number,
    lost: readonly string[],
    by: string | undefined,
  ): Promise<void> {
    const after = { set: [replicaOf(this.#options.identity)], lost };
    const note = { by, action: "shard.recover", target: String(shard), after };
    await inTime(this.client, (signal) => this.client.multi([this.audit.step(note)], { signal }));
  }

  /** Ends the session, and with it every ephemeral of this node. */
  async close(): Promise<void> {
    await this.#inboxes?.close();
    await this.#announcement?.close();
    await this.topology.close();
    this.ownership.close();
    await this.client.close();
  }
}

/**
 * Joins the cluster at the coordinator, or makes it. Waits for the coordinator; rejects with the signal's reason, with
 * `cluster.mismatch` for the wrong credentials, with `cluster.malformed`.
 */
export async function openCluster(options: ClusterOptions, signal?: AbortSignal): Promise<Cluster> {
  const { connect, credentials, sessionTimeoutMs, identity, security } = options;
  const access = accessOf(options);
  const timeout = sessionTimeoutMs === undefined ? {} : { sessionTimeoutMs };
  const client = openClient({
    connect,
    ...timeout,
    tls: security && ((server) => security.of(server)),
  });
  client.onSession((event) => {
    if (event.kind === "tlsFailed") security?.failed(event.server, event.cause);
  });
  const opened = closingOnAbort(client, signal);
  try {
    await client.connected(signal === undefined ? {} : { signal });
    await client.addAuth("digest", `${credentials.user}:${credentials.password}`);
    const state = await ensureTree(client, access, options.shards);
    await settle(() => ensureNode(client, access, identity.nodeId));
    const topology = await Topology.open({ client, logger: options.logger }, signal);
    const cluster = new Cluster(client, access, state, topology, options);
    await cluster.ownership.watch();
    return cluster;
  } catch (thrown) {
    await client.close();
    signal?.throwIfAborted();
    throw thrown;
  } finally {
    opened();
  }
}

/**
 * Closes the client when the signal aborts, so that whatever waits for a coordinator that has no leader ends. To be called when there is
 * nothing more to give up.
 */
export function closingOnAbort(
  client: ZooKeeperClient,
  signal: AbortSignal | undefined,
): () => void {
  const close = (): void => void client.close().catch(() => undefined);
  signal?.addEventListener("abort", close, { once: true });
  if (signal?.aborted === true) close();
  return () => signal?.removeEventListener("abort", close);
}

/** The first of those that the balancer wants and that are there; its owner brings the others into the set. */
function foundersOf(
  topology: Topology,
  { founding, identity }: ClusterOptions,
  shard: number,
): readonly string[] | undefined {
  const assigned = topology.assigned(shard);
  if (assigned === undefined) return founding === "alone" ? [replicaOf(identity)] : undefined;
  const first = assigned.map((id) => topology.node(id)).find((node) => node !== undefined);
  return first === undefined ? undefined : [replicaOf(first)];
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
