import type { Core } from "./core.ts";
import { InSync } from "./in-sync.ts";
import { logStart } from "./lineage.ts";
import type { FollowerMessage } from "./messages.ts";
import type { LogPoint, SegmentRef } from "./types.ts";

/** What another replica said when it promised. */
export type Promised = Extract<FollowerMessage, { readonly kind: "promised" }>;

/**
 * silent: no link, or nothing said yet · announced: asked for its promise · promised: its log is known · unfit: a
 * member that has to be taken out before its log is emptied · matching, resetting: its log is being cut or
 * emptied · streaming: it gets entries · halted: it has stopped with an error.
 */
export type Phase =
  | "silent"
  | "announced"
  | "promised"
  | "unfit"
  | "matching"
  | "resetting"
  | "streaming"
  | "halted";

/** Another replica as the owner sees it: a member of the set, one to be, or a learner. */
export class Other {
  readonly replica: string;
  #phase: Phase = "silent";
  /** Since when it is in its phase, and since when it is not streaming. */
  phaseSinceMs: number;
  brokenSinceMs: number;
  promised: Promised | undefined;
  /** Its log has to be emptied: damaged, behind what the owner's log holds, or without what it had. */
  needsReset = false;
  /** Its disk is full or slow. */
  isStrained = false;
  isSlow = false;
  /** The last entry sent; the next one follows it. */
  sent: LogPoint = logStart;
  /** Everything up to here is on its disk, and equal to the owner's. */
  durable = 0;
  /** When anything came from it, anything was sent, and it last went forward. */
  heardMs: number;
  sentMs = Number.NEGATIVE_INFINITY;
  progressMs: number;
  /** When the latest message was sent that it has confirmed: the lease. */
  confirmedMs = Number.NEGATIVE_INFINITY;
  /** When its entries were last sent anew. */
  rewoundMs = Number.NEGATIVE_INFINITY;
  /** The read of the own log for it. */
  read: number | undefined;
  readonly #inFlight: { readonly through: number; readonly bytes: number }[] = [];
  #inFlightBytes = 0;
  /** Revisions of segments it was told of, and holds. */
  toldRevision = 0;
  heldRevision = 0;
  toldMs = 0;
  /** Since when it holds less than it was told of. */
  unheldSinceMs: number | undefined;

  constructor(replica: string, nowMs: number, heardMs: number) {
    this.replica = replica;
    this.phaseSinceMs = nowMs;
    this.brokenSinceMs = nowMs;
    this.progressMs = nowMs;
    this.heardMs = heardMs;
  }

  get phase(): Phase {
    return this.#phase;
  }

  enter(phase: Phase, nowMs: number): void {
    if (this.#phase === "streaming" && phase !== "streaming") this.brokenSinceMs = nowMs;
    this.#phase = phase;
    this.phaseSinceMs = nowMs;
    this.progressMs = nowMs;
    this.#inFlight.length = 0;
    this.#inFlightBytes = 0;
    this.read = undefined;
  }

  get inFlightBytes(): number {
    return this.#inFlightBytes;
  }

  flies(through: LogPoint, bytes: number, nowMs: number): void {
    if (this.#inFlight.length === 0) this.progressMs = nowMs;
    this.#inFlight.push({ through: through.position, bytes });
    this.#inFlightBytes += bytes;
    this.sent = through;
    this.sentMs = nowMs;
  }

  landed(durable: number, nowMs: number): void {
    if (durable > this.durable) this.progressMs = nowMs;
    this.durable = Math.max(this.durable, durable);
    while (this.#inFlight.length > 0 && this.#inFlight[0]!.through <= durable) {
      this.#inFlightBytes -= this.#inFlight.shift()!.bytes;
    }
  }

  rewind(to: LogPoint, nowMs: number): void {
    this.#inFlight.length = 0;
    this.#inFlightBytes = 0;
    this.read = undefined;
    this.sent = to;
    this.rewoundMs = nowMs;
  }

  /** It answers, and its disk brings nothing forward. */
  stalledMs(nowMs: number): number {
    if (this.#phase !== "streaming") return nowMs - this.brokenSinceMs;
    return this.#inFlight.length === 0 ? 0 : nowMs - this.progressMs;
  }
}

/** What the parts of an owner share. */
export class OwnerState {
  readonly core: Core;
  readonly epoch: number;
  /** Of `/shards/<id>`, as this owner last wrote it. */
  version: number;
  readonly inSync: InSync;
  /** Who has copies or shall have, by the znode. */
  replicas: readonly string[];
  /** The replica that owned it before. */
  readonly previous: string | undefined;
  /** No lease of an owner before is left from here on. */
  readonly leaseFreeMs: number;
  /** What the balancer wants. */
  assigned: readonly string[];
  preferred: string | undefined;
  minInSync: number;
  readonly others = new Map<string, Other>();
  /** Sealed state and log are read, the epoch's first entry is appended. */
  isBegun = false;
  /** Position of that entry: once it is committed, all that any owner before has committed is known to be. */
  start = Number.POSITIVE_INFINITY;
  sealedThrough: LogPoint = logStart;
  /** Live segments and the checkpoint. */
  readonly live = new Map<string, SegmentRef>();
  /** Of `hold`: told last, what the manifest has, and what `sealedThrough` needs. */
  revision = 0;
  liveRevision = 0;
  sealedRevision = 0;
  /** The shard is being handed over: appends and cuts rest. */
  isHandingOver = false;
  /** Deposed, or taking over anew: nothing of it counts any more. */
  isOver = false;

  constructor(
    core: Core,
    facts: {
      readonly epoch: number;
      readonly version: number;
      readonly replicas: readonly string[];
      readonly inSync: readonly string[];
    },
    minInSync: number,
    before: { readonly previous: string | undefined; readonly leaseFreeMs: number },
  ) {
    this.core = core;
    this.epoch = facts.epoch;
    this.version = facts.version;
    this.replicas = facts.replicas;
    this.assigned = facts.replicas;
    this.minInSync = minInSync;
    this.previous = before.previous;
    this.leaseFreeMs = before.leaseFreeMs;
    this.inSync = new InSync(facts.inSync, core.log.committed);
  }

  /** Whether it is waited for: of the set, or of one that may be the set. */
  isWaitedFor(replica: string): boolean {
    return this.inSync.union.includes(replica);
  }

  /** Other members of the set, and of the one that it may become. */
  *waitedFor(): Generator<Other> {
    for (const replica of this.inSync.union) {
      const other = this.others.get(replica);
      if (other !== undefined) yield other;
    }
  }
}
