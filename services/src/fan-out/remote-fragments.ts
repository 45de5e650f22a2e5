import { deserialize, serialize } from "node:v8";
import type { Peers } from "../../../cluster/src/peers/peers.ts";
import { assert } from "../../../kit/src/assert.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { PartialMessage, PartTask } from "../../../query/src/engine/fragment.ts";
import type { PlanMessage } from "../../../query/src/plan/plan.ts";
import type { PortablePlan } from "./cut-host.ts";
import { answerBytesMax } from "./limits.ts";
import { type FragmentAsked, methods } from "./messages.ts";
import type { RemoteRef } from "./remote-ref.ts";

/** Has a piece of a query evaluated by the node that holds its part open. Rejects as `Peers.stream`, with `query.memory` for too large an answer. */
export async function askFragment(
  peers: Peers,
  plan: PlanMessage,
  { part: _, ...task }: PartTask,
  { node, cut, part, plans }: RemoteRef,
  signal: AbortSignal,
): Promise<PartialMessage> {
  const { cancelled: __, ...portable } = plan;
  const bytes = plans.has(plan.id) ? [] : [serialize(portable satisfies PortablePlan)];
  const head: FragmentAsked = { cut, planId: plan.id, part, task };
  const pieces = peers.stream(node, methods.fragment, { head, bytes }, { signal });
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

function bytesOf(head: unknown): number {
  const bytes = (head as { readonly bytes?: unknown } | undefined)?.bytes;
  if (typeof bytes !== "number" || !(bytes >= 0) || bytes > answerBytesMax) {
    throw new ServiceError("query.memory", "a node's answer is too large", {
      bytesMax: answerBytesMax,
    });
  }
  return bytes;
}
