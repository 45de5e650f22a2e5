import type { Outbox, ZabState } from "./effects.ts";
import type { Ensemble } from "./ensemble.ts";
import { mayPromise } from "./epochs.ts";
import { LeaderBroadcast } from "./leader-broadcast.ts";
import { LeaderLinks, type LearnerView, type Link } from "./leader-links.ts";
import type { Own } from "./learner.ts";
import { epochLeadMax, strangersMax } from "./limits.ts";
import type { LinkId, Message } from "./messages.ts";
import { syncMessages, syncPlan } from "./sync-plan.ts";
import type { PeerId } from "./vote.ts";
import type { Quorums } from "./voters.ts";
import { epochMax, zxidEpoch, zxidOf } from "./zxid.ts";

type Stage =
  /** Gathers a quorum, to choose an epoch above all theirs. */
  | "discovering"
  /** Gathers a quorum that promises the epoch. */
  | "promising"
  /** Gathers a quorum that has the leader's history on disk. */
  | "synchronising"
  | "broadcasting";

const zabStates: Readonly<Record<Stage, ZabState>> = {
  discovering: "discovery",
  promising: "discovery",
  synchronising: "synchronization",
  broadcasting: "broadcast",
};

/**
 * An elected leader: it has a quorum promise a new epoch and take over its history; then it
 * serves, and commits what a quorum has on disk.
 */
export class Leader<B, R> {
  readonly #own: Own<B>;
  readonly #isFirstStart: boolean;
  readonly #links = new LeaderLinks<B, R>();
  readonly #acceptedEpochs = new Map<PeerId, number>();
  readonly #promised = new Set<PeerId>();
  readonly #synced = new Set<PeerId>();
  #stage: Stage = "discovering";
  #epoch = 0;
  /** The last txn of the history that it was elected with. */
  #historyEnd = 0;
  #broadcast: LeaderBroadcast<B, R> | undefined;
  /** Voters that look in a later round than the one that elected this leader. */
  readonly #deserters = new Set<PeerId>();
  #ticks = 0;
  #handOverTicks = 0;
  #isEpochAsked = false;
  #resigning: "stop" | "look" | undefined;
  #mustNotLead = false;
  #isOver = false;

  /** `isFirstStart`: nobody in the ensemble has any history. */
  constructor(own: Own<B>, isFirstStart: boolean) {
    this.#own = own;
    this.#isFirstStart = isFirstStart;
  }

  /** The epoch it serves in, once it does. */
  get epochServed(): number | undefined {
    return this.#stage === "broadcasting" ? this.#epoch : undefined;
  }

  get zabState(): ZabState {
    return zabStates[this.#stage];
  }

  get learners(): readonly LearnerView[] {
    return this.#links.views();
  }

  /** Syncs of clients that wait for a quorum. */
  get pendingSyncs(): number {
    return this.#broadcast?.pendingSyncs ?? 0;
  }

  /** It leads no more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** It is over by its own will and takes no part in what follows. */
  get isStopped(): boolean {
    return this.#isOver && this.#resigning === "stop";
  }

  /** It remembers nothing, and others do: it is to back them. */
  get mustNotLead(): boolean {
    return this.#mustNotLead;
  }

  /** Who leads next, by a change of the ensemble. */
  get successor(): PeerId | undefined {
    return this.#broadcast?.successor;
  }

  get zxidNext(): number | undefined {
    if (this.#broadcast === undefined || this.#isResigning) return undefined;
    return this.#broadcast.isHandingOver ? undefined : this.#broadcast.last + 1;
  }

  get uncommitted(): number {
    return this.#broadcast?.uncommitted ?? 0;
  }

  get uncommittedBytes(): number {
    return this.#broadcast === undefined ? 0 : this.#own.log.unappliedBytes;
  }

  /** Whether a quorum of these has this leader's history, and is linked. */
  hasSynced(voters: Quorums): boolean {
    return this.#links.hasQuorum(this.#own.self, voters);
  }

  begin(out: Outbox<B, R>): void {
    const { epochs, log, self } = this.#own;
    // A snapshot may be all that is left of an epoch: its promise was still to be written, and none goes below it.
    this.#acceptedEpochs.set(self, Math.max(epochs.promised, zxidEpoch(log.last)));
    this.#chooseEpoch(out);
  }

  linkUp(link: LinkId, out: Outbox<B, R>): void {
    if (this.#links.isFull) out.close.push(link);
    else this.#links.add(link);
  }

  linkDown(id: LinkId): void {
    const link = this.#links.get(id);
    if (link !== undefined) this.#forget(link);
  }

  close(out: Outbox<B, R>): void {
    for (const { id } of this.#links.all()) out.close.push(id);
  }

  hear(from: LinkId, message: Message<B, R>, out: Outbox<B, R>): void {
    const link = this.#links.get(from);
    if (link === undefined) return;
    link.silentTicks = 0;
    switch (message.kind) {
      case "learnerInfo":
        this.#learnerInfo(link, message, out);
        return;
      case "ackEpoch":
        this.#ackEpoch(link, message, out);
        return;
      case "ackNewLeader":
        this.#ackNewLeader(link, message.epoch, out);
        return;
      case "ack":
        this.#ack(link, message.zxid, out);
        return;
      case "pong":
        link.pongRound = message.round;
        if (message.touched.length > 0) {
          out.events.push({ kind: "touched", touched: message.touched });
        }
        this.#broadcast?.ponged(out);
        return;
      case "request":
        out.events.push({ kind: "requested", link: from, request: message.request });
        return;
      case "revalidate": {
        const { sessionId, timeoutMs } = message;
        out.events.push({ kind: "revalidating", link: from, sessionId, timeoutMs });
        return;
      }
      case "sync":
        if (this.#broadcast?.sync(message.tag, from, out) === false) this.#drop(link, out);
        return;
      default:
        // What a leader says is not for a leader.
        this.#drop(link, out);
    }
  }

  tick(out: Outbox<B, R>): void {
    const { connectTicks, initLimitTicks, syncLimitTicks, pingTicks } = this.#own.timing;
    this.#ticks++;
    for (const link of this.#links.all()) {
      const limit = link.stage === "live" ? syncLimitTicks : initLimitTicks;
      if (++link.silentTicks > limit) this.#drop(link, out);
    }
    if (this.#broadcast === undefined) {
      // Who follows connects within that time, or votes anew.
      const isDeserted = this.#deserters.size > 0 && this.#ticks > connectTicks;
      // They may follow another, and say nothing here any more.
      const isAlone = this.#ticks > 2 * connectTicks;
      if ((isDeserted || isAlone) && !this.#hasLinked) this.#isOver = true;
      if (this.#ticks > initLimitTicks) this.#isOver = true;
      return;
    }
    // Its followers leave once they know of the new ensemble; until then it stays, so that they come to know.
    const isLate = this.#broadcast.isHandingOver && ++this.#handOverTicks > initLimitTicks;
    const isChecked = this.#broadcast.isHandingOver || this.#ticks % pingTicks === 0;
    if (isLate || (isChecked && !this.hasSynced(this.#quorums))) this.#isOver = true;
    else if (this.#ticks % pingTicks === 0) this.#broadcast.ping(out);
  }

  /** This peer looks in a later round: it was elected by what is no longer so. */
  deserted(peer: PeerId): void {
    if (this.#broadcast !== undefined) return;
    this.#deserters.add(peer);
    if (!this.#quorums.isQuorum((id) => !this.#deserters.has(id))) this.#isOver = true;
  }

  get #hasLinked(): boolean {
    const linked = new Set(this.#links.all().map(({ peer }) => peer));
    return this.#quorums.isQuorum((id) => id === this.#own.self || linked.has(id));
  }

  epochWritten(out: Outbox<B, R>): void {
    const { epochs, self } = this.#own;
    if (this.#stage === "promising" && !this.#promised.has(self)) {
      if (epochs.accepted < this.#epoch) return;
      this.#promised.add(self);
      for (const link of this.#links.all()) {
        if (link.stage === "informed") this.#leaderInfo(link, out);
      }
      this.#synchronise(out);
    }
    this.#finishHistory(out);
  }

  written(out: Outbox<B, R>): void {
    this.#finishHistory(out);
    this.#acked(this.#own.self, this.#own.log.durable, out);
  }

  propose(bodies: readonly B[], out: Outbox<B, R>): void {
    this.#broadcast?.propose(bodies, out);
  }

  proposeChange(body: B, ensemble: Ensemble, out: Outbox<B, R>): void {
    this.#broadcast?.proposeChange(body, ensemble, out);
  }

  revalidated(link: LinkId, sessionId: bigint, isValid: boolean, out: Outbox<B, R>): void {
    if (this.#links.get(link) === undefined) return;
    out.send.push({ to: link, message: { kind: "revalidated", sessionId, isValid } });
  }

  /** Answers once a quorum has confirmed that this is still the leader, and all proposed so far is committed. */
  sync(tag: number, out: Outbox<B, R>): void {
    this.#broadcast?.sync(tag, undefined, out);
  }

  resign(next: "stop" | "look"): void {
    this.#resigning = next;
    // What is uncommitted before it serves is nobody's request.
    if (this.uncommitted === 0) this.#isOver = true;
  }

  get #quorums(): Quorums {
    return this.#own.ensembles.quorums;
  }

  get #isResigning(): boolean {
    return this.#resigning !== undefined || this.#broadcast?.isFull === true;
  }

  #learnerInfo(
    link: Link,
    info: Message<B, R> & { readonly kind: "learnerInfo" },
    out: Outbox<B, R>,
  ): void {
    const { ensembles, epochs, log } = this.#own;
    const isLater = (info.ensembleVersion ?? 0) > ensembles.seen.version;
    const known = Math.max(epochs.promised, zxidEpoch(log.last));
    const isCredible = info.acceptedEpoch <= known + epochLeadMax;
    if (link.stage !== "new" || !isCredible || (ensembles.isDynamic && isLater)) {
      this.#drop(link, out);
      return;
    }
    for (const other of this.#links.all()) {
      if (other.peer === info.peer) this.#drop(other, out);
    }
    const isStranger = (id: PeerId) => !ensembles.isMember(id);
    if (isStranger(info.peer) && this.#links.count(isStranger) >= strangersMax) {
      this.#drop(link, out);
      return;
    }
    link.peer = info.peer;
    link.isObserver = info.isObserver;
    link.stage = "informed";
    this.#deserters.delete(info.peer);
    // One that observes as far as it knows may vote in the ensemble that this leader has seen; where ensembles are as
    // their members' settings say, it never acknowledges anything, and a leader with it alone would fall at once.
    const isVoter = this.#quorums.has(info.peer) && (ensembles.isDynamic || !info.isObserver);
    if (this.#stage === "discovering") {
      if (isVoter) this.#acceptedEpochs.set(info.peer, info.acceptedEpoch);
      this.#chooseEpoch(out);
    } else if (isVoter && info.acceptedEpoch > this.#epoch) {
      // It could never join this epoch, only a later one.
      this.#isOver = true;
    } else if (isVoter && info.acceptedEpoch === 0 && this.#isAlone) {
      // It may have forgotten that it promised a later epoch, and nobody else is known to be here still.
      this.#isOver = true;
    } else if (this.#promised.has(this.#own.self)) this.#leaderInfo(link, out);
  }

  get #isAlone(): boolean {
    return this.#stage === "broadcasting" && !this.hasSynced(this.#quorums);
  }

  #chooseEpoch(out: Outbox<B, R>): void {
    if (!this.#quorums.isQuorum((id) => this.#acceptedEpochs.has(id))) return;
    const { epochs, log } = this.#own;
    const epoch = Math.max(...this.#acceptedEpochs.values()) + 1;
    if (epoch > epochMax) {
      this.#isOver = true;
      return;
    }
    if (!mayPromise(epochs, log.last, epoch, this.#isFirstStart)) {
      this.#mustNotLead = true;
      this.#isOver = true;
      return;
    }
    this.#epoch = epoch;
    this.#stage = "promising";
    out.epochWrite = epochs.promise(epoch);
  }

  #leaderInfo(link: Link, out: Outbox<B, R>): void {
    link.stage = "promising";
    out.send.push({ to: link.id, message: { kind: "leaderInfo", epoch: this.#epoch } });
  }

  #ackEpoch(
    link: Link,
    ack: Message<B, R> & { readonly kind: "ackEpoch" },
    out: Outbox<B, R>,
  ): void {
    if (link.stage !== "promising") {
      this.#drop(link, out);
      return;
    }
    link.stage = "promised";
    link.zxidLast = ack.zxidLast;
    if (this.#stage !== "promising") {
      this.#broadcast?.returned(link.peer);
      this.#synchroniseLink(link, out);
      return;
    }
    if (ack.currentEpoch === undefined) return;
    const { epochs, log } = this.#own;
    const isAhead =
      ack.currentEpoch === epochs.current
        ? ack.zxidLast > log.last
        : ack.currentEpoch > epochs.current;
    if (isAhead && this.#quorums.canLead(link.peer)) {
      // Its history may hold what was committed and is not here; without weight it may not.
      this.#isOver = true;
      return;
    }
    this.#promised.add(link.peer);
    this.#synchronise(out);
  }

  #synchronise(out: Outbox<B, R>): void {
    if (!this.#quorums.isQuorum((id) => this.#promised.has(id))) return;
    const { log, ensembles } = this.#own;
    this.#stage = "synchronising";
    this.#historyEnd = log.last;
    // What the members' files say becomes a version, so that it counts for more than a newcomer's file.
    const version = zxidOf(this.#epoch, 0);
    if (ensembles.seen.version === 0) ensembles.see({ ...ensembles.active, version }, out);
    // A snapshot for a learner is to hold the whole history.
    out.load = log.take(log.last);
    for (const link of this.#links.all()) {
      if (link.stage === "promised") this.#synchroniseLink(link, out);
    }
    this.#finishHistory(out);
  }

  /** Sends in one step what the learner lacks; every later proposal follows on the same link. */
  #synchroniseLink(link: Link, out: Outbox<B, R>): void {
    const broadcast = this.#broadcast;
    const isCounted = broadcast === undefined && this.#quorums.has(link.peer);
    if (link.isObserver && broadcast === undefined && !isCounted) return;
    const { log, ensembles } = this.#own;
    const epochStart = zxidOf(this.#epoch, 0);
    const committed = broadcast?.committed ?? 0;
    const isWhole = isCounted || !link.isObserver;
    const through = broadcast?.reachOf(link) ?? (isWhole ? log.last : committed);
    // A snapshot of this epoch's start is the history that this leader was elected with.
    const zxidLast = link.zxidLast === epochStart ? this.#historyEnd : link.zxidLast;
    const plan = syncPlan(log, zxidLast, through);
    const send = (message: Message<B, R>) => out.send.push({ to: link.id, message });
    for (const message of syncMessages(log, plan, { through, epochStart })) send(message);
    if (broadcast !== undefined) send({ kind: "commit", zxid: committed });
    // Before it serves, a change that it has seen is to be finished; later a change comes as a txn.
    const ensemble = broadcast === undefined ? ensembles.seen : ensembles.active;
    send({ kind: "newLeader", epoch: this.#epoch, ensemble });
    link.stage = "syncing";
    link.zxidLast = plan.after;
    link.sentThrough = through;
  }

  #ackNewLeader(link: Link, epoch: number, out: Outbox<B, R>): void {
    if (link.stage !== "syncing" || epoch !== this.#epoch) {
      this.#drop(link, out);
      return;
    }
    link.stage = "live";
    if (this.#broadcast !== undefined) {
      // What was proposed meanwhile it acknowledges by itself: Apache's learners do not have that on disk yet.
      if (!link.isObserver) this.#acked(link.peer, link.zxidLast, out);
      this.#broadcast.admit(link, out);
    } else {
      this.#synced.add(link.peer);
      this.#serve(out);
    }
  }

  /** The leader's own history, too, is on disk before its epoch is current. */
  #finishHistory(out: Outbox<B, R>): void {
    const { log, epochs, self } = this.#own;
    if (this.#stage !== "synchronising" || log.durable < this.#historyEnd) return;
    if (epochs.current < this.#epoch) {
      if (this.#isEpochAsked) return;
      this.#isEpochAsked = true;
      out.epochWrite = { file: "currentEpoch", epoch: this.#epoch };
      return;
    }
    this.#synced.add(self);
    this.#serve(out);
  }

  #serve(out: Outbox<B, R>): void {
    // Without its own epoch on disk a leader that looks again would be outvoted by who lacks what it committed.
    if (!this.#synced.has(this.#own.self)) return;
    if (!this.#quorums.isQuorum((id) => this.#synced.has(id))) return;
    this.#stage = "broadcasting";
    const { ensembles } = this.#own;
    const before = ensembles.activate(ensembles.seen, out);
    const broadcast = new LeaderBroadcast(this.#own, this.#links, this.#epoch, this.#historyEnd);
    this.#broadcast = broadcast;
    broadcast.begin(before, out);
    for (const link of this.#links.all()) {
      broadcast.admit(link, out);
      if (link.stage === "promised") this.#synchroniseLink(link, out);
    }
    if (!broadcast.isHandingOver) out.role = { kind: "leading", epoch: this.#epoch };
  }

  #ack(link: Link, zxid: number, out: Outbox<B, R>): void {
    const isExpected = link.stage === "live" && this.#broadcast !== undefined;
    if (!isExpected || !this.#acked(link.peer, zxid, out)) this.#drop(link, out);
  }

  /** Returns false when it was never proposed. */
  #acked(from: PeerId, zxid: number, out: Outbox<B, R>): boolean {
    if (this.#broadcast?.ack(from, zxid, out) === false) return false;
    if (this.#isResigning && this.uncommitted === 0) this.#isOver = true;
    return true;
  }

  #forget(link: Link): void {
    this.#links.delete(link.id);
    this.#broadcast?.forget(link);
  }

  #drop(link: Link, out: Outbox<B, R>): void {
    this.#forget(link);
    out.close.push(link.id);
  }
}
