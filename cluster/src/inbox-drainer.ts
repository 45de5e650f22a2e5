import { setTimeout as sleep } from "node:timers/promises";

import type { ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import { RoleElection, type RoleTerm } from "../../coordinator/src/recipes/role-election.ts";
import type { Logger } from "../../kit/src/logger.ts";
import type { Access } from "./access.ts";
import { ensureInbox } from "./inbox.ts";
import { deleteRecords } from "./inbox-deletes.ts";
import { batchLength, listInbox, readBatch, type Waiting } from "./inbox-listing.ts";
import { type InboxId, type InboxSink, inboxSource } from "./inbox-sink.ts";
import { inboxGatherMs, retryMs } from "./limits.ts";
import { paths } from "./paths.ts";

export interface DrainerOptions {
  readonly client: ZooKeeperClient;
  readonly access: Access;
  /** `nodeId/diskId/incarnation`. */
  readonly self: string;
  readonly sink: InboxSink;
  readonly logger: Logger;
}

/** What a drainer has done since this process started. */
export interface DrainerStats {
  readonly isHolder: boolean;
  /** Records stored and deleted. */
  readonly drained: number;
  /** Records that waited when the inbox was last listed. */
  readonly waiting: number;
}

/**
 * Drains the inbox of one tenant, while it holds the role `drainer-<tenant>`: reads records in czxid order, stores them, deletes
 * them. Once each: a shard takes a part only if it goes on where that shard's knowledge of the inbox ends,
 * and a new drainer asks every shard first.
 */
export class InboxDrainer {
  readonly #options: DrainerOptions;
  readonly #tenant: string;
  readonly #election: RoleElection;
  #isHolder = false;
  #drained = 0;
  #waiting = 0;

  constructor(options: DrainerOptions, tenant: string) {
    const { client, access, self, logger } = options;
    this.#options = options;
    this.#tenant = tenant;
    const replica = self.slice(0, self.lastIndexOf("/") + 1);
    this.#election = new RoleElection({
      client,
      path: paths.role(`drainer-${tenant}`),
      holder: self,
      // The data directory has a lock, so an earlier incarnation on it has ended.
      replaces: (holder) => holder !== self && holder.startsWith(replica),
      acl: access.acl,
      run: (term) => this.#run(term),
      onFailure: (thrown) =>
        logger.warn({ err: thrown, tenant }, "inbox is not drained, trying again"),
    });
  }

  get stats(): DrainerStats {
    return { isHolder: this.#isHolder, drained: this.#drained, waiting: this.#waiting };
  }

  close(): Promise<void> {
    return this.#election.close();
  }

  async #run(term: RoleTerm): Promise<void> {
    this.#isHolder = true;
    try {
      await this.#drain(term);
    } catch (thrown) {
      if (!term.signal.aborted) throw thrown;
    } finally {
      this.#isHolder = false;
    }
  }

  async #drain(term: RoleTerm): Promise<void> {
    const { client, access, sink } = this.#options;
    const { signal } = term;
    const inbox = await ensureInbox(client, access, this.#tenant);
    const path = paths.tenantInbox(this.#tenant);
    const source = inboxSource(inbox);
    const round: Round = {
      inbox,
      source,
      path,
      ends: await sink.lastStored(source),
      storedThrough: 0n,
    };
    while (!signal.aborted) {
      const { promise: hasChanged, resolve: changed } = Promise.withResolvers<void>();
      const { waiting, closed } = await listInbox(client, path, signal, changed);
      this.#waiting = waiting.length + closed.length;
      if (closed.length > 0) await this.#reject(term, round, closed);
      // Deleted while the next batch is stored, one batch behind.
      let deleting = Promise.resolve();
      for (let at = 0; at < waiting.length && !signal.aborted; ) {
        const batch = waiting.slice(at, at + batchLength(waiting, at));
        at += batch.length;
        await this.#store(round, batch, signal);
        await deleting;
        deleting = this.#delete(term, round, batch);
        // It is awaited later; a failure until then must not count as unhandled.
        deleting.catch(() => undefined);
      }
      await deleting;
      await abortable(hasChanged, signal);
      await sleep(inboxGatherMs, undefined, { signal });
    }
  }

  async #store(round: Round, batch: readonly Waiting[], signal: AbortSignal): Promise<void> {
    const { client, sink, logger } = this.#options;
    const through = (batch.at(-1) as Waiting).czxid;
    // Met again because its deletion failed; this very term has stored it.
    if (through <= round.storedThrough) return;
    const records = await readBatch(client, round.path, batch);
    while (!signal.aborted) {
      const { inbox, source, ends } = round;
      try {
        const moved = await sink.store({
          inbox,
          source,
          records,
          through,
          ends,
        });
        round.ends = new Map([...ends, ...moved]);
        round.storedThrough = through;
        return;
      } catch (thrown) {
        if (signal.aborted) throw thrown;
        logger.warn(
          { err: thrown, tenant: inbox.tenant },
          "inbox batch was not stored, trying again",
        );
        await sleep(retryMs, undefined, { signal });
        round.ends = await sink.lastStored(source);
      }
    }
    signal.throwIfAborted();
  }

  async #delete(term: RoleTerm, round: Round, batch: readonly Waiting[]): Promise<void> {
    const names = batch.map(({ name }) => name);
    await deleteRecords(this.#options.client, term, round.path, names);
    this.#drained += names.length;
  }

  async #reject(term: RoleTerm, round: Round, closed: readonly string[]): Promise<void> {
    const { sink, client } = this.#options;
    await sink.reject(round.inbox, closed, "the znode's ACL does not let the service read it");
    await deleteRecords(client, term, round.path, closed);
  }
}

/** What a term knows of its inbox. */
interface Round {
  readonly inbox: InboxId;
  readonly source: string;
  readonly path: string;
  ends: ReadonlyMap<number, bigint>;
  storedThrough: bigint;
}

async function abortable(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    signal.throwIfAborted();
    await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
