import { assert } from "../../../../kit/src/assert.ts";
import { type Core, replicaOf } from "./core.ts";
import { leaseWaitMs, loadRetryMs } from "./limits.ts";
import type { MultiItem } from "./multi-queue.ts";
import type { Acquired } from "./owner.ts";
import type { Input, LogPoint, MultiOp, SealedState, ShardFacts } from "./types.ts";

type Loaded = Extract<Input, { readonly kind: "loaded" }>;

/** What a take-over tells its replica. */
export interface TakeoverEvents {
  /** The znode names this process: from now on it is the owner, and `facts` what it acquired. */
  acquired(acquired: Acquired): void;
  /** Sealed state and log are read. */
  loaded(sealed: SealedState, epochStart: Loaded["epochStart"]): void;
  /** It was not to be, for now. */
  abandoned(reason: string): void;
  failed(reason: string): void;
}

/** "Taking the shard over", up to where the log is read; the owner does the rest. */
export class Takeover implements MultiItem {
  readonly #core: Core;
  readonly #events: TakeoverEvents;
  /** Epochs promised elsewhere, which the one to acquire has to be above. */
  readonly #above: number;
  /** A person accepts what is lost: this replica becomes the set. */
  readonly #isRecovery: boolean;
  #phase: "looking" | "promising" | "acquiring" | "draining" | "loading" = "looking";
  #view: ShardFacts | undefined;
  #epoch = 0;
  #promisedMs = 0;
  #isOver = false;
  #load = 0;
  #loadAtMs: number | undefined;
  /** For a planted fault: where the log ended before anything was acquired. */
  #earlyEnd: LogPoint;

  constructor(
    core: Core,
    options: { readonly above: number; readonly isRecovery: boolean },
    events: TakeoverEvents,
  ) {
    this.#core = core;
    this.#above = options.above;
    this.#isRecovery = options.isRecovery;
    this.#events = events;
    this.#earlyEnd = core.lookedEnd;
  }

  get isDead(): boolean {
    return this.#isOver;
  }

  /** Whether the znode has named this process. */
  get isAcquired(): boolean {
    return this.#phase === "draining" || this.#phase === "loading";
  }

  /** What it may have acquired without knowing. */
  get claim(): { readonly epoch: number; readonly version: number } | undefined {
    if (this.#phase !== "acquiring") return undefined;
    return { epoch: this.#epoch, version: this.#viewed().version };
  }

  get isRecovery(): boolean {
    return this.#isRecovery;
  }

  over(): void {
    this.#isOver = true;
  }

  /** 1: a barrier write was made, then this was read. */
  viewed(facts: ShardFacts): void {
    if (this.#phase !== "looking" || this.#isOver) return;
    const obstacle = this.#obstacle(facts);
    if (obstacle !== undefined) {
      this.#abandon(obstacle);
      return;
    }
    const { log } = this.#core;
    this.#view = facts;
    this.#earlyEnd = this.#core.lookedEnd;
    this.#epoch = 1 + Math.max(facts.epoch, log.promised, this.#above);
    this.#phase = "promising";
    this.#core.role = { kind: "taking", epoch: this.#epoch };
    log.promise(this.#epoch);
  }

  /** Something that was asked of the disk is done. */
  progress(): void {
    const { log, multis, nowMs } = this.#core;
    if (this.#isOver) return;
    if (this.#phase === "promising" && log.promisedDurable >= this.#epoch) {
      this.#phase = "acquiring";
      this.#promisedMs = nowMs;
      multis.add(this);
    } else if (this.#phase === "draining") {
      this.#read();
    }
  }

  tick(): void {
    if (this.#isOver || this.#loadAtMs === undefined || this.#core.nowMs < this.#loadAtMs) return;
    this.#loadAtMs = undefined;
    this.#read();
  }

  /** 2: the version is that of the view. */
  write(): { readonly op: MultiOp; readonly version: number } {
    const { replica, self } = this.#core;
    const { version, holder } = this.#viewed();
    const op = {
      kind: "acquire",
      epoch: this.#epoch,
      owner: self,
      isHeld: holder !== undefined,
    } as const;
    return { op: this.#isRecovery ? { ...op, inSync: [replica] } : op, version };
  }

  done(version: number): void {
    this.#acquired({ ...this.#viewed(), version });
  }

  settle(facts: ShardFacts, isUnknown: boolean): boolean {
    const { self } = this.#core;
    const view = this.#viewed();
    const isOwn = facts.owner === self && facts.epoch === this.#epoch;
    if (isOwn && facts.holder?.isOwnSession === true) {
      this.#acquired({ ...view, version: facts.version });
      return true;
    }
    if (facts.version === view.version && isUnknown) {
      // The owner znode of a session that has ended may be gone by now: then it is not to be deleted any more.
      this.#view = facts;
      return false;
    }
    const isSame = facts.version === view.version && facts.holder?.name === view.holder?.name;
    if (isSame) {
      // Nothing is different, so nothing would be: it is tried again in a while.
      this.#abandon("refused by the coordinator");
      return true;
    }
    // Another reading to go by; what was asked on the old version cannot come any more, or was refused.
    this.#phase = "looking";
    this.viewed(facts);
    return true;
  }

  /** 3: what the session that acquired has read. */
  loaded({ load, sealed, epochStart }: Loaded): void {
    if (this.#isOver || this.#phase !== "loading" || load !== this.#load) return;
    const { faults, log } = this.#core;
    if (faults.has("log-end-read-early") && this.#earlyEnd.position < log.end.position) {
      log.truncate(this.#earlyEnd, true);
    }
    const { isHeld, sealedThrough } = sealed;
    const { end } = log;
    if (end.position < sealedThrough.position) {
      if (!isHeld && !this.#isRecovery) {
        const facts = `the log ends at ${end.position}, below the sealed ${sealedThrough.position}`;
        this.#events.failed(`${facts}, and sealed segments are missing`);
        return;
      }
      // What was read just now is what is sealed: nothing of the log that is given up is in it.
      log.reset(sealedThrough, log.lineage, false);
    } else if (log.pointAt(sealedThrough.position).epoch !== sealedThrough.epoch) {
      this.#events.failed("the log does not continue what is sealed");
      return;
    }
    if (this.#isRecovery) log.acceptEnd();
    this.#isOver = true;
    this.#events.loaded(sealed, epochStart);
  }

  loadFailed(load: number, reason: string, isPassing: boolean): void {
    if (this.#isOver || this.#phase !== "loading" || load !== this.#load) return;
    if (isPassing) this.#loadAtMs = this.#core.nowMs + loadRetryMs;
    else this.#events.failed(reason);
  }

  #obstacle(facts: ShardFacts): string | undefined {
    const { isDamaged, nowMs, replica } = this.#core;
    const { holder, next } = facts;
    // An earlier process of this disk cannot be running: the data directory has a lock.
    if (holder !== undefined && replicaOf(holder.name) !== replica)
      return `owned by ${holder.name}`;
    if (this.#isRecovery) return undefined;
    if (!this.#core.isMember(facts)) return "not in sync";
    if (isDamaged) return "damaged";
    if (nowMs < this.#core.heldBackUntilMs(facts)) return `handed over to ${next}`;
    return undefined;
  }

  #acquired(view: ShardFacts): void {
    const { replica, self } = this.#core;
    const leaseFreeMs = isLeaseFree(this.#viewed(), replica)
      ? Number.NEGATIVE_INFINITY
      : this.#promisedMs + leaseWaitMs;
    const facts: ShardFacts = {
      ...view,
      ...{ epoch: this.#epoch, owner: self, next: undefined, transferMs: 0 },
      inSync: this.#isRecovery ? [replica] : view.inSync,
      holder: { name: self, isOwnSession: true },
      lossEpoch: this.#isRecovery ? this.#epoch : view.lossEpoch,
    };
    this.#phase = "draining";
    this.#core.learn(facts);
    const { owner } = this.#viewed();
    const previous = owner === undefined ? undefined : replicaOf(owner);
    this.#events.acquired({ facts, leaseFreeMs, previous });
    this.#read();
  }

  /** The log is read when nothing of it is in flight any more. */
  #read(): void {
    const { faults, log } = this.#core;
    if (this.#isOver || !log.isDrained) return;
    this.#phase = "loading";
    this.#load++;
    const withKeys = !faults.has("dedupe-lost-at-fail-over");
    this.#core.emit({
      ...{ kind: "load", load: this.#load, epoch: this.#epoch, end: log.end, withKeys },
    });
  }

  #viewed(): ShardFacts {
    assert(this.#view !== undefined, "what is acquired was read before");
    return this.#view;
  }

  #abandon(reason: string): void {
    this.#isOver = true;
    this.#events.abandoned(reason);
  }
}

/**
 * No other process can have a lease: the shard was handed over to this very replica, and nothing has moved it since;
 * or the set is this replica, and no other has owned it since. An owner makes itself the only one when no lease is left.
 */
function isLeaseFree({ epoch, inSync, next, owner }: ShardFacts, replica: string): boolean {
  if (owner === undefined) return next === replica || epoch === 0;
  return inSync.length === 1 && inSync[0] === replica && replicaOf(owner) === replica;
}
