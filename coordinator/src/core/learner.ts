import type { Outbox, ZabState } from "./effects.ts";
import { canStay, type Ensemble, type Ensembles } from "./ensemble.ts";
import { type Epochs, mayPromise } from "./epochs.ts";
import { heldBytesMax, heldMessagesMax, type Timing, unappliedBytesMax } from "./limits.ts";
import type { LogTail } from "./log-tail.ts";
import type { LeaderMessage, LearnerMessage, LinkId, Message } from "./messages.ts";
import type { Proposal } from "./proposals.ts";
import type { PeerId } from "./vote.ts";
import { zxidEpoch, zxidOf } from "./zxid.ts";

/** What a peer has in whatever phase it is. */
export interface Own<B> {
  readonly self: PeerId;
  readonly ensembles: Ensembles;
  readonly log: LogTail<B>;
  readonly sizeOf: (body: B) => number;
  readonly epochs: Epochs;
  readonly timing: Timing;
}

type Stage =
  | "connecting"
  | "discovering"
  /** The epoch's promise is on its way to the disk. */
  | "promising"
  /** Waits for how to synchronise. */
  | "promised"
  /** A snapshot came; it is installed once the leader has said which ensemble its history ends with. */
  | "offered"
  /** The log is being cut, or a snapshot installed. */
  | "replacing"
  /** Takes txns in. */
  | "receiving";

const zabStates: Readonly<Record<Stage, ZabState>> = {
  connecting: "discovery",
  discovering: "discovery",
  promising: "discovery",
  promised: "synchronization",
  offered: "synchronization",
  replacing: "synchronization",
  receiving: "synchronization",
};

/**
 * A follower or an observer of one leader: it promises the epoch, takes over the leader's history, then
 * its txns. Of what it says nothing runs ahead of its disk.
 */
export class Learner<B, R> {
  readonly leader: PeerId;
  readonly #own: Own<B>;
  readonly #claimsNothing: boolean;
  readonly #isFirstStart: boolean;
  readonly #isObserver: boolean;
  #link: LinkId | undefined;
  #stage: Stage = "connecting";
  #epoch = 0;
  #isRefused = false;
  #silentTicks = 0;
  /** How far the log must be on disk before this leader's epoch is current. */
  #historyEnd: number | undefined;
  #isEpochAsked = false;
  #isAcknowledged = false;
  #ackedThrough = 0;
  #isServing = false;
  #isOver = false;
  #cannotTruncate = false;
  #held: LeaderMessage<B>[] = [];
  #heldBytes = 0;
  /** The snapshot that is offered. */
  #offeredZxid = 0;
  #touched = new Map<bigint, number>();
  /** What the leader says is in force once this peer serves. */
  #ensemble: Ensemble | undefined;
  /** Whether the change that is seen is a txn of the log. */
  #isSeenLogged: "yes" | "no" | "unknown";
  #successor: PeerId | undefined;

  /** Who `claimsNothing` gets a snapshot, whatever it has; at a first start nobody has any history. */
  constructor(
    own: Own<B>,
    leader: PeerId,
    {
      claimsNothing,
      isFirstStart,
    }: { readonly claimsNothing: boolean; readonly isFirstStart: boolean },
  ) {
    this.#own = own;
    this.leader = leader;
    this.#claimsNothing = claimsNothing;
    this.#isFirstStart = isFirstStart;
    this.#isObserver = own.ensembles.isObserver(own.self);
    const { version } = own.ensembles.seen;
    const isOlder = version < own.log.base;
    this.#isSeenLogged = own.log.has(version) ? "yes" : isOlder ? "unknown" : "no";
  }

  /** The epoch it serves in, once it does. */
  get epochServed(): number | undefined {
    return this.#isServing ? this.#epoch : undefined;
  }

  get zabState(): ZabState {
    return this.#isServing ? "broadcast" : zabStates[this.#stage];
  }

  /** This leader is given up. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** The log is in no state to be spoken of until the disk has done what was asked. */
  get isReplacing(): boolean {
    return this.#stage === "replacing";
  }

  /** The leader wanted the log cut where a snapshot lies. */
  get cannotTruncate(): boolean {
    return this.#cannotTruncate;
  }

  /** Who leads next, by a change of the ensemble. */
  get successor(): PeerId | undefined {
    return this.#successor;
  }

  begin(out: Outbox<B, R>): void {
    out.connect = this.leader;
  }

  linkUp(link: LinkId, out: Outbox<B, R>): void {
    if (this.#stage !== "connecting" || this.#link !== undefined) {
      out.close.push(link);
      return;
    }
    this.#link = link;
    this.#stage = "discovering";
    const { self: peer, epochs, ensembles } = this.#own;
    const acceptedEpoch = Math.max(epochs.promised, zxidEpoch(this.#own.log.last));
    const ensembleVersion = ensembles.active.version;
    const isObserver = this.#isObserver;
    this.#say(out, { kind: "learnerInfo", peer, isObserver, acceptedEpoch, ensembleVersion });
  }

  linkDown(link: LinkId): void {
    if (link !== this.#link) return;
    if (this.#stage !== "discovering") this.#isOver = true;
    else {
      // Turned away by who does not lead yet.
      this.#stage = "connecting";
      this.#link = undefined;
      this.#isRefused = true;
    }
  }

  linkRefused(): void {
    this.#isRefused = true;
  }

  /** Gives up a silent leader; asks again for a link that was refused. */
  tick(out: Outbox<B, R>): void {
    const { connectTicks, initLimitTicks, syncLimitTicks } = this.#own.timing;
    this.#silentTicks++;
    const linkedTicks = this.#isServing ? syncLimitTicks : initLimitTicks;
    const limit = this.#stage === "connecting" ? connectTicks : linkedTicks;
    if (this.#silentTicks > limit) this.#isOver = true;
    else if (this.#isRefused && this.#stage === "connecting") {
      this.#isRefused = false;
      out.connect = this.leader;
    }
  }

  close(out: Outbox<B, R>): void {
    if (this.#link !== undefined) out.close.push(this.#link);
    this.#isOver = true;
  }

  hear(link: LinkId, message: Message<B, R>, out: Outbox<B, R>): void {
    if (link !== this.#link || this.#isOver) return;
    this.#silentTicks = 0;
    if (this.#stage === "replacing" || this.#stage === "offered") {
      this.#hold(message as LeaderMessage<B>);
      if (this.#stage === "offered" && !this.#isOver) this.#offered(message, out);
      return;
    }
    this.#take(message, out);
  }

  /** The log was cut, or a snapshot installed: what came meanwhile is taken now. */
  replaced(out: Outbox<B, R>): void {
    if (this.#stage !== "replacing") return;
    const { log, ensembles } = this.#own;
    // A snapshot does not say which changes it holds, a log that was cut does.
    if (!log.has(ensembles.seen.version)) this.#isSeenLogged = "no";
    if (ensembles.isChanging && ensembles.seen.version > log.last) {
      ensembles.see(ensembles.active, out);
    }
    this.#stage = "receiving";
    const held = this.#held;
    this.#held = [];
    for (const message of held) if (!this.#isOver) this.#take(message, out);
  }

  /** An epoch file is on disk. */
  epochWritten(out: Outbox<B, R>): void {
    if (this.#isOver) return;
    const { epochs } = this.#own;
    if (this.#stage === "promising" && epochs.accepted >= this.#epoch) {
      this.#ackEpoch(epochs.current, out);
    }
    this.#finishHistory(out);
  }

  /** More of the log is on disk. */
  written(out: Outbox<B, R>): void {
    if (this.#isOver) return;
    this.#finishHistory(out);
    this.#ack(out);
  }

  request(request: R, out: Outbox<B, R>): void {
    this.#say(out, { kind: "request", request });
  }

  touch(sessionId: bigint, timeoutMs: number): void {
    this.#touched.set(sessionId, timeoutMs);
  }

  revalidate(sessionId: bigint, timeoutMs: number, out: Outbox<B, R>): void {
    this.#say(out, { kind: "revalidate", sessionId, timeoutMs });
  }

  sync(tag: number, out: Outbox<B, R>): void {
    this.#say(out, { kind: "sync", tag });
  }

  #hold(message: LeaderMessage<B>): void {
    this.#held.push(message);
    if (message.kind === "proposal" || message.kind === "inform") {
      for (const { body } of message.proposals) this.#heldBytes += this.#own.sizeOf(body);
    }
    if (this.#held.length > heldMessagesMax || this.#heldBytes > heldBytesMax) this.#isOver = true;
  }

  #take(message: Message<B, R>, out: Outbox<B, R>): void {
    switch (message.kind) {
      case "leaderInfo":
        this.#leaderInfo(message.epoch, out);
        return;
      case "diff":
      case "trunc":
      case "snap":
        this.#synchronise(message, out);
        return;
      case "proposal":
      case "inform":
        this.#append(message.proposals, message.kind === "inform", out);
        if (message.kind === "inform") this.#follow(message.leader, out);
        return;
      case "commit":
        this.#commit(message.zxid, out);
        this.#follow(message.leader, out);
        return;
      case "newLeader":
        this.#newLeader(message.epoch, message.ensemble, out);
        return;
      case "upToDate":
        this.#upToDate(out);
        return;
      case "ping":
        this.#pong(message.round, out);
        return;
      case "revalidated":
      case "synced":
        out.events.push(message);
        return;
      default:
        // What a learner says is not for a learner.
        this.#isOver = true;
    }
  }

  #leaderInfo(epoch: number, out: Outbox<B, R>): void {
    const { epochs, log, ensembles, self } = this.#own;
    // No quorum counts the promise of who does not vote, so it is held to the histories it has had only.
    const bound = ensembles.quorums.has(self) ? epochs.promised : epochs.current;
    if (this.#stage !== "discovering" || epoch < bound) {
      this.#isOver = true;
      return;
    }
    this.#epoch = epoch;
    const isCounted = mayPromise(epochs, log.last, epoch, this.#isFirstStart);
    if (isCounted && epoch > epochs.promised) {
      this.#stage = "promising";
      out.epochWrite = epochs.promise(epoch);
    } else this.#ackEpoch(undefined, out);
  }

  #ackEpoch(currentEpoch: number | undefined, out: Outbox<B, R>): void {
    this.#stage = "promised";
    const zxidLast = this.#claimsNothing ? 0 : this.#own.log.last;
    this.#say(out, { kind: "ackEpoch", currentEpoch, zxidLast });
  }

  #synchronise(
    message: LeaderMessage<B> & { readonly kind: "diff" | "trunc" | "snap" },
    out: Outbox<B, R>,
  ): void {
    const { log } = this.#own;
    if (this.#stage !== "promised") {
      this.#isOver = true;
      return;
    }
    if (message.kind === "diff") {
      this.#stage = "receiving";
      return;
    }
    if (message.kind === "trunc" && (message.zxid < log.floor || message.zxid > log.last)) {
      this.#cannotTruncate = true;
      this.#isOver = true;
      return;
    }
    if (message.kind === "snap") {
      this.#stage = "offered";
      this.#offeredZxid = message.zxid;
      return;
    }
    this.#stage = "replacing";
    out.truncate = message.zxid;
  }

  /** A snapshot does not say which change of the ensemble it holds, and no peer is to have one that it does not know of. */
  #offered(message: Message<B, R>, out: Outbox<B, R>): void {
    // The host keeps one snapshot: another would take the place of the one that is offered.
    if (message.kind === "snap") this.#isOver = true;
    if (message.kind !== "newLeader") return;
    const { ensembles } = this.#own;
    const { ensemble } = message;
    if (ensemble !== undefined && ensemble.version > ensembles.seen.version) {
      ensembles.see(ensemble, out);
    }
    this.#stage = "replacing";
    out.install = this.#offeredZxid;
  }

  #append(proposals: readonly Proposal<B>[], isCommitted: boolean, out: Outbox<B, R>): void {
    const { log } = this.#own;
    const added: Proposal<B>[] = [];
    for (const proposal of proposals) {
      // A gap would become a hole in the history of everyone this peer leads later.
      if (this.#stage !== "receiving" || !log.isNext(proposal.zxid)) {
        this.#isOver = true;
        break;
      }
      if (proposal.ensemble !== undefined) this.#see(proposal.ensemble, out);
      log.append(proposal);
      added.push(proposal);
    }
    if (added.length === 0) return;
    out.append = [...out.append, ...added];
    if (log.unappliedBytes > unappliedBytesMax) this.#isOver = true;
    if (isCommitted) out.commit = [...out.commit, ...log.take(log.last)];
  }

  #commit(zxid: number, out: Outbox<B, R>): void {
    const { log } = this.#own;
    if (this.#stage !== "receiving" || zxid > log.last) {
      this.#isOver = true;
      return;
    }
    out.commit = [...out.commit, ...log.take(zxid)];
  }

  /** A change comes as a txn: the one before it, if it is in the log, is committed. */
  #see(ensemble: Ensemble, out: Outbox<B, R>): void {
    const { ensembles } = this.#own;
    if (ensembles.isChanging && this.#isSeenLogged === "yes") {
      ensembles.activate(ensembles.seen, out);
    }
    ensembles.see(ensemble, out);
    this.#isSeenLogged = "yes";
  }

  /** A change is committed that the leader names its successor with. */
  #follow(leader: PeerId | undefined, out: Outbox<B, R>): void {
    const { ensembles, log } = this.#own;
    if (leader === undefined || this.#isOver) return;
    if (!ensembles.isChanging || ensembles.seen.version > log.applied) return;
    if (this.#isSeenLogged === "yes") ensembles.activate(ensembles.seen, out);
    if (this.#isServing && (leader !== this.leader || this.#hasOtherRole)) this.#leave(leader);
  }

  get #hasOtherRole(): boolean {
    const { ensembles, self } = this.#own;
    return ensembles.isObserver(self) !== this.#isObserver;
  }

  #leave(successor: PeerId | undefined): void {
    this.#successor = successor;
    this.#isOver = true;
  }

  #newLeader(epoch: number, ensemble: Ensemble | undefined, out: Outbox<B, R>): void {
    if (this.#stage !== "receiving" || epoch !== this.#epoch || this.#historyEnd !== undefined) {
      this.#isOver = true;
      return;
    }
    this.#historyEnd = this.#own.log.last;
    if (ensemble !== undefined) this.#takeOver(ensemble, out);
    this.#finishHistory(out);
  }

  /**
   * With the history comes the ensemble that it ends with. A change that this peer has seen and that is older was given
   * up, unless it is a txn of the history: then it is still on its way.
   */
  #takeOver(ensemble: Ensemble, out: Outbox<B, R>): void {
    const { ensembles } = this.#own;
    const isNewer = ensemble.version > ensembles.seen.version;
    if (isNewer) this.#see(ensemble, out);
    else if (ensemble.version === ensembles.seen.version) this.#isSeenLogged = "yes";
    else if (ensembles.isChanging && this.#isSeenLogged === "no") ensembles.see(ensemble, out);
    this.#ensemble = ensemble;
  }

  /** First the txns are on disk, then the epoch, then the leader hears of it. */
  #finishHistory(out: Outbox<B, R>): void {
    const { log, epochs } = this.#own;
    if (this.#historyEnd === undefined || this.#isAcknowledged) return;
    if (log.durable < this.#historyEnd) return;
    if (epochs.current < this.#epoch) {
      if (this.#isEpochAsked || epochs.accepted < this.#epoch) {
        // Who remembered nothing promises now that it has a history.
        if (epochs.promised < this.#epoch) out.epochWrite = epochs.promise(this.#epoch);
        return;
      }
      this.#isEpochAsked = true;
      out.epochWrite = { file: "currentEpoch", epoch: this.#epoch };
      return;
    }
    this.#isAcknowledged = true;
    // What this epoch's leader proposed meanwhile is not acknowledged by that.
    this.#ackedThrough = zxidOf(this.#epoch, 0);
    this.#say(out, { kind: "ackNewLeader", epoch: this.#epoch });
    this.#ack(out);
  }

  #ack(out: Outbox<B, R>): void {
    const { log } = this.#own;
    const isObserver = this.#isObserver;
    if (!this.#isAcknowledged || isObserver || log.durable <= this.#ackedThrough) return;
    this.#ackedThrough = log.durable;
    this.#say(out, { kind: "ack", zxid: log.durable });
  }

  #upToDate(out: Outbox<B, R>): void {
    if (!this.#isAcknowledged) {
      this.#isOver = true;
      return;
    }
    if (!this.#activate(out)) return;
    this.#isServing = true;
    const kind = this.#isObserver ? "observing" : "following";
    out.role = { kind, epoch: this.#epoch, leader: this.leader };
  }

  /** Returns false when this peer is led otherwise in the ensemble that is in force now. */
  #activate(out: Outbox<B, R>): boolean {
    const { ensembles, log } = this.#own;
    const { active } = ensembles;
    const ensemble = this.#ensemble;
    // A leader of ZooKeeper's names a change here that it has not committed yet.
    const isPending =
      ensemble !== undefined && ensemble.version > log.applied && log.has(ensemble.version);
    const before =
      isPending || ensemble === undefined ? undefined : ensembles.activate(ensemble, out);
    if (before !== undefined && !canStay(this.leader, active, ensembles.active)) {
      this.#leave(undefined);
    } else if (this.#hasOtherRole) this.#leave(this.leader);
    return !this.#isOver;
  }

  #pong(round: number, out: Outbox<B, R>): void {
    const touched = [...this.#touched].map(([sessionId, timeoutMs]) => ({ sessionId, timeoutMs }));
    this.#touched.clear();
    this.#say(out, { kind: "pong", round, touched });
  }

  #say(out: Outbox<B, R>, message: LearnerMessage<R>): void {
    if (this.#link !== undefined) out.send.push({ to: this.#link, message });
  }
}
