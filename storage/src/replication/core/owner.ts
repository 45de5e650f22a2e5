import type { Core } from "./core.ts";
import {
  calmTickMs,
  handOverRetryMs,
  ownerTickMs,
  strainedReachMs,
  transferMsDefault,
  uncommittedBytesMax,
} from "./limits.ts";
import type { FollowerMessage } from "./messages.ts";
import { OwnerCuts } from "./owner-cuts.ts";
import { HandOver, type HandOverOrder, reliefOf, takerOf } from "./owner-hand-over.ts";
import { OwnerSegments } from "./owner-segments.ts";
import { SetChanges } from "./owner-set.ts";
import { type Other, OwnerState } from "./owner-state.ts";
import { Streams } from "./owner-streams.ts";
import type { Entry, Input, RefuseReason, SealedState, ShardFacts } from "./types.ts";

type Of<K extends Input["kind"]> = Extract<Input, { readonly kind: K }>;

/** What an owner tells its replica. */
export interface OwnerEvents {
  /** Another replica has promised a higher epoch. */
  refused(promised: number): void;
  /** The shard was given away. */
  handedOver(): void;
  damaged(): void;
}

/** What the balancer wants, as far as it was told. */
export type Assignment = Omit<Of<"assign">, "kind">;

/** What a take-over came to. */
export interface Acquired {
  readonly facts: ShardFacts;
  /** No lease of the owner before is left from here on. */
  readonly leaseFreeMs: number;
  /** The replica that owned it before, if any has not given it up. */
  readonly previous: string | undefined;
}

/** The owner of a shard for one epoch, from its acquisition on. */
export class Owner {
  readonly state: OwnerState;
  readonly #events: OwnerEvents;
  readonly #streams: Streams;
  readonly #set: SetChanges;
  readonly #segments: OwnerSegments;
  readonly #cuts: OwnerCuts;
  #isServing = false;
  #isTaking = false;
  #handOver: HandOver | undefined;
  #handOverAtMs = Number.NEGATIVE_INFINITY;

  constructor(core: Core, acquired: Acquired, assignment: Assignment, events: OwnerEvents) {
    const { minInSync, owner, replicas } = assignment;
    this.state = new OwnerState(core, acquired.facts, minInSync, acquired);
    this.state.assigned = replicas;
    this.state.preferred = owner;
    this.#events = events;
    this.#segments = new OwnerSegments(this.state);
    this.#streams = new Streams(this.state, {
      durable: (other, position) => this.#durable(other.replica, position),
      streaming: (other) => this.#segments.streaming(other),
      damaged: () => events.damaged(),
    });
    this.#set = new SetChanges(this.state, () => this.#changed());
    this.#cuts = new OwnerCuts(this.state, (other) => this.#streams.ask(other));
  }

  get isServing(): boolean {
    return this.#isServing;
  }

  /** How long it can do without looking at its clock; undefined: for good. */
  get restMs(): number | undefined {
    if (!this.#isServing || this.#handOver !== undefined) return ownerTickMs;
    const { others } = this.state;
    if (this.#cuts.isWaiting || this.#set.isPending) return ownerTickMs;
    for (const { phase } of others.values()) {
      if (phase !== "streaming" && phase !== "silent") return ownerTickMs;
    }
    // Only signs of life depend on time, and who gives none.
    return others.size === 0 ? undefined : calmTickMs;
  }

  /** "Taking the shard over", 5: the epoch's first entry, then each other is made equal. */
  begin(sealed: SealedState, epochStart: Of<"loaded">["epochStart"]): void {
    const { state } = this;
    const { log } = state.core;
    state.sealedThrough = sealed.sealedThrough;
    for (const segment of sealed.segments) state.live.set(segment.uuid, segment);
    state.revision = 1;
    state.liveRevision = 1;
    state.sealedRevision = 1;
    state.isBegun = true;
    log.commit(sealed.sealedThrough.position);
    state.core.emit({ kind: "committed", position: log.committed });
    this.state.start = log.end.position + 1;
    this.#append("epoch-start", epochStart.bytes, epochStart.body);
    this.#streams.begun();
    this.#durable(state.core.replica, log.durable);
    this.#set.evaluate();
  }

  append({ bytes, body }: Of<"append">): void {
    const refused = this.#refusal();
    if (refused === undefined) this.#append("batch", bytes, body);
    else {
      const { core, epoch } = this.state;
      core.emit({ kind: "refuse", body, reason: refused, epoch, owner: core.self });
    }
  }

  cut(request: number): void {
    if (this.#isServing && !this.state.isHandingOver) this.#cuts.open(request);
    else {
      const { core } = this.state;
      core.emit({ kind: "cut-refused", request, reason: "not-owner", owner: undefined });
    }
  }

  commit({ commit }: Of<"commit">): void {
    this.#segments.commit(commit);
  }

  assign({ replicas, owner, minInSync }: Assignment): void {
    this.state.assigned = replicas;
    this.state.preferred = owner;
    this.state.minInSync = minInSync;
    this.#streams.sync();
    this.#serve();
    this.#evaluate();
  }

  giveAway(order: HandOverOrder): void {
    const { core } = this.state;
    if (this.#handOver !== undefined) {
      const isKept = this.#handOver.order.isAsked || this.#handOver.isAsked || !order.isAsked;
      if (isKept && order.isAsked) {
        const reason = "it is being handed over already";
        core.emit({ kind: "hand-over-settled", isDone: false, reason });
      }
      if (isKept) return;
    }
    this.state.isHandingOver = true;
    this.#cuts.over();
    core.role = { kind: "handing-over", epoch: this.state.epoch };
    const isQuiet = (): boolean => !this.#set.isPending && core.multis.isIdle;
    const isServing = (): boolean => this.#isServing;
    this.#handOver = new HandOver(this.state, order, isQuiet, isServing, (isDone, reason) => {
      this.#gaveAway(order, isDone, reason);
    });
    this.#evaluate();
  }

  /**
   * It has to be repaired, and what it cannot read it can bring to nobody: who takes over has all that was committed,
   * and decides on the rest. It would wait for the others for ever.
   */
  giveUp(): void {
    const order = { target: undefined, transferMs: transferMsDefault, isDrain: true };
    this.giveAway({ ...order, isAsked: false });
  }

  /** Its disk is full or slow, or is not any more. */
  strained(): void {
    this.#evaluate();
  }

  written(): void {
    const { core } = this.state;
    if (!this.state.isBegun) return;
    this.#durable(core.replica, core.log.durable);
    this.#streams.written();
  }

  take(from: string, message: FollowerMessage): void {
    const other = this.state.others.get(from);
    if (other === undefined || message.epoch !== this.state.epoch) return;
    this.#streams.take(other, message);
    if (message.kind === "held") this.#segments.held(other, message.revision);
    if (message.kind === "refused") this.#events.refused(message.promised);
    this.#cuts.evaluate();
    if (!this.state.isWaitedFor(from) || this.#set.isPending) this.#set.evaluate();
    if (other.phase === "halted" || other.phase === "unfit") this.#set.evaluate();
    this.#handOver?.evaluate();
  }

  linked(replica: string): void {
    this.#streams.linked(replica);
    this.#set.evaluate();
  }

  entriesRead(read: number, result: Of<"entries-read">["result"]): void {
    this.#streams.entriesRead(read, result);
    this.#set.evaluate();
  }

  tick(): void {
    this.#streams.tick();
    this.#segments.tick();
    this.#serve();
    this.#cuts.tick();
    this.#evaluate();
  }

  /** Whether a reading is of its own hand-over, whose outcome is not known yet. */
  gaveAwayBy(facts: ShardFacts): boolean {
    const handOver = this.#handOver;
    return handOver?.isAsked === true && handOver.isGiven(facts);
  }

  /** Deposed, halted, or taking over anew: nothing that waits for it comes to pass. */
  over(reason: string): void {
    if (this.state.isOver) return;
    this.state.isOver = true;
    this.#cuts.over();
    this.#segments.over();
    const handOver = this.#handOver;
    this.#handOver = undefined;
    if (handOver?.order.isAsked === true) {
      this.state.core.emit({ kind: "hand-over-settled", isDone: false, reason });
    }
  }

  #refusal(): RefuseReason | undefined {
    const { isHandingOver, others } = this.state;
    if (!this.#isServing || isHandingOver) return "waiting";
    if (!this.#isTaking) return "below-min-in-sync";
    const isFull = others.size > 0 && this.#streams.tailBytes >= uncommittedBytesMax;
    return isFull ? "window" : undefined;
  }

  #append(kind: Entry["kind"], bytes: number, body: unknown): void {
    const { core, epoch } = this.state;
    const { log } = core;
    const { epoch: previousEpoch, position: previousPosition } = log.end;
    const position = previousPosition + 1;
    const entry: Entry = {
      ...{ epoch, position, previousEpoch, previousPosition },
      ...{ committed: log.committed, kind, bytes, body },
    };
    log.append([entry], true);
    this.#streams.appended(entry);
  }

  #durable(member: string, position: number): void {
    this.state.inSync.step({ kind: "durable", member, position });
    this.#advance();
  }

  /** What every member of the set, and of the one it may become, has on disk is committed. */
  #advance(): void {
    const { core, inSync } = this.state;
    const { committed } = inSync;
    if (this.state.isBegun && core.log.commit(committed)) {
      core.emit({ kind: "committed", position: committed });
      this.#streams.committed(committed);
      this.#handOver?.evaluate();
    }
    this.#serve();
  }

  /** "Taking the shard over", 6. */
  #serve(): void {
    const { core, epoch, inSync, isHandingOver, leaseFreeMs, minInSync, start } = this.state;
    const isCommitted = core.log.committed >= start;
    if (!this.#isServing && (!isCommitted || core.nowMs < leaseFreeMs)) return;
    const isTaking = inSync.members.length >= minInSync;
    if (this.#isServing && isTaking === this.#isTaking) return;
    this.#isServing = true;
    this.#isTaking = isTaking;
    if (!isHandingOver) core.role = { kind: "serving", epoch, isTaking };
  }

  /** The set is another, or the change of it came to nothing. */
  #changed(): void {
    if (this.state.isOver) return;
    this.#streams.sync();
    // Who waits for an entry is told of a set that is too small before it is committed by it.
    this.#serve();
    this.#advance();
    this.#cuts.evaluate();
    this.#segments.evaluate();
    this.#evaluate();
  }

  #evaluate(): void {
    this.#set.evaluate();
    this.#handOver?.evaluate();
    const { assigned, core, inSync, preferred } = this.state;
    if (this.#handOver !== undefined || core.nowMs < this.#handOverAtMs) return;
    if (core.isDamaged && inSync.union.length > 1) {
      this.giveUp();
      return;
    }
    if (!this.#isServing || this.#set.isPending) return;
    const order = { transferMs: transferMsDefault, isDrain: false, isAsked: false };
    const relief = core.isStrained ? reliefOf(this.state) : undefined;
    if (relief !== undefined) {
      // Without the coordinator it would stop and be stuck; it is better off as it is.
      if (core.nowMs < core.reachedMs + strainedReachMs) {
        this.giveAway({ ...order, target: relief, isStrained: true });
      } else if (!core.looks.isWanted) core.looks.want();
      return;
    }
    const isSent = !assigned.includes(core.replica);
    // Whose disk is full or slow would only hand it back.
    const isWelcome =
      preferred !== undefined && this.state.others.get(preferred)?.isStrained !== true;
    const wanted = isWelcome ? preferred : undefined;
    const target = wanted ?? (isSent ? takerOf(this.state, undefined) : undefined);
    if (target === undefined || target === core.replica) return;
    // It leaves only when all that shall stay are there.
    const isWhole = assigned.every((replica) => inSync.members.includes(replica));
    if (isSent && !isWhole) return;
    if (takerOf(this.state, target) === undefined) return;
    this.giveAway({ ...order, target });
  }

  #gaveAway(order: HandOverOrder, isDone: boolean, reason: string): void {
    const { core, epoch } = this.state;
    this.#handOver = undefined;
    if (order.isAsked) core.emit({ kind: "hand-over-settled", isDone, reason });
    if (isDone) {
      this.#events.handedOver();
      return;
    }
    this.state.isHandingOver = false;
    this.#handOverAtMs = core.nowMs + handOverRetryMs;
    if (this.#isServing) core.role = { kind: "serving", epoch, isTaking: this.#isTaking };
    else this.#serve();
    this.#evaluate();
  }

  /** For status. */
  others(): readonly Other[] {
    return [...this.state.others.values()];
  }
}
