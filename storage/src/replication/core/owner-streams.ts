import { assert } from "../../../../kit/src/assert.ts";
import {
  haltedRepeatMs,
  heartbeatMs,
  lineageStepsMax,
  matchRepeatMs,
  messageBytesMax,
  messageEntriesMax,
  repeatMs,
  unheardMs,
  windowBytesMax,
} from "./limits.ts";
import { commonPoint, lineageThrough } from "./lineage.ts";
import type { FollowerMessage } from "./messages.ts";
import { Other, type OwnerState, type Promised } from "./owner-state.ts";
import type { Entry, Input, LogPoint } from "./types.ts";

type ReadResult = Extract<Input, { readonly kind: "entries-read" }>["result"];

/** What streams tell their owner. */
export interface StreamEvents {
  /** A replica has more on disk, or has none any more. */
  durable(other: Other, position: number): void;
  /** A replica's log is equal to the owner's from now on. */
  streaming(other: Other): void;
  /** The owner's log is damaged. */
  damaged(): void;
}

/** From the owner to each other replica: the promise, an equal log, then entries as they come. */
export class Streams {
  readonly #state: OwnerState;
  readonly #events: StreamEvents;
  /** Entries not yet committed, while there are others to have them. */
  readonly #tail: Entry[] = [];
  #tailBytes = 0;
  #read = 0;

  constructor(state: OwnerState, events: StreamEvents) {
    this.#state = state;
    this.#events = events;
    this.sync();
  }

  /** Bytes appended and not committed. */
  get tailBytes(): number {
    return this.#tailBytes;
  }

  /** Others are who is waited for and who shall have copies. */
  sync(): void {
    const { assigned, core, inSync, others } = this.#state;
    const wanted = new Set([...inSync.union, ...assigned]);
    wanted.delete(core.replica);
    for (const replica of others.keys()) {
      if (wanted.has(replica)) continue;
      others.delete(replica);
      // Should it come back, it counts from what it has then.
      inSync.step({ kind: "emptied", member: replica });
    }
    for (const replica of wanted) {
      if (others.has(replica)) continue;
      const { nowMs } = core;
      const isLinked = core.links.has(replica);
      const heardMs = this.#heardMs(replica, isLinked);
      const other = new Other(replica, nowMs, heardMs);
      others.set(replica, other);
      if (isLinked) this.#announce(other);
    }
    if (others.size === 0) {
      this.#tail.length = 0;
      this.#tailBytes = 0;
    }
    // A member that had to be emptied may be a learner now.
    for (const other of others.values()) if (other.phase === "unfit") this.#match(other);
  }

  linked(replica: string): void {
    const other = this.#state.others.get(replica);
    if (other === undefined) return;
    other.enter("silent", this.#state.core.nowMs);
    if (this.#state.core.links.has(replica)) this.#announce(other);
  }

  /** The owner's log is read: answers to its announcement can be compared with it. */
  begun(): void {
    for (const other of this.#state.others.values()) {
      if (other.phase === "promised") this.#match(other);
    }
  }

  /** The owner has appended an entry. */
  appended(entry: Entry): void {
    const { others } = this.#state;
    if (others.size === 0) return;
    this.#tail.push(entry);
    this.#tailBytes += entry.bytes;
    for (const other of others.values()) this.pump(other);
  }

  committed(position: number): void {
    const kept = this.#tail.findIndex((entry) => entry.position > position);
    const gone = this.#tail.splice(0, kept < 0 ? this.#tail.length : kept);
    for (const { bytes } of gone) this.#tailBytes -= bytes;
  }

  /** More of the own log is on disk, and can be read. */
  written(): void {
    const first = this.#tail[0]?.position ?? Number.POSITIVE_INFINITY;
    for (const other of this.#state.others.values()) {
      if (other.sent.position + 1 < first) this.pump(other);
    }
  }

  take(other: Other, message: FollowerMessage): void {
    const { core } = this.#state;
    other.heardMs = core.nowMs;
    switch (message.kind) {
      case "promised":
        this.#confirm(other, message.sentMs);
        other.isStrained = message.isStrained === true;
        other.isSlow = message.isSlow === true;
        if (other.phase !== "announced") return;
        other.promised = message;
        other.enter("promised", core.nowMs);
        if (this.#state.isBegun) this.#match(other);
        break;
      case "matched": {
        this.#confirm(other, message.sentMs);
        if (other.phase !== "matching" && other.phase !== "resetting") return;
        const { end } = message;
        if (core.log.pointAt(end.position).epoch !== end.epoch) {
          this.#announce(other);
          return;
        }
        other.enter("streaming", core.nowMs);
        other.needsReset = false;
        other.sent = end;
        this.#landed(other, end.position);
        this.#events.streaming(other);
        break;
      }
      case "ack":
        this.#confirm(other, message.sentMs);
        other.isStrained = message.isStrained === true;
        other.isSlow = message.isSlow === true;
        if (other.phase === "streaming") this.#landed(other, message.durable);
        break;
      case "behind":
        this.#confirm(other, message.sentMs);
        if (other.phase !== "streaming") return;
        if (message.isOther || message.end.position < other.durable) this.#announce(other);
        else if (message.sentMs >= other.rewoundMs) {
          other.rewind(message.end, core.nowMs);
          this.pump(other);
        }
        break;
      case "held":
        this.#confirm(other, message.sentMs);
        break;
      case "halted":
        other.enter("halted", core.nowMs);
        break;
      case "not-yet":
      case "refused":
        break;
    }
  }

  /** Entries of the own log for one that lags. */
  entriesRead(read: number, result: ReadResult): void {
    const { core, others } = this.#state;
    const other = [...others.values()].find((each) => each.read === read);
    if (other === undefined) return;
    other.read = undefined;
    if (typeof result === "string") {
      // What is not sealed has to be in the log.
      const isMissing = other.sent.position >= this.#state.sealedThrough.position;
      if (result === "damaged" || isMissing) this.#events.damaged();
      other.needsReset = true;
      this.#match(other);
      return;
    }
    const entries = result.filter(({ position }) => position <= core.log.end.position);
    const [first] = entries;
    assert(first?.position === other.sent.position + 1, "entries are read from where was asked");
    this.#sendEntries(other, entries);
    this.pump(other);
  }

  /** Asks for a confirmation, unless one that was just asked for is still to come. */
  ask(other: Other): void {
    const { nowMs } = this.#state.core;
    if (other.phase === "streaming" && other.sentMs < nowMs) this.#sendEntries(other, []);
  }

  tick(): void {
    const { nowMs } = this.#state.core;
    for (const other of this.#state.others.values()) {
      switch (other.phase) {
        case "silent":
        case "announced":
          if (nowMs >= other.phaseSinceMs + repeatMs) this.#announce(other);
          break;
        case "matching":
        case "resetting":
          if (nowMs >= other.phaseSinceMs + matchRepeatMs) this.#announce(other);
          break;
        case "streaming":
          if (nowMs >= other.heardMs + unheardMs) this.#announce(other);
          else if (nowMs >= other.sentMs + heartbeatMs) this.#sendEntries(other, []);
          break;
        case "halted":
          if (nowMs >= other.phaseSinceMs + haltedRepeatMs) this.#announce(other);
          break;
        case "promised":
        case "unfit":
          // Waits for the owner, or for the set to change.
          break;
      }
    }
  }

  /** Sends what it lacks, as far as its window goes. */
  pump(other: Other): void {
    const { core } = this.#state;
    const { log } = core;
    while (other.phase === "streaming" && other.read === undefined) {
      const next = other.sent.position + 1;
      if (next > log.end.position || other.inFlightBytes >= windowBytesMax) return;
      const first = this.#tail[0];
      if (first !== undefined && first.position <= next) {
        this.#sendEntries(other, this.#tailFrom(next - first.position));
      } else {
        // What is still on its way to the own disk cannot be read; it is asked for when it is there.
        if (next > log.durable) return;
        this.#read++;
        other.read = this.#read;
        core.emit({ kind: "read", read: this.#read, from: next, bytesMax: messageBytesMax });
        return;
      }
    }
  }

  /**
   * When it was heard last, as far as is known. The owner before has lost its session: its silence counts from when it
   * fell silent, so that a link that nobody has found dead yet costs no time.
   */
  #heardMs(replica: string, isLinked: boolean): number {
    const { core, previous } = this.#state;
    const { nowMs, ownerHeard, unlinkedSinceMs } = core;
    if (!isLinked) return unlinkedSinceMs.get(replica) ?? nowMs;
    const isPrevious = replica === previous && replica === ownerHeard?.replica;
    return isPrevious ? ownerHeard.ms : nowMs;
  }

  #tailFrom(index: number): Entry[] {
    const entries: Entry[] = [];
    let bytes = 0;
    const end = Math.min(this.#tail.length, index + messageEntriesMax);
    for (let at = index; at < end; at++) {
      const entry = this.#tail[at]!;
      if (entries.length > 0 && bytes + entry.bytes > messageBytesMax) break;
      bytes += entry.bytes;
      entries.push(entry);
    }
    return entries;
  }

  #sendEntries(other: Other, entries: readonly Entry[]): void {
    const { core, epoch, sealedRevision, sealedThrough } = this.#state;
    const { nowMs } = core;
    const last = entries.at(-1);
    core.send(other.replica, {
      ...{ kind: "append", epoch, previous: other.sent, entries, committed: core.log.committed },
      ...{ sealedThrough, sealedRevision, sentMs: nowMs },
    });
    other.sentMs = nowMs;
    if (last === undefined) return;
    const bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0);
    other.flies({ epoch: last.epoch, position: last.position }, bytes, nowMs);
  }

  #announce(other: Other): void {
    const { core, epoch } = this.#state;
    if (!core.links.has(other.replica)) {
      other.enter("silent", core.nowMs);
      return;
    }
    other.enter("announced", core.nowMs);
    other.sentMs = core.nowMs;
    const sentMs = core.nowMs;
    core.send(other.replica, { kind: "announce", epoch, owner: core.self, sentMs });
  }

  /** "Taking the shard over", 5: to the end of the largest epoch both have, or from a new base. */
  #match(other: Other): void {
    const { core, epoch, sealedThrough, version } = this.#state;
    const { log, nowMs } = core;
    const { promised } = other;
    assert(promised !== undefined, "a log is compared when it is known");
    const isMember = this.#state.isWaitedFor(other.replica);
    const to = commonPoint(log, promised);
    other.needsReset ||= this.#isBeyondMatching(other, promised, to, isMember);
    if (!other.needsReset) {
      other.enter("matching", nowMs);
      core.send(other.replica, { kind: "match", epoch, to, sentMs: nowMs });
      return;
    }
    if (isMember) {
      other.enter("unfit", nowMs);
      return;
    }
    this.#state.inSync.step({ kind: "emptied", member: other.replica });
    other.durable = 0;
    other.enter("resetting", nowMs);
    core.send(other.replica, {
      ...{ kind: "reset", epoch, base: sealedThrough, version, sentMs: nowMs },
      lineage: lineageThrough(log.lineage, sealedThrough.position),
    });
  }

  #isBeyondMatching(
    other: Other,
    promised: Promised,
    { epoch, position: common }: LogPoint,
    isMember: boolean,
  ): boolean {
    const { core, sealedThrough } = this.#state;
    const { committed, end, isDamaged } = promised;
    // A person has given up, since its log parted from ours, what it knew to be committed.
    const isGivenUp = !isMember && epoch < (core.facts?.lossEpoch ?? 0);
    if (isGivenUp && common < committed) return true;
    // It confirmed more than it has: its disk has lost something.
    if (isDamaged || end.position < other.durable) return true;
    const isLineageCut = core.log.lineage.length === lineageStepsMax;
    if (common === 0 && end.position > 0 && isLineageCut) return true;
    return !isMember && end.position === 0 && sealedThrough.position > 0;
  }

  #landed(other: Other, durable: number): void {
    const before = other.durable;
    other.landed(durable, this.#state.core.nowMs);
    if (other.durable > before) this.#events.durable(other, other.durable);
    this.pump(other);
  }

  #confirm(other: Other, sentMs: number): void {
    other.confirmedMs = Math.max(other.confirmedMs, sentMs);
  }
}
