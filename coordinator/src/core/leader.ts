import { assert } from "../../../kit/src/assert.ts";
import type { Outbox } from "./effects.ts";
import { LeaderLinks, type Link } from "./leader-links.ts";
import { LeaderSyncs } from "./leader-syncs.ts";
import type { Own } from "./learner.ts";
import { proposeMax } from "./limits.ts";
import type { LinkId, Message } from "./messages.ts";
import { type Proposal, Proposals } from "./proposals.ts";
import { syncPlan } from "./sync-plan.ts";
import type { PeerId } from "./vote.ts";
import type { Quorums } from "./voters.ts";
import { zxidCounter, zxidCounterMax, zxidOf } from "./zxid.ts";

type Stage =
  /** Gathers a quorum, to choose an epoch above all theirs. */
  | "discovering"
  /** Gathers a quorum that promises the epoch. */
  | "promising"
  /** Gathers a quorum that has the leader's history on disk. */
  | "synchronising"
  | "broadcasting";

/**
 * An elected leader: it has a quorum promise a new epoch and take over its history; then it
 * serves, and commits what a quorum has on disk.
 */
export class Leader<B, R> {
  readonly #own: Own<B>;
  readonly #voters: Quorums;
  readonly #links = new LeaderLinks<B, R>();
  readonly #syncs: LeaderSyncs<B, R>;
  readonly #acceptedEpochs = new Map<PeerId, number>();
  readonly #promised = new Set<PeerId>();
  readonly #synced = new Set<PeerId>();
  /** Links that may not serve yet. */
  readonly #late = new Set<Link>();
  #stage: Stage = "discovering";
  #epoch = 0;
  /** The last txn of the history that it was elected with. */
  #historyEnd = 0;
  #committed = 0;
  #proposals: Proposals | undefined;
  #ticks = 0;
  #isEpochAsked = false;
  #resigning: "stop" | "look" | undefined;
  #isOver = false;

  constructor(own: Own<B>, voters: Quorums) {
    this.#own = own;
    this.#voters = voters;
    this.#syncs = new LeaderSyncs(own.self, voters, this.#links);
  }

  /** The epoch it serves in, once it does. */
  get epochServed(): number | undefined {
    return this.#stage === "broadcasting" ? this.#epoch : undefined;
  }

  /** It leads no more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** It is over by its own will and takes no part in what follows. */
  get isStopped(): boolean {
    return this.#isOver && this.#resigning === "stop";
  }

  get zxidNext(): number | undefined {
    if (this.#proposals === undefined || this.#resigning !== undefined) return undefined;
    return this.#proposals.last + 1;
  }

  get uncommitted(): number {
    return this.#proposals?.size ?? 0;
  }

  get uncommittedBytes(): number {
    return this.#proposals === undefined ? 0 : this.#own.log.unappliedBytes;
  }

  begin(out: Outbox<B, R>): void {
    this.#acceptedEpochs.set(this.#own.self, this.#own.epochs.promised);
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
        this.#syncs.settle(this.#settled, out);
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
        if (this.#syncs.isFull) this.#drop(link, out);
        else this.sync(message.tag, from, out);
        return;
      default:
        // What a leader says is not for a leader.
        this.#drop(link, out);
    }
  }

  tick(out: Outbox<B, R>): void {
    const { initLimitTicks, syncLimitTicks, pingTicks } = this.#own.timing;
    this.#ticks++;
    for (const link of this.#links.all()) {
      const limit = link.stage === "live" ? syncLimitTicks : initLimitTicks;
      if (++link.silentTicks > limit) this.#drop(link, out);
    }
    if (this.#stage !== "broadcasting") {
      if (this.#ticks > initLimitTicks) this.#isOver = true;
      return;
    }
    if (this.#ticks % pingTicks !== 0) return;
    if (!this.#links.hasQuorum(this.#own.self, this.#voters)) this.#isOver = true;
    else this.#syncs.ping(out);
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
    assert(bodies.length <= proposeMax, "too much is proposed in one step");
    const proposals = this.#proposals as Proposals;
    const proposed: Proposal<B>[] = [];
    for (const body of bodies) {
      const proposal = { zxid: proposals.last + 1, body };
      proposals.add(proposal.zxid);
      this.#own.log.append(proposal);
      proposed.push(proposal);
    }
    out.append = proposed;
    this.#links.toFollowers({ kind: "proposal", proposals: proposed }, out);
    // The next epoch begins before this one's counter runs into it.
    if (zxidCounter(proposals.last) >= zxidCounterMax - proposeMax) this.#resigning = "look";
  }

  revalidated(link: LinkId, sessionId: bigint, isValid: boolean, out: Outbox<B, R>): void {
    if (this.#links.get(link) === undefined) return;
    out.send.push({ to: link, message: { kind: "revalidated", sessionId, isValid } });
  }

  /** Answers once a quorum has confirmed that this is still the leader, and all proposed so far is committed. */
  sync(tag: number, link: LinkId | undefined, out: Outbox<B, R>): void {
    if (this.#proposals === undefined) return;
    this.#syncs.add({ tag, link, zxid: this.#proposals.last }, out);
    this.#syncs.settle(this.#settled, out);
  }

  resign(next: "stop" | "look"): void {
    this.#resigning = next;
    // What is uncommitted before it serves is nobody's request.
    if (this.uncommitted === 0) this.#isOver = true;
  }

  #learnerInfo(
    link: Link,
    info: Message<B, R> & { readonly kind: "learnerInfo" },
    out: Outbox<B, R>,
  ): void {
    if (link.stage !== "new" || (!info.isObserver && !this.#voters.has(info.peer))) {
      this.#drop(link, out);
      return;
    }
    for (const other of this.#links.all()) {
      if (other.peer === info.peer) this.#drop(other, out);
    }
    link.peer = info.peer;
    link.isObserver = info.isObserver;
    link.stage = "informed";
    if (this.#stage === "discovering") {
      this.#acceptedEpochs.set(info.peer, info.acceptedEpoch);
      this.#chooseEpoch(out);
    } else if (info.acceptedEpoch > this.#epoch && !info.isObserver) {
      // It could never join this epoch, only a later one.
      this.#isOver = true;
    } else if (this.#promised.has(this.#own.self)) this.#leaderInfo(link, out);
  }

  #chooseEpoch(out: Outbox<B, R>): void {
    if (!this.#voters.isQuorum((id) => this.#acceptedEpochs.has(id))) return;
    this.#epoch = Math.max(...this.#acceptedEpochs.values()) + 1;
    this.#stage = "promising";
    out.epochWrite = this.#own.epochs.promise(this.#epoch);
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
      this.#synchroniseLink(link, out);
      return;
    }
    if (link.isObserver || ack.currentEpoch === undefined) return;
    const { epochs, log } = this.#own;
    const isAhead =
      ack.currentEpoch === epochs.current
        ? ack.zxidLast > log.last
        : ack.currentEpoch > epochs.current;
    if (isAhead && this.#voters.canLead(link.peer)) {
      // Its history may hold what was committed and is not here; without weight it may not.
      this.#isOver = true;
      return;
    }
    this.#promised.add(link.peer);
    this.#synchronise(out);
  }

  #synchronise(out: Outbox<B, R>): void {
    if (!this.#voters.isQuorum((id) => this.#promised.has(id))) return;
    const { log } = this.#own;
    this.#stage = "synchronising";
    this.#historyEnd = log.last;
    // A snapshot for a learner is to hold the whole history.
    out.load = log.take(log.last);
    for (const link of this.#links.all()) {
      if (link.stage === "promised") this.#synchroniseLink(link, out);
    }
    this.#finishHistory(out);
  }

  /** Sends in one step what the learner lacks; every later proposal follows on the same link. */
  #synchroniseLink(link: Link, out: Outbox<B, R>): void {
    const isServing = this.#proposals !== undefined;
    if (link.isObserver && !isServing) return;
    const { log } = this.#own;
    const epochStart = zxidOf(this.#epoch, 0);
    const through = link.isObserver ? this.#committed : log.last;
    // A snapshot of this epoch's start is the history that this leader was elected with.
    const zxidLast = link.zxidLast === epochStart ? this.#historyEnd : link.zxidLast;
    const plan = syncPlan(log, zxidLast, through);
    if (plan.kind === "snap") {
      const zxid = Math.max(log.applied, epochStart);
      out.send.push({ to: link.id, message: { kind: "snap", zxid } });
    } else if (plan.kind === "trunc") {
      out.send.push({ to: link.id, message: { kind: "trunc", zxid: plan.zxid } });
    } else out.send.push({ to: link.id, message: { kind: "diff" } });
    const proposals = log.between(plan.after, through);
    if (proposals.length > 0) {
      out.send.push({ to: link.id, message: { kind: "proposal", proposals } });
    }
    if (isServing) out.send.push({ to: link.id, message: this.#commitMessage });
    out.send.push({ to: link.id, message: { kind: "newLeader", epoch: this.#epoch } });
    link.stage = "syncing";
    link.zxidLast = plan.after;
  }

  #ackNewLeader(link: Link, epoch: number, out: Outbox<B, R>): void {
    if (link.stage !== "syncing" || epoch !== this.#epoch) {
      this.#drop(link, out);
      return;
    }
    link.stage = "live";
    if (this.#proposals !== undefined) {
      this.#late.add(link);
      // What was proposed meanwhile it acknowledges by itself: Apache's learners do not have that on disk yet.
      if (!link.isObserver) this.#acked(link.peer, link.zxidLast, out);
      this.#admit(link, out);
    } else {
      this.#synced.add(link.peer);
      this.#serve(out);
    }
  }

  /** After a restart a learner's tree holds all of its log: it serves once all of that is committed. */
  #admit(link: Link, out: Outbox<B, R>): void {
    if (link.stage !== "live" || link.isUpToDate || link.zxidLast > this.#committed) return;
    link.isUpToDate = true;
    this.#late.delete(link);
    out.send.push({ to: link.id, message: { kind: "upToDate" } });
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
    if (!this.#voters.isQuorum((id) => this.#synced.has(id))) return;
    this.#stage = "broadcasting";
    this.#proposals = new Proposals(this.#voters, zxidOf(this.#epoch, 0));
    this.#committed = this.#historyEnd;
    this.#links.toFollowers(this.#commitMessage, out);
    for (const link of this.#links.all()) {
      this.#admit(link, out);
      if (link.stage === "promised") this.#synchroniseLink(link, out);
    }
    out.role = { kind: "leading", epoch: this.#epoch };
  }

  /** All through here is committed, also as long as this epoch has no txn. */
  get #settled(): number {
    return Math.max(this.#committed, zxidOf(this.#epoch, 0));
  }

  get #commitMessage(): { readonly kind: "commit"; readonly zxid: number } {
    return { kind: "commit", zxid: this.#committed };
  }

  #ack(link: Link, zxid: number, out: Outbox<B, R>): void {
    const proposals = this.#proposals;
    if (proposals === undefined || link.stage !== "live" || zxid > proposals.last) {
      this.#drop(link, out);
      return;
    }
    this.#acked(link.peer, zxid, out);
  }

  #acked(from: PeerId, zxid: number, out: Outbox<B, R>): void {
    const proposals = this.#proposals;
    if (proposals === undefined || !proposals.ack(from, zxid)) return;
    this.#committed = proposals.committed;
    out.commit = this.#own.log.take(this.#committed);
    this.#links.toFollowers(this.#commitMessage, out);
    this.#links.toObservers({ kind: "inform", proposals: out.commit }, out);
    for (const link of this.#late) this.#admit(link, out);
    this.#syncs.settle(this.#settled, out);
    if (this.#resigning !== undefined && this.uncommitted === 0) this.#isOver = true;
  }

  #forget(link: Link): void {
    this.#links.delete(link.id);
    this.#late.delete(link);
  }

  #drop(link: Link, out: Outbox<B, R>): void {
    this.#forget(link);
    out.close.push(link.id);
  }
}
