import { deserialize, serialize } from "node:v8";
import type { Peers } from "../../../cluster/src/peers/peers.ts";
import { assert } from "../../../kit/src/assert.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { PartialMessage, PartTask } from "../../../query/src/engine/fragment.ts";
import type { FragmentPool } from "../../../query/src/engine/pool.ts";
import { createSink } from "../../../query/src/engine/sink.ts";
import type { PlanMessage } from "../../../query/src/plan/plan.ts";
import type { PortablePlan } from "./cut-host.ts";
import { answerBytesMax, pieceRetryMs, piecesPerNode, pieceTries } from "./limits.ts";
import { type FragmentAsked, methods } from "./messages.ts";

/** Where a part of a cut of several nodes lies: at another node, in the cut that was opened there. */
export class RemoteRef {
  readonly node: number;
  readonly cut: string;
  readonly part: number;
  readonly shard: number;
  /** Ids of plans that the node is known to have. */
  readonly plans: Set<string>;

  constructor(at: Pick<RemoteRef, "node" | "cut" | "part" | "shard" | "plans">) {
    this.node = at.node;
    this.cut = at.cut;
    this.part = at.part;
    this.shard = at.shard;
    this.plans = at.plans;
  }
}

/** Evaluates parts where they lie: here by the own pool, elsewhere by asking. */
export class ClusterPool implements FragmentPool {
  readonly #own: FragmentPool;
  readonly #peers: Peers;
  readonly #others: () => number;

  /** `others`: how many nodes beside this one answer queries now. */
  constructor(own: FragmentPool, peers: Peers, others: () => number) {
    this.#own = own;
    this.#peers = peers;
    this.#others = others;
  }

  get size(): number {
    return this.#own.size + this.#others() * piecesPerNode;
  }

  get finish(): FragmentPool["finish"] {
    return this.#own.finish?.bind(this.#own);
  }

  async run(plan: PlanMessage, task: PartTask, signal: AbortSignal): Promise<PartialMessage> {
    const { ref } = task.part;
    if (!(ref instanceof RemoteRef)) return this.#own.run(plan, task, signal);
    for (let tries = 1; ; tries++) {
      try {
        return await this.#ask(plan, task, ref, signal);
      } catch (thrown) {
        signal.throwIfAborted();
        if (!(thrown instanceof ServiceError)) throw thrown;
        if (thrown.code !== "peer.unavailable" && thrown.code !== "query.timeout") {
          return failedBy(thrown);
        }
        // The cut stays open for a while, and an answer counts only whole: asking again repeats nothing.
        if (tries === pieceTries || thrown.code === "query.timeout") {
          return missingPart(plan, task, ref, thrown);
        }
        await new Promise((resolve) => setTimeout(resolve, pieceRetryMs));
      }
    }
  }

  async #ask(
    plan: PlanMessage,
    { part: _, ...task }: PartTask,
    { node, cut, part, plans }: RemoteRef,
    signal: AbortSignal,
  ): Promise<PartialMessage> {
    const { cancelled: __, ...portable } = plan;
    const bytes = plans.has(plan.id) ? [] : [serialize(portable satisfies PortablePlan)];
    const head: FragmentAsked = { cut, planId: plan.id, part, task };
    const pieces = this.#peers.stream(node, methods.fragment, { head, bytes }, { signal });
    let answer: Buffer | undefined;
    let end = 0;
    for await (const piece of pieces) {
      if (answer === undefined) {
        answer = Buffer.allocUnsafe(bytesOf(piece.head));
        plans.add(plan.id);
        continue;
      }
      for (const each of piece.bytes) {
        assert(end + each.length <= answer.length, "an answer is as long as it said");
        answer.set(each, end);
        end += each.length;
      }
    }
    if (answer === undefined || end < answer.length) {
      throw new ServiceError("peer.unavailable", "an answer ended before its end", { node });
    }
    return deserialize(answer) as PartialMessage;
  }
}

function bytesOf(head: unknown): number {
  const bytes = (head as { readonly bytes?: unknown } | undefined)?.bytes;
  if (typeof bytes !== "number" || !(bytes >= 0) || bytes > answerBytesMax) {
    throw new ServiceError("query.memory", "a node's answer is too large", {
      bytesMax: answerBytesMax,
    });
  }
  return bytes;
}

function failedBy({ code, message, fields }: ServiceError): PartialMessage {
  return { kind: "failed", code, message, fields };
}

/** The query goes on without it, and says so. */
function missingPart(
  plan: PlanMessage,
  task: PartTask,
  { shard, node }: RemoteRef,
  { message }: ServiceError,
): PartialMessage {
  const answer = createSink(plan.sink, task.after).finish();
  const damaged = [`shard ${shard} at node ${node}: ${message}`];
  return { kind: "done", answer, scanned: { rows: 0, bytes: 0, blocks: 0 }, damaged };
}
