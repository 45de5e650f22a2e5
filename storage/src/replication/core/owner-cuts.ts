import { hasLease } from "./lease.ts";
import { cutsWaitingMax, cutWaitMs } from "./limits.ts";
import type { Other, OwnerState } from "./owner-state.ts";

/** "Reading": cuts are opened with a lease from every other member; one that has none asks for it and waits. */
export class OwnerCuts {
  readonly #state: OwnerState;
  readonly #ask: (other: Other) => void;
  readonly #waiting: { readonly request: number; readonly untilMs: number }[] = [];

  constructor(state: OwnerState, ask: (other: Other) => void) {
    this.#state = state;
    this.#ask = ask;
  }

  get isWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  open(request: number): void {
    if (this.#hasLease()) {
      this.#opened(request);
      return;
    }
    const { core } = this.#state;
    if (this.#waiting.length >= cutsWaitingMax) {
      core.emit({ kind: "cut-refused", request, reason: "no-lease", owner: core.self });
      return;
    }
    this.#waiting.push({ request, untilMs: core.nowMs + cutWaitMs });
    this.#askAll();
  }

  /** Somebody has confirmed, the set is another, or time has passed. */
  evaluate(): void {
    if (this.#waiting.length === 0) return;
    const { core } = this.#state;
    if (this.#hasLease()) {
      for (const { request } of this.#waiting.splice(0)) this.#opened(request);
      return;
    }
    while (this.#waiting.length > 0 && core.nowMs >= this.#waiting[0]!.untilMs) {
      const { request } = this.#waiting.shift()!;
      core.emit({ kind: "cut-refused", request, reason: "no-lease", owner: core.self });
    }
  }

  tick(): void {
    this.evaluate();
    if (this.#waiting.length > 0) this.#askAll();
  }

  over(): void {
    const { core } = this.#state;
    for (const { request } of this.#waiting.splice(0)) {
      core.emit({ kind: "cut-refused", request, reason: "not-owner", owner: undefined });
    }
  }

  #opened(request: number): void {
    const { core, epoch } = this.#state;
    core.emit({ kind: "cut-opened", request, epoch, committed: core.log.committed });
  }

  #hasLease(): boolean {
    const { core, inSync, others } = this.#state;
    if (core.faults.has("cut-without-lease")) return true;
    const all = core.faults.has("lease-without-union") ? inSync.members : inSync.union;
    if (all.length === 1) return true;
    const rest = all.filter((member) => member !== core.replica);
    const confirmedMs = (replica: string): number =>
      others.get(replica)?.confirmedMs ?? Number.NEGATIVE_INFINITY;
    return hasLease(rest, confirmedMs, core.nowMs);
  }

  #askAll(): void {
    for (const other of this.#state.waitedFor()) this.#ask(other);
  }
}
