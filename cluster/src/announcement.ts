import { setTimeout as sleep } from "node:timers/promises";
import type { ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import { PersistentEphemeral } from "../../coordinator/src/recipes/persistent-ephemeral.ts";
import { messageOf, ServiceError } from "../../kit/src/errors.ts";
import type { Closable } from "../../kit/src/lifecycle.ts";
import type { Logger } from "../../kit/src/logger.ts";
import type { Access } from "./access.ts";
import { nodeTakenPollMs } from "./limits.ts";
import { processesOf } from "./live-nodes.ts";
import type { NodeIdentity, NodeRecord } from "./node.ts";
import { paths } from "./paths.ts";
import { settle } from "./settle.ts";
import { encodeZnode } from "./znode-data.ts";

export interface AnnouncementOptions {
  readonly client: ZooKeeperClient;
  readonly access: Access;
  readonly logger: Logger;
  /** Called when another process with our number and another disk was there before us: this one must end. */
  readonly onTaken: (error: ServiceError) => void;
}

/** What a node says of itself, but for who it is. */
export type NodeFacts = Omit<NodeRecord, keyof NodeIdentity>;

/**
 * The live znode of this process, made again in each new session. Two processes with one number and different disks would be
 * taken for one another by whoever asks for the node, so the one that came later ends.
 */
export class Announcement implements Closable {
  readonly #options: AnnouncementOptions;
  readonly #stopSession: () => void;
  readonly #closing = new AbortController();
  #record: NodeRecord;
  #live: PersistentEphemeral | undefined;
  #sessions = 0;

  private constructor(options: AnnouncementOptions, record: NodeRecord) {
    this.#options = options;
    this.#record = record;
    this.#stopSession = options.client.onSession(({ kind }) => {
      // Between two sessions another may have come; a first look has been taken by `make`.
      if (kind === "expired") void this.#lookAgain(++this.#sessions);
    });
  }

  /**
   * Waits until a process of another disk under our number has gone, as long as its session may last, and says that this node
   * is there. Rejects with `cluster.mismatch` when the other stays.
   */
  static async make(options: AnnouncementOptions, record: NodeRecord): Promise<Announcement> {
    const announcement = new Announcement(options, record);
    try {
      await announcement.#make();
    } catch (thrown) {
      await announcement.close();
      throw thrown;
    }
    return announcement;
  }

  get record(): NodeRecord {
    return this.#record;
  }

  /** Says something else from now on. */
  async update(facts: Partial<NodeFacts>): Promise<void> {
    this.#record = { ...this.#record, ...facts };
    await this.#live?.update(encodeZnode(this.#record));
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#stopSession();
    await this.#live?.close();
  }

  async #make(): Promise<void> {
    const { client, access, logger } = this.#options;
    const { nodeId, incarnation } = this.#record;
    await this.#free(undefined);
    this.#live = new PersistentEphemeral({
      client,
      path: paths.live(nodeId, incarnation),
      data: encodeZnode(this.#record),
      acl: access.acl,
      onFailure: (thrown) => logger.warn({ err: thrown }, "node could not be announced"),
    });
    await this.#live.made;
    await this.#free(this.#live.token);
  }

  /** Rejects when another process has our number, after the time in which a dead one's session expires. */
  async #free(token: bigint | undefined): Promise<void> {
    const { client, logger } = this.#options;
    const endMs = performance.now() + 2 * client.sessionTimeoutMs;
    for (let looks = 0; ; looks++) {
      const other = await settle(() => this.#other(token));
      if (other === undefined) return;
      if (performance.now() > endMs) throw takenBy(other);
      if (looks === 0) {
        const { nodeId, peer, http } = other;
        const what = "another process has this node's number, waiting for its session to end";
        logger.warn({ peer: nodeId, address: peer, http }, what);
      }
      await sleep(nodeTakenPollMs);
    }
  }

  async #lookAgain(session: number): Promise<void> {
    const { logger, onTaken } = this.#options;
    const isOver = (): boolean => this.#closing.signal.aborted || session !== this.#sessions;
    try {
      while (!isOver() && this.#live?.token === undefined) await sleep(nodeTakenPollMs);
      if (!isOver()) await this.#free(this.#live?.token);
    } catch (thrown) {
      if (isOver()) return;
      if (thrown instanceof ServiceError && thrown.code === "cluster.mismatch") onTaken(thrown);
      else
        logger.warn({ reason: messageOf(thrown) }, "other nodes of our number are not looked for");
    }
  }

  /** A process of our number on another disk, that was there before `token`. */
  async #other(token: bigint | undefined): Promise<NodeRecord | undefined> {
    const { nodeId, diskId } = this.#record;
    const all = await processesOf(this.#options.client, nodeId);
    const other = all.find(
      ({ record, czxid }) => record.diskId !== diskId && (token === undefined || czxid < token),
    );
    return other?.record;
  }
}

function takenBy({ nodeId, peer, http }: NodeRecord): ServiceError {
  const where = [peer, http].filter((address) => address !== "").join(", ");
  const what =
    `node ${nodeId} is another process already, with a data directory of its own` +
    (where === "" ? "" : ` (at ${where})`);
  const hint = "give this one another --node-id, or stop the other";
  return new ServiceError("cluster.mismatch", `${what}: ${hint}`);
}
