import { propagationSampleMs, propagationSamples } from "./limits.ts";

/** Counts that only grow, while the process runs. */
export interface PropagationCounts {
  /** Txns that this member has applied as committed: ΔZ. */
  readonly txns: number;
  /** Watch notifications that it has sent to clients: M. */
  readonly notifications: number;
}

/** How far changes spread: over a time, in this member's eyes. */
export interface Propagation extends PropagationCounts {
  readonly durationMs: number;
  /** Members that are known to have them on disk: N. */
  readonly synchronised: number;
  /** ΔZ/N. */
  readonly txnsPerMember: number;
  /** ΔZ/M; undefined where no notification was sent. */
  readonly txnsPerNotification: number | undefined;
}

/** Figures over a window that ends now: as many samples as `limits.ts` says, one when that time has passed. */
export class PropagationWindow {
  readonly #samples: (PropagationCounts & { readonly atMs: number })[] = [];

  /** To be called every second or so, with counts since the start. */
  sample(counts: PropagationCounts, nowMs: number): void {
    const last = this.#samples.at(-1);
    if (last !== undefined && nowMs - last.atMs < propagationSampleMs) return;
    this.#samples.push({ ...counts, atMs: nowMs });
    if (this.#samples.length > propagationSamples) this.#samples.shift();
  }

  /** From the oldest sample to now. */
  figures(counts: PropagationCounts, synchronised: number, nowMs: number): Propagation {
    const from = this.#samples[0] ?? { ...counts, atMs: nowMs };
    const txns = counts.txns - from.txns;
    const notifications = counts.notifications - from.notifications;
    return propagationOf({ txns, notifications }, synchronised, nowMs - from.atMs);
  }
}

export function propagationOf(
  { txns, notifications }: PropagationCounts,
  synchronised: number,
  durationMs: number,
): Propagation {
  return {
    durationMs,
    txns,
    notifications,
    synchronised,
    txnsPerMember: synchronised === 0 ? 0 : txns / synchronised,
    txnsPerNotification: notifications === 0 ? undefined : txns / notifications,
  };
}
