import { assert } from "../../../kit/src/assert.ts";
import type { Outbox } from "./effects.ts";
import { canStay, type Ensemble } from "./ensemble.ts";
import { isFollower, type LeaderLinks, type Link } from "./leader-links.ts";
import { LeaderSyncs } from "./leader-syncs.ts";
import type { Own } from "./learner.ts";
import { proposeMax } from "./limits.ts";
import type { LinkId } from "./messages.ts";
import { type Proposal, Proposals } from "./proposals.ts";
import type { PeerId } from "./vote.ts";
import { zxidCounter, zxidCounterMax, zxidOf } from "./zxid.ts";

/** What a leader does once it serves: it proposes, commits what a quorum has on disk, and lets learners serve. */
export class LeaderBroadcast<B, R> {
  readonly #own: Own<B>;
  readonly #links: LeaderLinks<B, R>;
  readonly #syncs: LeaderSyncs<B, R>;
  readonly #proposals: Proposals;
  /** The zxid before the epoch's first txn. */
  readonly #start: number;
  /** Links that may not serve yet. */
  readonly #late = new Set<Link>();
  #committed: number;
  #isFull = false;
  #isHandingOver = false;
  #successor: PeerId | undefined;

  /** `historyEnd`: the last txn of the history that the leader was elected with. */
  constructor(own: Own<B>, links: LeaderLinks<B, R>, epoch: number, historyEnd: number) {
    this.#own = own;
    this.#links = links;
    this.#syncs = new LeaderSyncs(own.self, own.ensembles, links);
    this.#start = zxidOf(epoch, 0);
    this.#proposals = new Proposals(own.ensembles.quorums, this.#start);
    this.#committed = historyEnd;
  }

  /** The last txn that is proposed. */
  get last(): number {
    return this.#proposals.last;
  }

  get uncommitted(): number {
    return this.#proposals.size;
  }

  get pendingSyncs(): number {
    return this.#syncs.size;
  }

  get committed(): number {
    return this.#committed;
  }

  /** The epoch's counter is used up: what is proposed commits, and another epoch begins. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** By a change of the ensemble this peer leads no more: it commits nothing in the new one. */
  get isHandingOver(): boolean {
    return this.#isHandingOver;
  }

  /** Who leads in the new ensemble; without one it elects. */
  get successor(): PeerId | undefined {
    return this.#successor;
  }

  /**
   * How far a learner may know the history: an observer what is committed, a follower all. A newcomer, that does not vote yet,
   * knows what is on this disk or committed: else it could come to have more than those who know of each other, and who
   * looks for a leader does not know of it.
   */
  reachOf(link: Link): number {
    if (link.isObserver) return this.#committed;
    const { log, ensembles } = this.#own;
    if (ensembles.active.voters.has(link.peer)) return log.last;
    return Math.max(log.durable, this.#proposals.committed);
  }

  /** Tells learners what is committed. */
  begin(before: Ensemble | undefined, out: Outbox<B, R>): void {
    const { self, ensembles } = this.#own;
    this.#links.toLearners({ kind: "commit", zxid: this.#committed }, out);
    this.#isHandingOver = before !== undefined && !canStay(self, before, ensembles.active);
  }

  propose(bodies: readonly B[], out: Outbox<B, R>): void {
    assert(bodies.length <= proposeMax, "too much is proposed in one step");
    let zxid = this.#proposals.last;
    this.#propose(
      bodies.map((body) => ({ zxid: ++zxid, body })),
      out,
    );
  }

  /** What is proposed from here on needs quorums of both ensembles. */
  proposeChange(body: B, ensemble: Ensemble, out: Outbox<B, R>): void {
    const { ensembles } = this.#own;
    assert(ensembles.isDynamic && !ensembles.isChanging, "one change of the ensemble at a time");
    assert(ensemble.version === this.#proposals.last + 1, "a change is named by its zxid");
    ensembles.see(ensemble, out);
    this.#proposals.decideBy(ensembles.quorums);
    this.#propose([{ zxid: ensemble.version, body, ensemble }], out);
  }

  /** A log is on disk through this zxid. Returns false when that was never proposed. */
  ack(from: PeerId, zxid: number, out: Outbox<B, R>): boolean {
    const proposals = this.#proposals;
    if (zxid > proposals.last) return false;
    const isMore = proposals.ack(from, zxid);
    for (const link of this.#links.each()) if (this.#isNewcomer(link)) this.#feed(link, out);
    if (!isMore) return true;
    const { ensembles, self } = this.#own;
    if (ensembles.isChanging && ensembles.seen.version <= proposals.committed) {
      this.#commitChange(ensembles.seen, out);
    }
    if (!this.#isHandingOver) this.#commitThrough(proposals.committed, self, out);
    for (const link of this.#late) this.admit(link, out);
    this.#syncs.settle(this.#settled, out);
    return true;
  }

  /** After a restart a learner's tree holds all of its log: it serves once all of that is committed. */
  admit(link: Link, out: Outbox<B, R>): void {
    if (link.stage !== "live" || link.isUpToDate) return;
    if (link.zxidLast > this.#committed) {
      this.#late.add(link);
      return;
    }
    link.isUpToDate = true;
    this.#late.delete(link);
    out.send.push({ to: link.id, message: { kind: "upToDate" } });
  }

  forget(link: Link): void {
    this.#late.delete(link);
    this.#proposals.forget(link.peer);
  }

  /** A learner is here again: its disk may have been emptied since it acknowledged what it did. */
  returned(peer: PeerId): void {
    this.#proposals.reset(peer);
  }

  ping(out: Outbox<B, R>): void {
    this.#syncs.ping(out);
  }

  /** A learner answered a ping. */
  ponged(out: Outbox<B, R>): void {
    this.#syncs.settle(this.#settled, out);
  }

  /** Returns false when too many wait. */
  sync(tag: number, link: LinkId | undefined, out: Outbox<B, R>): boolean {
    if (this.#syncs.isFull) return false;
    this.#syncs.add({ tag, link, zxid: this.#proposals.last }, out);
    this.#syncs.settle(this.#settled, out);
    return true;
  }

  /** All through here is committed, also as long as this epoch has no txn. */
  get #settled(): number {
    return Math.max(this.#committed, this.#start);
  }

  #propose(proposed: readonly Proposal<B>[], out: Outbox<B, R>): void {
    for (const proposal of proposed) {
      this.#proposals.add(proposal.zxid);
      this.#own.log.append(proposal);
    }
    out.append = proposed;
    const message = { kind: "proposal", proposals: proposed } as const;
    for (const link of this.#links.each()) {
      if (isFollower(link) && !this.#isNewcomer(link)) out.send.push({ to: link.id, message });
    }
    // The next epoch begins before this one's counter runs into it.
    if (zxidCounter(this.#proposals.last) >= zxidCounterMax - proposeMax) this.#isFull = true;
  }

  /**
   * A learner of Apache's takes commits and answers to syncs for what it sent, in the order in which it sent that: a sync is
   * answered between what was proposed before it and after it.
   */
  #commitThrough(zxid: number, leader: PeerId, out: Outbox<B, R>): void {
    if (zxid <= this.#settled) return;
    for (;;) {
      const before = this.#syncs.firstBefore(zxid);
      if (before === undefined) break;
      this.#commit(before, leader, out);
      this.#syncs.answerThrough(before, out);
    }
    this.#commit(zxid, leader, out);
  }

  #commit(zxid: number, leader: PeerId, out: Outbox<B, R>): void {
    if (zxid <= this.#settled) return;
    const proposals = this.#own.log.take(zxid);
    out.commit = out.commit.length === 0 ? proposals : [...out.commit, ...proposals];
    this.#committed = zxid;
    const isChange = proposals.at(-1)?.ensemble !== undefined;
    const told = isChange ? { leader } : {};
    this.#links.toFollowers({ kind: "commit", zxid, ...told }, out);
    this.#links.toObservers({ kind: "inform", proposals, ...told }, out);
  }

  #isNewcomer(link: Link): boolean {
    return isFollower(link) && !this.#own.ensembles.active.voters.has(link.peer);
  }

  #feed(link: Link, out: Outbox<B, R>): void {
    const through = this.reachOf(link);
    const proposals = this.#own.log.between(link.sentThrough, through);
    if (proposals.length === 0) return;
    link.sentThrough = through;
    out.send.push({ to: link.id, message: { kind: "proposal", proposals } });
  }

  /** The new ensemble is in force. Who has most of what was proposed leads it, if this peer cannot. */
  #commitChange(ensemble: Ensemble, out: Outbox<B, R>): void {
    const { ensembles, self } = this.#own;
    const { voters, version } = ensemble;
    this.#commitThrough(version - 1, self, out);
    const others = voters.ids.filter((id) => id !== self && voters.canLead(id));
    const other = this.#proposals.furthest(others);
    const stays = other === undefined || canStay(self, ensembles.active, ensemble);
    this.#commitThrough(version, stays ? self : other, out);
    // Whoever is no newcomer was sent all: it may be one from here on.
    for (const link of this.#links.each()) {
      if (isFollower(link) && !this.#isNewcomer(link)) link.sentThrough = this.#proposals.last;
    }
    ensembles.activate(ensemble, out);
    for (const link of this.#links.each()) if (isFollower(link)) this.#feed(link, out);
    this.#proposals.decideBy(ensembles.quorums);
    if (stays) return;
    this.#isHandingOver = true;
    this.#successor = other;
  }
}
