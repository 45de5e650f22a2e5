import type { PeerMessage, Peers } from "../../../cluster/src/peers/peers.ts";
import { routedBytesMax } from "../../../ingest/src/limits.ts";
import { type ServiceError, serviceErrorOf } from "../../../kit/src/errors.ts";
import type { AppendPart, AppendResult } from "../../../storage/src/shard/append.ts";
import type { IdempotencyResult } from "../../../storage/src/shard/appender.ts";
import type { ArenaOwner } from "../../../storage/src/shard/arena.ts";
import type { IdempotencyRecord } from "../../../storage/src/shard/idempotency-table.ts";
import type { Tombstone } from "../../../storage/src/shard/tombstone.ts";
import { InFlight } from "./in-flight.ts";
import { routedCallMs } from "./limits.ts";
import { type AppendAnswer, errorOfOutcome, methods, type RoutedPart } from "./messages.ts";

export interface RemoteShardsDeps {
  readonly peers: Peers;
  readonly arena: ArenaOwner;
}

/** Asks other nodes what `AppendHost` answers there. */
export class RemoteShards {
  readonly #deps: RemoteShardsDeps;
  readonly #inFlight = new Map<number, InFlight>();

  constructor(deps: RemoteShardsDeps) {
    this.#deps = deps;
  }

  /**
   * What became of each part. They are sent from the arena, where they stay until what this pushes to `sending` has resolved: that may be
   * after the outcome is known.
   */
  async append(
    node: number,
    parts: readonly (AppendPart & { readonly dedupeKey: Uint8Array })[],
    sending: Promise<void>[],
  ): Promise<({ readonly done: AppendResult } | { readonly error: ServiceError })[]> {
    const { arena } = this.#deps;
    const size = parts.reduce((sum, { length }) => sum + length, 0);
    const inFlight = this.#inFlightTo(node);
    await inFlight.take(size);
    try {
      const sent = Promise.withResolvers<void>();
      sending.push(sent.promise);
      const message: PeerMessage = {
        head: { parts: parts.map(({ offset: _, ...part }): RoutedPart => part) },
        bytes: parts.map(({ offset, length }) => arena.view(offset, length)),
      };
      const options = { timeoutMs: routedCallMs, sent: sent.resolve };
      const { head } = await this.#deps.peers.call(node, methods.append, message, options);
      return (head as AppendAnswer).outcomes.map((outcome) =>
        outcome.kind === "done" ? { done: outcome.result } : { error: errorOfOutcome(outcome) },
      );
    } catch (thrown) {
      const error = serviceErrorOf(thrown);
      return parts.map(() => ({ error }));
    } finally {
      inFlight.give(size);
    }
  }

  async commitIdempotency(node: number, record: IdempotencyRecord): Promise<IdempotencyResult> {
    return (await this.#ask(node, methods.idempotency, record)) as IdempotencyResult;
  }

  async addTombstone(node: number, shard: number, tombstone: Tombstone): Promise<void> {
    await this.#ask(node, methods.tombstone, { shard, tombstone });
  }

  async lastStored(node: number, shard: number, source: string): Promise<bigint> {
    return (await this.#ask(node, methods.ends, { shard, source })) as bigint;
  }

  async #ask(node: number, method: string, head: unknown): Promise<unknown> {
    const message = { head, bytes: [] };
    const answer = await this.#deps.peers.call(node, method, message, { timeoutMs: routedCallMs });
    return answer.head;
  }

  #inFlightTo(node: number): InFlight {
    const known = this.#inFlight.get(node);
    if (known !== undefined) return known;
    const made = new InFlight(routedBytesMax);
    this.#inFlight.set(node, made);
    return made;
  }
}
