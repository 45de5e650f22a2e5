import type { Looks } from "./looks.ts";
import type { Effect, MultiOp, MultiOutcome, ShardFacts } from "./types.ts";

/** A conditional write that waits for its turn, or for its outcome to be settled. */
export interface MultiItem {
  /** Nobody cares any more: it is not begun, or its outcome is not asked after. */
  readonly isDead: boolean;
  /** What to write now, on which version; undefined: it leaves the queue. Not once a try of it is unknown. */
  write(isRepeat: boolean): { readonly op: MultiOp; readonly version: number } | undefined;
  done(version: number): void;
  /**
   * The coordinator did not say "done"; this was read since. `isUnknown`: a try of it may still come to be carried
   * out, on the version it names. Returns whether it is settled; else it is written again.
   */
  settle(facts: ShardFacts, isUnknown: boolean): boolean;
  /** For a planted fault: true takes an unknown outcome for "done". */
  assumes?(): boolean;
}

/**
 * "Sealing, merging, dropping": all conditional writes of a shard go through one queue, one in flight. One whose
 * outcome is not known stays at its head until a reading settles it.
 */
export class MultiQueue {
  readonly #emit: (effect: Effect) => void;
  readonly #looks: Looks;
  readonly #isUnchecked: (op: MultiOp) => boolean;
  readonly #waiting: MultiItem[] = [];
  #current: MultiItem | undefined;
  #isAsked = false;
  #isUnknown = false;
  #multi = 0;

  /** `isUnchecked` is of planted faults: the check of the version is left out. */
  constructor(emit: (effect: Effect) => void, looks: Looks, isUnchecked: (op: MultiOp) => boolean) {
    this.#emit = emit;
    this.#looks = looks;
    this.#isUnchecked = isUnchecked;
  }

  get isIdle(): boolean {
    return this.#current === undefined && this.#waiting.length === 0;
  }

  /** Whether this one was begun and is not settled. */
  isBegun(item: MultiItem): boolean {
    return this.#current === item;
  }

  add(item: MultiItem): void {
    this.#waiting.push(item);
    if (this.#current === undefined) this.#next();
  }

  outcome(multi: number, outcome: MultiOutcome): void {
    const item = this.#current;
    if (item === undefined || !this.#isAsked || multi !== this.#multi) return;
    this.#isAsked = false;
    if (outcome.kind === "unknown" && item.assumes?.() === true) {
      this.#next();
    } else if (outcome.kind === "done") {
      // Still the one in flight: what it adds comes behind it.
      if (!item.isDead) item.done(outcome.version);
      this.#next();
    } else if (item.isDead) {
      this.#next();
    } else {
      this.#isUnknown ||= outcome.kind === "unknown";
      this.#looks.want();
    }
  }

  /** A reading that began after whatever was asked. */
  viewed(facts: ShardFacts): void {
    const item = this.#current;
    if (item === undefined || this.#isAsked) return;
    if (item.isDead || item.settle(facts, this.#isUnknown) || !this.#ask(item)) this.#next();
  }

  #next(): void {
    for (;;) {
      const item = this.#waiting.shift();
      this.#current = item;
      this.#isUnknown = false;
      if (item === undefined || this.#ask(item)) return;
    }
  }

  #ask(item: MultiItem): boolean {
    const write = item.isDead ? undefined : item.write(this.#isUnknown);
    if (write === undefined) return false;
    const { op, version } = write;
    this.#isAsked = true;
    this.#multi++;
    this.#emit({
      ...{ kind: "multi", multi: this.#multi, op },
      version: this.#isUnchecked(op) ? undefined : version,
    });
    return true;
  }
}
