import type { Role } from "../../src/core/effects.ts";
import type { LinkId } from "../../src/core/messages.ts";
import type { Notification, PeerId } from "../../src/core/vote.ts";
import { Checker } from "./checker.ts";
import { Clients } from "./clients.ts";
import { Disk } from "./disk.ts";
import { type Core, Member, type MemberHost, type MemberParts } from "./member.ts";
import { type Frame, type LinkEnd, Network, type NetworkHost } from "./network.ts";
import { type Txn, Violation } from "./state.ts";
import { Timeline } from "./timeline.ts";

export interface RunOptions {
  readonly seed: number;
  /** The core that is run, with or without a planted fault. */
  readonly core: Core;
  readonly steps: number;
  /** Faults of the host that are planted. */
  readonly faults?: ReadonlySet<string>;
}

export interface RunReport {
  readonly steps: number;
  readonly elections: number;
  readonly restarts: number;
  readonly committed: number;
  /** How often a message of a kind came to a peer in a role: `kind role`. */
  readonly coverage: ReadonlyMap<string, number>;
}

/** Once faults have ended, all serve the same within this many milliseconds. */
const healedMsMax = 120_000;

/** Runs one seed to its end. Throws what was violated. */
export function runSeed(options: RunOptions): RunReport {
  const world = new World(options);
  return world.run(options.steps);
}

class World implements NetworkHost, MemberHost {
  readonly #timeline: Timeline;
  readonly #network: Network;
  readonly #clients: Clients;
  readonly #disks = new Map<PeerId, Disk>();
  readonly #members = new Map<PeerId, Member>();
  readonly #parts: MemberParts;
  readonly #coverage = new Map<string, number>();
  readonly #crashChance: number;
  #faultsOn = true;
  #elections = 0;
  #restarts = 0;

  constructor({ seed, core, faults = new Set() }: RunOptions) {
    this.#timeline = new Timeline(seed);
    const { prng } = this.#timeline;
    this.#network = new Network(this.#timeline, this);
    const voterCount = prng.pick([3, 3, 3, 5, 1]);
    const voters = Array.from({ length: voterCount }, (_, i) => i + 1);
    const observers = prng.chance(0.4) ? [voterCount + 1] : [];
    for (const id of [...voters, ...observers]) this.#disks.set(id, new Disk());
    this.#crashChance = prng.pick([0, 0.0003, 0.002]);
    this.#parts = {
      timeline: this.#timeline,
      network: this.#network,
      checker: new Checker(voters, this.#disks),
      host: this,
      core,
      voters,
      recentMax: prng.pick([2, 5, 30, 500]),
      faults,
    };
    this.#clients = new Clients(this.#timeline, this.#parts.checker, this.#members);
  }

  run(steps: number): RunReport {
    for (const id of this.#disks.keys()) this.#start(id);
    this.#clients.begin();
    this.#disturbLater();
    while (this.#timeline.steps < steps) this.#timeline.step();
    this.#heal();
    const until = this.#timeline.now + healedMsMax;
    while (!this.#isWhole()) {
      if (this.#timeline.now > until) throw new Violation(`not whole again: ${this.#standing()}`);
      this.#timeline.step();
    }
    return {
      steps: this.#timeline.steps,
      elections: this.#elections,
      restarts: this.#restarts,
      committed: this.#parts.checker.committed.length,
      coverage: this.#coverage,
    };
  }

  frame(to: LinkEnd, link: LinkId, frame: Frame): void {
    const member = this.#members.get(to.peer);
    if (member?.life === to.life) member.frame(link, frame);
  }

  down(to: LinkEnd, link: LinkId): void {
    const member = this.#members.get(to.peer);
    if (member?.life === to.life) member.input({ kind: "linkDown", link });
  }

  notify(from: PeerId, to: PeerId, notification: Notification): void {
    const delay = this.#timeline.prng.below(this.#timeline.prng.chance(0.05) ? 500 : 10);
    this.#timeline.after(1 + delay, () => {
      if (this.#network.isBlocked(from, to)) return;
      const member = this.#members.get(to);
      if (member === undefined || member.isDown) return;
      this.received(member, `notification of ${notification.state}`);
      member.input({ kind: "notification", from, notification });
    });
  }

  connect(from: LinkEnd, to: PeerId): void {
    this.#timeline.after(1 + this.#timeline.prng.below(20), () => {
      const learner = this.#members.get(from.peer);
      const leader = this.#members.get(to);
      if (learner?.life !== from.life) return;
      if (leader === undefined || leader.isDown || this.#network.isBlocked(from.peer, to)) {
        learner.input({ kind: "linkRefused" });
        return;
      }
      const link = this.#network.open(learner, leader);
      leader.input({ kind: "linkUp", link, opened: false });
      learner.input({ kind: "linkUp", link, opened: true });
    });
  }

  applied(member: Member, txn: Txn): void {
    this.#clients.applied(member, txn);
  }

  synced(member: Member, tag: number): void {
    this.#clients.synced(member, tag);
  }

  roleChanged(member: Member, role: Role): void {
    if (role.kind === "leading") this.#elections++;
    if (!member.isServing) this.#clients.dropped(member);
    if (role.kind === "stopped") this.#crash(member);
  }

  received(member: Member, kind: string): void {
    const key = `${kind} ${member.role.kind}`;
    this.#coverage.set(key, (this.#coverage.get(key) ?? 0) + 1);
  }

  isCrashing(member: Member): boolean {
    if (!this.#faultsOn || !this.#timeline.prng.chance(this.#crashChance)) return false;
    this.#crash(member);
    return true;
  }

  #start(id: PeerId, life = 1): void {
    const disk = this.#disks.get(id) as Disk;
    const member = new Member(id, life, disk, this.#parts);
    this.#members.set(id, member);
    member.start();
  }

  #crash(member: Member): void {
    if (member.isDown) return;
    member.crash();
    this.#clients.dropped(member);
    const { prng } = this.#timeline;
    this.#timeline.after(prng.below(prng.chance(0.3) ? 8000 : 500), () => {
      this.#restarts++;
      this.#start(member.peer, member.life + 1);
    });
  }

  #disturbLater(): void {
    this.#timeline.after(200 + this.#timeline.prng.below(2500), () => {
      if (!this.#faultsOn) return;
      this.#disturb();
      this.#disturbLater();
    });
  }

  #disturb(): void {
    const { prng } = this.#timeline;
    const members = [...this.#members.values()];
    const member = prng.pick(members);
    const leader = members.find(({ role, isDown }) => role.kind === "leading" && !isDown);
    switch (prng.below(9)) {
      case 0:
        this.#crash(member);
        break;
      case 1:
        if (leader !== undefined) this.#crash(leader);
        break;
      case 2:
        this.#network.cutAny();
        break;
      case 3:
      case 4:
        this.#partition();
        break;
      case 5:
        member.pause(prng.below(4000));
        break;
      case 6:
        if (prng.chance(0.3)) for (const each of members) this.#crash(each);
        break;
      case 7:
        member.snapshotTake();
        break;
      case 8:
        leader?.input({ kind: "resign", next: prng.chance(0.5) ? "stop" : "look" });
    }
  }

  #partition(): void {
    const { prng } = this.#timeline;
    const ids = [...this.#disks.keys()];
    const side = new Set(ids.filter(() => prng.chance(0.5)));
    for (const a of side) for (const b of ids) if (!side.has(b)) this.#network.block(a, b);
    this.#timeline.after(prng.below(6000), () => this.#network.heal());
  }

  #heal(): void {
    this.#faultsOn = false;
    this.#network.heal();
  }

  /** Everyone serves, has everything that was committed, and no client waits. */
  #isWhole(): boolean {
    if (this.#timeline.steps % 50 !== 0) return false;
    const { committed } = this.#parts.checker;
    return (
      this.#clients.isQuiet() &&
      [...this.#members.values()].every(
        (member) =>
          member.isServing && !member.isDown && member.state.txns.length === committed.length,
      )
    );
  }

  #standing(): string {
    const each = (member: Member) =>
      `${member.peer} ${member.role.kind} with ${member.state.txns.length} txns`;
    const { committed } = this.#parts.checker;
    return `${[...this.#members.values()].map(each).join(", ")}, ${committed.length} committed`;
  }
}
