import type { Peers } from "../../../cluster/src/peers/peers.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { PartialMessage, PartTask } from "../../../query/src/engine/fragment.ts";
import type { FragmentPool } from "../../../query/src/engine/pool.ts";
import { answerOfNothing } from "../../../query/src/engine/sink.ts";
import type { PlanMessage } from "../../../query/src/plan/plan.ts";
import type { SealedPart } from "../../../storage/src/shard/sealed-parts.ts";
import type { OwnSource } from "../asking.ts";
import { type Attempt, firstWhole } from "./attempts.ts";
import type { ShardCopies } from "./copies.ts";
import { pieceRetryMs, piecesPerNode, pieceTries, standInKeepMs, standInsMax } from "./limits.ts";
import { askFragment } from "./remote-fragments.ts";
import { RemoteRef } from "./remote-ref.ts";
import { openSealedAt } from "./sealed-cuts.ts";
import type { Stragglers } from "./stragglers.ts";

export interface ClusterPoolDeps {
  readonly own: OwnSource;
  /** Of this node. */
  readonly pool: FragmentPool;
  readonly peers: Peers;
  readonly copies: ShardCopies;
  readonly stragglers: Stragglers;
  /** How many nodes beside this one answer queries now. */
  readonly others: () => number;
}

/** A piece of a query, and who wants it. */
interface Asked {
  readonly plan: PlanMessage;
  readonly task: PartTask;
}

/**
 * Evaluates parts where they lie: here by the own pool, elsewhere by asking. What lies in a sealed file is asked of another node that has a
 * copy when the first cannot be reached, takes far too long or finds its copy damaged; what is in memory has one owner only.
 */
export class ClusterPool implements FragmentPool {
  readonly #deps: ClusterPoolDeps;

  constructor(deps: ClusterPoolDeps) {
    this.#deps = deps;
  }

  get size(): number {
    return this.#deps.pool.size + this.#deps.others() * piecesPerNode;
  }

  get finish(): FragmentPool["finish"] {
    return this.#deps.pool.finish?.bind(this.#deps.pool);
  }

  async run(plan: PlanMessage, task: PartTask, signal: AbortSignal): Promise<PartialMessage> {
    const { ref } = task.part;
    if (!(ref instanceof RemoteRef)) return this.#own({ plan, task }, signal);
    this.#deps.stragglers.counts.asked++;
    try {
      return await this.#remote({ plan, task }, ref, signal);
    } catch (thrown) {
      signal.throwIfAborted();
      if (!(thrown instanceof ServiceError)) throw thrown;
      if (isUnreachable(thrown)) return missingPart(plan, ref, thrown);
      const { code, message, fields } = thrown;
      return { kind: "failed", code, message, fields };
    }
  }

  /** What the own disk fails at, a copy may have. */
  async #own(asked: Asked, signal: AbortSignal): Promise<PartialMessage> {
    const { own, peers, pool } = this.#deps;
    const message = await pool.run(asked.plan, asked.task, signal);
    if (message.kind === "failed" || message.damaged.length === 0) return message;
    const sealed = own.sealedOf(asked.task.part);
    const copies = sealed && this.#copies(asked, sealed, peers.self.nodeId);
    if (copies === undefined || copies.length === 0) return message;
    return firstWhole([() => Promise.resolve(message), ...copies], signal, undefined);
  }

  async #remote(asked: Asked, ref: RemoteRef, signal: AbortSignal): Promise<PartialMessage> {
    const { peers, stragglers } = this.#deps;
    const { plan, task } = asked;
    const once: Attempt = (until) => askFragment(peers, plan, task, ref, until);
    const again: Attempt = (until) => retried(once, until);
    const copies = ref.sealed === undefined ? [] : this.#copies(asked, ref.sealed, ref.node);
    if (copies.length === 0) return again(signal);
    const tookMs = new Map<PartialMessage, number>();
    const timed = (attempt: Attempt): Attempt => {
      return async (until) => {
        const beganMs = performance.now();
        const message = await attempt(until);
        tookMs.set(message, performance.now() - beganMs);
        return message;
      };
    };
    let hasFirst = false;
    const first: Attempt = async (until) => {
      const message = await once(until);
      hasFirst = true;
      return message;
    };
    const lateness = stragglers.of(plan);
    const message = await firstWhole([first, ...copies, again].map(timed), signal, lateness);
    if (lateness.wasTaken && !hasFirst) stragglers.counts.secondWasFirst++;
    // Where a copy was first, what it took itself: counted from the beginning, each late piece would make the next one later.
    stragglers.done(plan, tookMs.get(message) as number);
    return message;
  }

  /** Ways to have it from the copies of other nodes than one; this node's own is the nearest. */
  #copies(asked: Asked, sealed: SealedPart, except: number): Attempt[] {
    const { copies, peers } = this.#deps;
    const self = peers.self.nodeId;
    return copies
      .nodesWith(sealed.shard)
      .filter((node) => node !== except)
      .sort((a, b) => Number(b === self) - Number(a === self))
      .slice(0, standInsMax)
      .map((node) => (signal) => this.#copy(asked, sealed, node, signal));
  }

  async #copy(
    { plan, task }: Asked,
    sealed: SealedPart,
    node: number,
    signal: AbortSignal,
  ): Promise<PartialMessage> {
    const { peers, pool, stragglers } = this.#deps;
    const cut = await openSealedAt(node, [sealed], standInKeepMs, { ...this.#deps, signal });
    try {
      const [part] = cut.parts;
      if (part === undefined) {
        throw new ServiceError("peer.unavailable", "a node has no copy of a file", { node });
      }
      stragglers.counts.elsewhere++;
      const { ref } = part;
      if (ref instanceof RemoteRef) return await askFragment(peers, plan, task, ref, signal);
      return await pool.run(plan, { ...task, part }, signal);
    } finally {
      cut.release();
    }
  }
}

/** The cut stays open for a while, and an answer counts only whole: asking again repeats nothing. */
async function retried(attempt: Attempt, signal: AbortSignal): Promise<PartialMessage> {
  for (let tries = 1; ; tries++) {
    try {
      return await attempt(signal);
    } catch (thrown) {
      signal.throwIfAborted();
      const mayPass = thrown instanceof ServiceError && thrown.code === "peer.unavailable";
      if (!mayPass || tries === pieceTries) throw thrown;
      await new Promise((resolve) => setTimeout(resolve, pieceRetryMs));
    }
  }
}

/** The node cannot be asked, or has let go of the cut since it could not ask for this one. */
function isUnreachable({ code }: ServiceError): boolean {
  return code === "peer.unavailable" || code === "query.timeout";
}

/** The query goes on without it, and says so. */
function missingPart(
  plan: PlanMessage,
  { shard, node }: RemoteRef,
  { message }: ServiceError,
): PartialMessage {
  const answer = answerOfNothing(plan.sink);
  const damaged = [`shard ${shard} at node ${node}: ${message}`];
  return { kind: "done", answer, scanned: { rows: 0, bytes: 0, blocks: 0 }, damaged };
}
