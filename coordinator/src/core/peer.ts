import { assert } from "../../../kit/src/assert.ts";
import type { Packing } from "./applied-txns.ts";
import { EarlyLinks } from "./early-links.ts";
import { type Effects, type Input, Outbox, type ZabState } from "./effects.ts";
import { Election, type Told } from "./election.ts";
import { type Ensemble, Ensembles } from "./ensemble.ts";
import { Epochs, type History, seenOf } from "./epochs.ts";
import { Leader } from "./leader.ts";
import type { LearnerView } from "./leader-links.ts";
import { Learner, type Own } from "./learner.ts";
import {
  recentBytesMaxDefault,
  recentMaxDefault,
  roundMax,
  type Timing,
  timingDefault,
} from "./limits.ts";
import { LogTail } from "./log-tail.ts";
import { type Notification, noVote, type PeerId, type Vote } from "./vote.ts";
import type { Quorums } from "./voters.ts";

export type { Effects, Event, Input, Role, ZabState } from "./effects.ts";
export type { Ensemble, EnsembleChange } from "./ensemble.ts";
export type { EpochFile, History } from "./epochs.ts";

export interface PeerOptions<B> {
  readonly timing?: Timing;
  /** Committed txns kept for learners that are behind; an ensemble of one needs none. */
  readonly recentMax?: number;
  readonly recentBytesMax?: number;
  /** What a body takes in memory, in bytes; without it what is kept is bounded by number only. */
  readonly sizeOf?: (body: B) => number;
  /** How committed txns are kept; without it as they are. */
  readonly packing?: Packing<B>;
  /** The ensemble may be changed; as ZooKeeper's setting of this name. */
  readonly reconfigEnabled?: boolean;
}

type Phase<B, R> =
  | { readonly kind: "idle" }
  | { readonly kind: "looking"; readonly election: Election }
  | { readonly kind: "leading"; readonly leader: Leader<B, R> }
  | { readonly kind: "learning"; readonly learner: Learner<B, R> }
  /** The leader is gone while the log was being cut or replaced: a vote must wait for what comes out. */
  | { readonly kind: "replacing" };

/**
 * A member of the ensemble as a pure step function: election, discovery, synchronisation, broadcast. It does
 * no IO and reads no clock. A peer that is no voter is an observer.
 */
export class Peer<B, R = never> {
  readonly #own: Own<B>;
  readonly #early = new EarlyLinks<B, R>();
  #phase: Phase<B, R> = { kind: "idle" };
  #round = 0;
  /** What was decided in the last election: peers that come late ask for it. */
  #elected: Vote | undefined;
  /** The next leader is asked for a snapshot: the log could not be cut where it had to be. */
  #claimsNothing = false;
  /** It backs others: it remembers nothing, and once stood in the way of who does. */
  #standsAside = false;

  /** With voters only, the ensemble stays as it is. */
  constructor(
    self: PeerId,
    ensemble: Ensemble | readonly PeerId[],
    history: History<NoInfer<B>>,
    options: PeerOptions<NoInfer<B>> = {},
  ) {
    const isEnsemble = "version" in ensemble;
    const isDynamic = isEnsemble && options.reconfigEnabled === true;
    const seen = seenOf(history);
    const ensembles = isEnsemble
      ? new Ensembles(ensemble, seen, isDynamic)
      : Ensembles.fixed(self, ensemble);
    const isAlone = !isDynamic && ensembles.quorums.ids.length === 1;
    const { recent = [], snapshotZxid = 0 } = history;
    const { timing = timingDefault, sizeOf = () => 0 } = options;
    const log = new LogTail<B>(
      history.zxidLast,
      { recent, floor: snapshotZxid },
      {
        recentMax: options.recentMax ?? (isAlone ? 0 : recentMaxDefault),
        recentBytesMax: options.recentBytesMax ?? recentBytesMaxDefault,
        sizeOf,
        packing: options.packing,
      },
    );
    this.#own = { self, ensembles, log, sizeOf, epochs: new Epochs(history), timing };
  }

  /** The zxid that the next proposal gets; only a leader has one. */
  get zxidNext(): number | undefined {
    return this.#phase.kind === "leading" ? this.#phase.leader.zxidNext : undefined;
  }

  /** The ensemble that is in force, as far as this peer knows. */
  get ensemble(): Ensemble {
    return this.#own.ensembles.active;
  }

  /** A change is proposed, or was, that may not be in force yet: there can be no other. */
  get isEnsembleChanging(): boolean {
    return this.#own.ensembles.isChanging;
  }

  /** Whether a quorum of these follows and is up to date: a change to them would be committed soon. */
  hasSynced(voters: Quorums): boolean {
    return this.#leader?.hasSynced(voters) ?? false;
  }

  get zabState(): ZabState {
    return this.#role?.zabState ?? "election";
  }

  /** Who was elected; itself, when it leads. Undefined while nobody is. */
  get leaderId(): PeerId | undefined {
    return this.#role === undefined ? undefined : this.#elected?.leader;
  }

  /** The learners of a leader, those that are not up to date included. */
  get learners(): readonly LearnerView[] {
    return this.#leader?.learners ?? [];
  }

  /** Syncs that a leader has not answered. */
  get pendingSyncs(): number {
    return this.#leader?.pendingSyncs ?? 0;
  }

  /** Proposals that are not committed. */
  get uncommitted(): number {
    return this.#phase.kind === "leading" ? this.#phase.leader.uncommitted : 0;
  }

  /** What they take in memory, as `sizeOf` says: the host takes no more requests when it is too much. */
  get uncommittedBytes(): number {
    return this.#phase.kind === "leading" ? this.#phase.leader.uncommittedBytes : 0;
  }

  step(input: Input<B, R>): Effects<B, R> {
    const out = new Outbox<B, R>();
    this.#take(input, out);
    this.#settle(out);
    return out;
  }

  #take(input: Input<B, R>, out: Outbox<B, R>): void {
    const { log, epochs } = this.#own;
    switch (input.kind) {
      case "start":
        assert(this.#phase.kind === "idle", "a peer starts once");
        this.#own.ensembles.begin(out);
        this.#look(out);
        return;
      case "tick":
        this.#tick(out);
        return;
      case "notification":
        this.#notification(input.from, input.notification, out);
        return;
      case "linkUp":
      case "linkDown":
      case "linkRefused":
      case "message":
        this.#link(input, out);
        return;
      case "epochWritten":
        epochs.written(input.file, input.epoch);
        this.#role?.epochWritten(out);
        return;
      case "written":
        log.written(input.zxid);
        this.#role?.written(out);
        return;
      case "truncated":
        log.truncate(input.zxid);
        this.#replaced(out);
        return;
      case "installed":
        log.reset(input.zxid);
        this.#claimsNothing = false;
        this.#replaced(out);
        return;
      case "propose":
        assert(this.zxidNext !== undefined, "only a leader proposes");
        if ("bodies" in input) this.#leader?.propose(input.bodies, out);
        else if (input.ensemble === undefined) this.#leader?.propose([input.body], out);
        else this.#leader?.proposeChange(input.body, input.ensemble, out);
        return;
      case "snapshotTaken":
        log.snapshotTaken(input.zxid);
        return;
      default:
        this.#service(input, out);
        return;
    }
  }

  /** What a host asks for its clients. */
  #service(
    input: Input<B, R> & {
      readonly kind: "request" | "touch" | "revalidate" | "revalidated" | "sync" | "resign";
    },
    out: Outbox<B, R>,
  ): void {
    switch (input.kind) {
      case "request":
        this.#learner?.request(input.request, out);
        return;
      case "touch":
        this.#learner?.touch(input.sessionId, input.timeoutMs);
        return;
      case "revalidate":
        this.#learner?.revalidate(input.sessionId, input.timeoutMs, out);
        return;
      case "revalidated":
        this.#leader?.revalidated(input.link, input.sessionId, input.isValid, out);
        return;
      case "sync":
        this.#leader?.sync(input.tag, out);
        this.#learner?.sync(input.tag, out);
        return;
      case "resign":
        this.#resign(input.next, out);
        return;
    }
  }

  get #leader(): Leader<B, R> | undefined {
    return this.#phase.kind === "leading" ? this.#phase.leader : undefined;
  }

  get #learner(): Learner<B, R> | undefined {
    return this.#phase.kind === "learning" ? this.#phase.learner : undefined;
  }

  get #role(): Leader<B, R> | Learner<B, R> | undefined {
    return this.#leader ?? this.#learner;
  }

  #look(out: Outbox<B, R>): void {
    const { self, log, epochs, timing, ensembles } = this.#own;
    const candidate = { leader: self, zxid: log.last, epoch: epochs.current };
    const own = this.#standsAside && epochs.promised === 0 ? noVote : candidate;
    this.#round = Math.min(this.#round + 1, roundMax);
    const election = new Election(self, ensembles, { own, round: this.#round, timing });
    this.#phase = { kind: "looking", election };
    this.#elected = undefined;
    out.role = { kind: "looking" };
    this.#tell(this.#others, election.notification, out);
  }

  get #others(): readonly PeerId[] {
    const { ensembles, self } = this.#own;
    return ensembles.quorums.ids.filter((id) => id !== self);
  }

  #tick(out: Outbox<B, R>): void {
    if (this.#phase.kind === "looking") {
      const { election } = this.#phase;
      if (election.tick()) this.#tell(this.#others, election.notification, out);
    }
    this.#early.tick(this.#own.timing.connectTicks, out);
    this.#leader?.tick(out);
    this.#learner?.tick(out);
  }

  #notification(from: PeerId, said: Notification, out: Outbox<B, R>): void {
    if (this.#phase.kind === "looking") {
      if (this.#learnsOf(said.ensemble, out)) this.#look(out);
      const { election } = this.#phase;
      const told: Told = election.hear(from, said);
      const everyone = told === "everyone" ? this.#others : [];
      this.#tell(told === "sender" ? [from] : everyone, election.notification, out);
    } else if (said.state === "looking" && this.#elected !== undefined) {
      this.#tell([from], this.#standing(this.#elected), out);
      if (said.round > this.#round) this.#leader?.deserted(from);
    }
  }

  /** A change that others know to be in force. Returns whether it makes another ensemble. */
  #learnsOf(ensemble: Ensemble | undefined, out: Outbox<B, R>): boolean {
    return ensemble !== undefined && this.#own.ensembles.activate(ensemble, out) !== undefined;
  }

  /** What a peer that has a leader says of it: with the epoch that it serves in, once it does. */
  #standing(elected: Vote): Notification {
    const epoch = this.#role?.epochServed ?? elected.epoch;
    const { ensembles, self } = this.#own;
    const follows = ensembles.isObserver(self) ? "observing" : "following";
    const state = this.#phase.kind === "leading" ? "leading" : follows;
    return { round: this.#round, vote: { ...elected, epoch }, state };
  }

  #tell(to: readonly PeerId[], notification: Notification, out: Outbox<B, R>): void {
    const ensemble = this.#own.ensembles.active;
    for (const id of to) out.notify.push({ to: id, notification: { ...notification, ensemble } });
  }

  #link(
    input: Input<B, R> & { readonly kind: "linkUp" | "linkDown" | "linkRefused" | "message" },
    out: Outbox<B, R>,
  ): void {
    switch (input.kind) {
      case "linkUp":
        if (input.opened && this.#learner !== undefined) this.#learner.linkUp(input.link, out);
        else if (!input.opened && this.#leader !== undefined) this.#leader.linkUp(input.link, out);
        else if (!input.opened && this.#mayLeadSoon) this.#early.add(input.link, out);
        else out.close.push(input.link);
        return;
      case "linkDown":
        this.#early.delete(input.link);
        this.#role?.linkDown(input.link);
        return;
      case "linkRefused":
        this.#learner?.linkRefused();
        return;
      case "message":
        this.#early.hear(input.link, input.message, out);
        this.#role?.hear(input.link, input.message, out);
        return;
    }
  }

  #replaced(out: Outbox<B, R>): void {
    if (this.#phase.kind === "replacing") this.#look(out);
    else this.#learner?.replaced(out);
  }

  #resign(next: "stop" | "look", out: Outbox<B, R>): void {
    this.#leader?.resign(next);
    if (this.#leader !== undefined || next === "look") return;
    this.#learner?.close(out);
    this.#stop(out);
  }

  #stop(out: Outbox<B, R>): void {
    this.#phase = { kind: "idle" };
    this.#early.close(out);
    out.role = { kind: "stopped" };
  }

  /** After each step: who leads is led by, and who has lost that looks. */
  #settle(out: Outbox<B, R>): void {
    const phase = this.#phase;
    if (phase.kind === "looking") this.#decide(phase.election, out);
    else if (phase.kind === "leading" && phase.leader.isOver) {
      phase.leader.close(out);
      if (phase.leader.mustNotLead) this.#standsAside = true;
      if (phase.leader.isStopped) this.#stop(out);
      else this.#next(phase.leader.successor, out);
    } else if (phase.kind === "learning" && phase.learner.isOver) {
      phase.learner.close(out);
      if (phase.learner.cannotTruncate) this.#claimsNothing = true;
      if (phase.learner.isReplacing) {
        this.#phase = { kind: "replacing" };
        out.role = { kind: "looking" };
      } else this.#next(phase.learner.successor, out);
    }
    if (!this.#mayLeadSoon && !this.#early.isEmpty) this.#early.close(out);
  }

  /** It looks, or a change of the ensemble may name it. */
  get #mayLeadSoon(): boolean {
    const { kind } = this.#phase;
    return kind === "looking" || (kind === "learning" && this.#own.ensembles.isChanging);
  }

  /**
   * After a change of the ensemble its leader has named who leads next, so nobody has to be elected: whether that one
   * can lead is settled by promises and histories, as after an election.
   */
  #next(successor: PeerId | undefined, out: Outbox<B, R>): void {
    if (successor === undefined) {
      this.#look(out);
      return;
    }
    const { log, epochs } = this.#own;
    out.role = { kind: "looking" };
    this.#elected = { leader: successor, zxid: log.last, epoch: epochs.current };
    this.#begin(successor, false, out);
  }

  #decide(election: Election, out: Outbox<B, R>): void {
    const { decision } = election;
    this.#round = election.notification.round;
    if (decision === undefined) return;
    this.#round = decision.round;
    this.#elected = decision.vote;
    this.#begin(decision.vote.leader, decision.isFirstStart, out);
  }

  #begin(id: PeerId, isFirstStart: boolean, out: Outbox<B, R>): void {
    if (id === this.#own.self) {
      const leader = new Leader<B, R>(this.#own, isFirstStart);
      this.#phase = { kind: "leading", leader };
      leader.begin(out);
      this.#early.handOver(leader, out);
    } else {
      const claimsNothing = this.#claimsNothing;
      const learner = new Learner<B, R>(this.#own, id, { claimsNothing, isFirstStart });
      this.#phase = { kind: "learning", learner };
      learner.begin(out);
      this.#early.close(out);
    }
  }
}
