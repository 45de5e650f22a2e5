import type { Role } from "../../src/core/effects.ts";
import type { LinkId, Message } from "../../src/core/messages.ts";
import type { Notification, PeerId } from "../../src/core/vote.ts";
import type { Outcome } from "../../src/tree/tree.ts";
import { Checker } from "./checker.ts";
import { Disk } from "./disk.ts";
import type { Request } from "./leadership.ts";
import { type Core, Member, type MemberHost, type MemberParts } from "./member.ts";
import { ensembleOf } from "./membership.ts";
import { type Frame, type LinkEnd, Network, type NetworkHost } from "./network.ts";
import { type Body, type Txn, Violation } from "./state.ts";
import type { Timeline } from "./timeline.ts";

export interface EnsembleOptions {
  readonly timeline: Timeline;
  readonly core: Core;
  readonly voters: readonly PeerId[];
  readonly observers?: readonly PeerId[];
  /** The ensemble may change: these voters and observers are what it is at first, of these ids. */
  readonly ids?: readonly PeerId[];
  readonly recentMax?: number;
  /** Faults of the host that are planted. */
  readonly faults?: ReadonlySet<string>;
  readonly events?: Partial<EnsembleEvents>;
  /** What members have from before. */
  readonly disks?: ReadonlyMap<PeerId, Disk>;
}

/** What happens at a member, for whoever drives the ensemble. */
export interface EnsembleEvents {
  applied(member: Member, txn: Txn, outcome: Outcome): void;
  synced(member: Member, tag: number): void;
  revalidated(member: Member, session: number, isValid: boolean): void;
  /** The member serves no more, or serves anew. */
  dropped(member: Member): void;
  /** Before each effect: whether the member crashes here. */
  isCrashing(member: Member): boolean;
  isDiskFailing(member: Member): boolean;
  crashed(member: Member): void;
  received(member: Member, kind: string): void;
  sending(member: Member, message: Message<Body, Request>): void;
}

/** Members over one network, each with its disk, and the checker that sees all of them. */
export class Ensemble implements NetworkHost, MemberHost {
  readonly timeline: Timeline;
  readonly network: Network;
  readonly checker: Checker;
  readonly disks = new Map<PeerId, Disk>();
  readonly members = new Map<PeerId, Member>();
  /** How often a message of a kind came to a peer in a role: `kind role`. */
  readonly coverage = new Map<string, number>();
  elections = 0;
  #requestIdLast = 0;
  readonly #parts: MemberParts;
  /** Whoever drives may change what is done when something happens. */
  readonly #events: Partial<EnsembleEvents>;

  constructor(options: EnsembleOptions) {
    const { timeline, core, voters, observers = [], recentMax = 500, faults = new Set() } = options;
    this.timeline = timeline;
    this.network = new Network(timeline, this);
    for (const id of options.ids ?? [...voters, ...observers]) {
      this.disks.set(id, options.disks?.get(id) ?? new Disk());
    }
    const first = ensembleOf(0, voters, observers);
    this.checker = new Checker(first, this.disks);
    const { network, checker } = this;
    const ensemble = options.ids === undefined ? undefined : first;
    const parts = { timeline, network, checker, core, voters, ensemble, recentMax, faults };
    this.#parts = { ...parts, host: this };
    this.#events = options.events ?? {};
  }

  get all(): readonly Member[] {
    return [...this.members.values()];
  }

  /** The member that leads and has not been deposed, as far as anyone can tell from outside. */
  get leader(): Member | undefined {
    const leading = this.all.filter(({ role, isDown }) => role.kind === "leading" && !isDown);
    const epoch = ({ role }: Member) => (role.kind === "leading" ? role.epoch : 0);
    return leading.sort((a, b) => epoch(b) - epoch(a))[0];
  }

  member(id: PeerId): Member {
    const member = this.members.get(id);
    if (member === undefined) throw new Error(`no member ${id}`);
    return member;
  }

  /** Starts a member, or starts it again with what is on its disk. */
  start(id: PeerId): Member {
    const life = (this.members.get(id)?.life ?? 0) + 1;
    const member = new Member(id, life, this.disks.get(id) as Disk, this.#parts);
    this.members.set(id, member);
    member.start();
    return member;
  }

  crash(member: Member): void {
    if (member.isDown) return;
    member.crash();
    this.#events.dropped?.(member);
    this.#events.crashed?.(member);
  }

  /** Everyone serves in one epoch and has everything that was committed. */
  get isWhole(): boolean {
    const { length } = this.checker.committed;
    const epochs = new Set(this.all.map(({ role }) => ("epoch" in role ? role.epoch : 0)));
    return (
      epochs.size === 1 &&
      !epochs.has(0) &&
      this.all.every(
        ({ isDown, isPaused, state }) => !isDown && !isPaused && state.txns.length === length,
      )
    );
  }

  get standing(): string {
    const each = (member: Member) =>
      `${member.peer} ${member.isDown ? "down" : member.role.kind} with ${member.state.txns.length} txns`;
    return `${this.all.map(each).join(", ")}, ${this.checker.committed.length} committed`;
  }

  requestIdNext(): number {
    return ++this.#requestIdLast;
  }

  frame(to: LinkEnd, link: LinkId, frame: Frame): void {
    const member = this.members.get(to.peer);
    if (member?.life === to.life) member.frame(link, frame);
  }

  down(to: LinkEnd, link: LinkId): void {
    const member = this.members.get(to.peer);
    if (member?.life === to.life) member.input({ kind: "linkDown", link });
  }

  notify(from: PeerId, to: PeerId, notification: Notification): void {
    const { prng } = this.timeline;
    this.timeline.after(1 + prng.below(prng.chance(0.05) ? 500 : 10), () => {
      if (this.network.isBlocked(from, to)) return;
      const member = this.members.get(to);
      if (member === undefined || member.isDown) return;
      this.received(member, `notification of ${notification.state}`);
      member.input({ kind: "notification", from, notification });
    });
  }

  connect(from: LinkEnd, to: PeerId): void {
    this.timeline.after(1 + this.timeline.prng.below(20), () => {
      const learner = this.members.get(from.peer);
      const leader = this.members.get(to);
      if (learner?.life !== from.life) return;
      if (leader === undefined || leader.isDown || this.network.isBlocked(from.peer, to)) {
        learner.input({ kind: "linkRefused" });
        return;
      }
      const link = this.network.open(learner, leader);
      leader.input({ kind: "linkUp", link, opened: false });
      learner.input({ kind: "linkUp", link, opened: true });
    });
  }

  applied(member: Member, txn: Txn, outcome: Outcome): void {
    this.#events.applied?.(member, txn, outcome);
  }

  synced(member: Member, tag: number): void {
    this.#events.synced?.(member, tag);
  }

  revalidated(member: Member, session: number, isValid: boolean): void {
    this.#events.revalidated?.(member, session, isValid);
  }

  roleChanged(member: Member, role: Role): void {
    if (role.kind === "leading") this.elections++;
    this.#events.dropped?.(member);
    if (role.kind === "stopped") this.crash(member);
  }

  received(member: Member, kind: string): void {
    const key = `${kind} ${member.role.kind}`;
    this.coverage.set(key, (this.coverage.get(key) ?? 0) + 1);
    this.#events.received?.(member, kind);
  }

  sending(member: Member, message: Message<Body, Request>): void {
    this.#events.sending?.(member, message);
  }

  isCrashing(member: Member): boolean {
    if (this.#events.isCrashing?.(member) !== true) return false;
    this.crash(member);
    return true;
  }

  isDiskFailing(member: Member): boolean {
    return this.#events.isDiskFailing?.(member) === true;
  }

  diskFailed(member: Member): void {
    this.crash(member);
  }

  /** Runs until something holds; a violation when it does not within this virtual time. */
  until(what: string, holds: () => boolean, withinMs = 60_000): void {
    const end = this.timeline.now + withinMs;
    while (!holds()) {
      if (this.timeline.now > end) throw new Violation(`never ${what}: ${this.standing}`);
      this.timeline.step();
    }
  }

  run(ms: number): void {
    let isOver = false;
    this.timeline.after(ms, () => {
      isOver = true;
    });
    while (!isOver) this.timeline.step();
  }
}
