import type { LogTail } from "./log-tail.ts";
import type { LeaderMessage } from "./messages.ts";
import { zxidCounter } from "./zxid.ts";

/** How a learner comes to have the leader's history: what it keeps of its own, and what follows. */
export type SyncPlan =
  | { readonly kind: "diff"; readonly after: number }
  | { readonly kind: "trunc"; readonly zxid: number; readonly after: number }
  | { readonly kind: "snap"; readonly after: number };

/**
 * `zxidLast` is the learner's last; `through` how far the leader gives its history. What a learner has beyond the
 * leader's history was never committed: it goes.
 */
export function syncPlan<B>(log: LogTail<B>, zxidLast: number, through: number): SyncPlan {
  const snap = { kind: "snap", after: Math.min(log.applied, through) } as const;
  if (zxidLast === through) return { kind: "diff", after: zxidLast };
  // Zero is said by who has nothing, or cannot cut its log where it was told to.
  if (zxidLast === 0) return snap;
  const common = log.newestThrough(Math.min(zxidLast, through));
  if (common === undefined) return snap;
  if (common === zxidLast) return { kind: "diff", after: zxidLast };
  // A counter of zero names a snapshot: there is no log to be cut.
  if (zxidCounter(zxidLast) === 0) return snap;
  return { kind: "trunc", zxid: common, after: common };
}

/** What a learner is sent for a plan: how to begin, then all that follows of the history. */
export function syncMessages<B>(
  log: LogTail<B>,
  plan: SyncPlan,
  { through, epochStart }: { readonly through: number; readonly epochStart: number },
): readonly LeaderMessage<B>[] {
  const proposals = log.between(plan.after, through);
  const rest = proposals.length > 0 ? [{ kind: "proposal", proposals } as const] : [];
  switch (plan.kind) {
    case "diff":
      return [{ kind: "diff" }, ...rest];
    case "trunc":
      return [{ kind: "trunc", zxid: plan.zxid }, ...rest];
    case "snap":
      return [{ kind: "snap", zxid: Math.max(log.applied, epochStart) }, ...rest];
  }
}
