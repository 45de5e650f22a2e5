import { type Core, replicaOf } from "./core.ts";
import { FollowedSegments } from "./followed-segments.ts";
import { committedPersistMs } from "./limits.ts";
import { logStart } from "./lineage.ts";
import type { FollowerMessage, OwnerMessage } from "./messages.ts";

type Of<K extends OwnerMessage["kind"]> = Extract<OwnerMessage, { readonly kind: K }>;

/** The owner that is followed, or asks to be. */
interface Followed {
  readonly epoch: number;
  /** `nodeId/diskId/incarnation`. */
  readonly owner: string;
  readonly replica: string;
  readonly link: number;
  /**
   * unread: the znode has to be read first · promising: the promise or the log is on its way to disk · promised ·
   * matching: the log is being cut or emptied · following.
   */
  phase: "unread" | "promising" | "promised" | "matching" | "following";
  /** The latest message's: what an answer confirms. */
  sentMs: number;
  /** Waits for the znode to show that this replica is not of the set. */
  reset: Of<"reset"> | undefined;
}

/** A replica under its owner: promises, makes its log equal, takes entries, holds copies of segments. */
export class Follower {
  readonly #core: Core;
  readonly #halt: (reason: string) => void;
  readonly #following: () => void;
  readonly #segments: FollowedSegments;
  #followed: Followed | undefined;
  #heardMs = Number.NEGATIVE_INFINITY;
  /** When entries came last. */
  #appendedMs = 0;

  /** `following` is called before another owner is followed: whatever this replica was to its shard is over. */
  constructor(core: Core, halt: (reason: string) => void, following: () => void) {
    this.#core = core;
    this.#halt = halt;
    this.#following = following;
    this.#segments = new FollowedSegments(core, (message) => this.#answer(message));
  }

  /** When something of the owner came last. */
  get heardMs(): number {
    return this.#heardMs;
  }

  /** Something of it waits for its time. */
  get isBusy(): boolean {
    return this.#segments.isWaiting || this.#core.log.hasCommittedToNote;
  }

  /** While this replica takes the shard over or owns it, only an announcement can be of interest. */
  take(from: string, link: number, message: OwnerMessage): void {
    if (message.kind === "announce") {
      this.#announced(from, link, message);
      return;
    }
    const { epoch } = message;
    const { faults, log } = this.#core;
    if (epoch < log.promised && faults.has("older-epoch-accepted")) {
      this.#followAnyone(from, link, message);
    }
    const followed = this.#followed;
    const isHis = followed?.link === link && followed.replica === from && followed.epoch === epoch;
    const isOlder = epoch < log.promised && !faults.has("older-epoch-accepted");
    if (!isHis || isOlder) {
      // A promise of its own may have gone beyond the epoch that is followed.
      if (isOlder) this.#refuse(from, epoch);
      return;
    }
    this.#heardMs = this.#core.nowMs;
    followed.sentMs = Math.max(followed.sentMs, message.sentMs);
    switch (message.kind) {
      case "match":
        this.#match(followed, message);
        break;
      case "reset":
        this.#reset(followed, message);
        break;
      case "append":
        this.#append(followed, message);
        break;
      case "hold":
        if (followed.phase === "following" || followed.phase === "matching") {
          this.#segments.hold(followed.replica, message);
        }
        break;
    }
  }

  linked(replica: string): void {
    if (this.#followed?.replica === replica) this.#followed = undefined;
  }

  /** Another reading of the znodes is known. */
  read(): void {
    const followed = this.#followed;
    if (followed?.phase === "unread") this.#judge(followed);
    else if (followed?.reset !== undefined) this.#reset(followed, followed.reset);
  }

  /** Something that was asked of the disk is done; `isWritten`: of the log. */
  progress(isWritten: boolean): void {
    const followed = this.#followed;
    const { log } = this.#core;
    if (followed === undefined) return;
    if (followed.phase === "promising") {
      this.#promised(followed);
    } else if (followed.phase === "matching") {
      if (!log.isDrained || !log.isNoted) return;
      followed.phase = "following";
      this.#matched(followed);
    } else if (followed.phase === "following" && isWritten) {
      if (!this.#core.faults.has("acknowledged-before-fsync")) this.#acknowledge(followed);
    }
  }

  segmentsHeld(revision: number): void {
    this.#segments.held(revision);
  }

  segmentsFailed(revision: number): void {
    this.#segments.failed(revision);
  }

  tick(): void {
    const { log, nowMs } = this.#core;
    this.#segments.tick();
    // Entries say what is committed before them: only what the last ones were told afterwards is worth a write.
    if (log.hasCommittedToNote && nowMs >= this.#appendedMs + committedPersistMs) log.note();
  }

  /** It owns the shard now, or stops: nobody is followed. */
  leave(): void {
    this.#followed = undefined;
    this.#segments.leave();
  }

  /** Nobody counts on what it has: it is empty from now on, as a new replica that promises what this one did. */
  letGo(): void {
    const { facts, log, replica } = this.#core;
    const isNamed = facts?.replicas.includes(replica) === true || facts?.inSync.includes(replica);
    if (this.#followed !== undefined || facts === undefined || isNamed === true) return;
    this.#segments.leave();
    log.reset(logStart, [], true);
    this.#core.isDamaged = false;
  }

  /** Damage was found in what it has: its owner is to ask for it anew. */
  damaged(): void {
    const followed = this.#followed;
    if (followed?.phase !== "following") return;
    const { epoch, sentMs } = followed;
    this.#answer({ kind: "behind", epoch, end: this.#core.log.end, isOther: true, sentMs });
  }

  /** The disk is full or slow, or is not any more: the owner goes by it when it gives the shard away. */
  strained(): void {
    if (this.#followed?.phase === "following") this.#acknowledge(this.#followed);
  }

  /** Stops, and says so. */
  halt(reason: string): void {
    const followed = this.#followed;
    if (followed !== undefined) this.#answer({ kind: "halted", epoch: followed.epoch, reason });
    this.leave();
  }

  #announced(from: string, link: number, { epoch, owner, sentMs }: Of<"announce">): void {
    if (replicaOf(owner) !== from) return;
    const known = this.#followed;
    if (known?.epoch === epoch && known.link === link && known.owner === owner) {
      this.#heardMs = this.#core.nowMs;
      known.sentMs = Math.max(known.sentMs, sentMs);
      // Asked again: the answer is on its way, unless an answer of ours or his next step was lost.
      if (known.phase === "promised" || known.phase === "following") known.phase = "promising";
      if (known.phase === "promising") this.#promised(known);
      else if (known.phase === "unread") this.#judge(known);
      return;
    }
    const isOlderTaken = this.#core.faults.has("older-epoch-accepted");
    if (epoch < this.#core.log.promised && !isOlderTaken) {
      this.#refuse(from, epoch);
      return;
    }
    if (known !== undefined && known.epoch > epoch && !isOlderTaken) return;
    const phase = "unread";
    const followed: Followed = {
      ...{ epoch, owner, replica: from, link, phase, sentMs, reset: undefined },
    };
    this.#judge(followed);
  }

  /**
   * "The in-sync set": refuses an epoch whose owner the znode does not name; with an older reading says "not yet"
   * and reads again.
   */
  #judge(followed: Followed): void {
    const { faults, facts, log, looks } = this.#core;
    const { epoch, owner, replica } = followed;
    const isOlderTaken = faults.has("older-epoch-accepted");
    const isNamed = facts?.epoch === epoch && facts.owner === owner;
    if (!isOlderTaken && !isNamed) {
      if (facts !== undefined && facts.epoch >= epoch) {
        if (this.#followed === followed) this.#followed = undefined;
        this.#refuse(replica, epoch);
        return;
      }
      if (this.#followed !== followed || !looks.isWanted) looks.want();
      this.#followed = followed;
      this.#answer({ kind: "not-yet", epoch, sentMs: followed.sentMs });
      return;
    }
    if (epoch < log.promised && !isOlderTaken) {
      if (this.#followed === followed) this.#followed = undefined;
      this.#refuse(replica, epoch);
      return;
    }
    this.#following();
    this.#followed = followed;
    this.#heardMs = this.#core.nowMs;
    this.#segments.leave();
    followed.phase = "promising";
    if (epoch > log.promised) log.promise(epoch);
    this.#core.role = { kind: "follower", owner, epoch };
    this.#promised(followed);
  }

  /** Answers when the promise is on disk, and with it all that came of owners before. */
  #promised(followed: Followed): void {
    const { isDamaged, isSlow, isStrained, log, self } = this.#core;
    if (log.promisedDurable < followed.epoch || !log.isDrained) return;
    followed.phase = "promised";
    this.#answer({
      ...{ kind: "promised", epoch: followed.epoch, incarnation: self, isDamaged },
      ...{ lineage: log.lineage, end: log.end, committed: log.committed, isStrained, isSlow },
      sentMs: followed.sentMs,
    });
  }

  /** "Taking the shard over", 5. */
  #match(followed: Followed, { to }: Of<"match">): void {
    const { faults, log } = this.#core;
    if (followed.phase !== "promised") return;
    const { end } = log;
    if (to.position > end.position || log.pointAt(to.position).epoch !== to.epoch) return;
    if (to.position < end.position && !faults.has("no-truncation-on-return")) {
      if (to.position < log.committed) {
        this.#halt(`asked to cut the log at ${to.position}, below the committed ${log.committed}`);
        return;
      }
      log.truncate(to, !faults.has("dedupe-kept-after-truncation"));
    }
    followed.phase = "matching";
    this.progress(false);
  }

  /** Empties the log, once the znode shows that nobody counts on it. */
  #reset(followed: Followed, message: Of<"reset">): void {
    const { facts, faults, log, looks, replica } = this.#core;
    if (followed.phase !== "promised") return;
    followed.reset = message;
    if (facts === undefined || facts.version < message.version) {
      if (!looks.isWanted) looks.want();
      return;
    }
    followed.reset = undefined;
    // It was taken in again since: then this is of the past.
    if (facts.inSync.includes(replica)) return;
    followed.phase = "matching";
    // What it holds may be what is damaged: the owner names all of it again.
    this.#segments.leave();
    log.reset(message.base, message.lineage, !faults.has("dedupe-kept-after-truncation"));
    this.#core.isDamaged = false;
  }

  #append(followed: Followed, message: Of<"append">): void {
    const { faults, log } = this.#core;
    const { epoch } = message;
    if (followed.phase !== "following") return;
    const { previous, sentMs } = message;
    if (previous.position > log.end.position) {
      this.#answer({ kind: "behind", epoch, end: log.end, isOther: false, sentMs });
      return;
    }
    if (log.pointAt(previous.position).epoch !== previous.epoch && previous.position > 0) {
      this.#answer({ kind: "behind", epoch, end: log.end, isOther: true, sentMs });
      return;
    }
    // What is there already came from this owner: it was sent again.
    const entries = message.entries.filter(({ position }) => position > log.end.position);
    if (entries.length > 0) {
      log.append(entries, false);
      this.#appendedMs = this.#core.nowMs;
    }
    const isEarly = faults.has("acknowledged-before-fsync");
    if (entries.length === 0 || isEarly) this.#acknowledge(followed);
    this.#noteCommitted(message.committed);
    this.#segments.sealed(message.sealedThrough, message.sealedRevision);
  }

  #acknowledge({ epoch, sentMs }: Followed): void {
    const { faults, isSlow, isStrained, log } = this.#core;
    if (epoch < log.promised && !faults.has("older-epoch-accepted")) return;
    const isEarly = faults.has("acknowledged-before-fsync");
    const durable = isEarly ? log.end.position : log.durable;
    this.#answer({ kind: "ack", epoch, durable, sentMs, isStrained, isSlow });
  }

  #matched({ epoch, sentMs }: Followed): void {
    this.#answer({ kind: "matched", epoch, end: this.#core.log.end, sentMs });
  }

  /** Only what is on this disk: its own record must never be above its log. */
  #noteCommitted(position: number): void {
    const { log } = this.#core;
    const known = Math.min(position, log.durable);
    if (log.commit(known)) this.#core.emit({ kind: "committed", position: known });
  }

  /** A planted fault. */
  #followAnyone(replica: string, link: number, { epoch, sentMs }: OwnerMessage): void {
    this.#following();
    const state = { sentMs, phase: "following", reset: undefined } as const;
    this.#followed = { ...state, epoch, link, replica, owner: `${replica}/older` };
  }

  #refuse(to: string, epoch: number): void {
    const { facts, log } = this.#core;
    const promised = Math.max(log.promised, facts?.epoch ?? 0);
    this.#core.send(to, { kind: "refused", epoch, promised });
  }

  #answer(message: FollowerMessage): void {
    const { faults, log } = this.#core;
    const followed = this.#followed;
    if (followed?.epoch !== message.epoch) return;
    // Any answer confirms the epoch: none goes out once a higher one is promised.
    if (message.epoch < log.promised && !faults.has("older-epoch-accepted")) return;
    this.#core.send(followed.replica, message);
  }
}
