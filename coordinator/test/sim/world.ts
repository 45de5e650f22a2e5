import type { PeerId } from "../../src/core/vote.ts";
import { Clients } from "./clients.ts";
import { Damaged, type Disk } from "./disk.ts";
import { Ensemble } from "./ensemble.ts";
import type { Core, Member } from "./member.ts";
import { ensembleDraw } from "./membership.ts";
import { Timeline } from "./timeline.ts";

export interface RunOptions {
  readonly seed: number;
  /** The core that is run, with or without a planted fault. */
  readonly core: Core;
  /** At least; faults are over some time before. */
  readonly steps: number;
  /** The ensemble is changed now and then. */
  readonly reconfigures?: boolean;
  /** A member's disk is emptied now and then, when every other holds something. */
  readonly wipes?: boolean;
  /** A member crashes before the effect of this number, and none does otherwise at an effect. */
  readonly crashAt?: number;
  /** Faults of the host that are planted. */
  readonly faults?: ReadonlySet<string>;
}

export interface RunReport {
  readonly steps: number;
  /** What cores asked of their hosts while there were faults. */
  readonly effects: number;
  readonly elections: number;
  readonly restarts: number;
  readonly committed: number;
  /** Changes of the ensemble that were committed. */
  readonly reconfigured: number;
  /** Disks that were emptied. */
  readonly wiped: number;
  /** Logs in which a bit flipped. */
  readonly rotted: number;
  /** Sessions that were closed or expired. */
  readonly sessionsEnded: number;
  /** How often a message of a kind came to a peer in a role: `kind role`. */
  readonly coverage: ReadonlyMap<string, number>;
}

/** Of a run's steps: what mends after faults takes some thousand more. */
const faultyShare = 0.8;
/** Once faults have ended, all serve the same within this many milliseconds. */
const healedMsMax = 120_000;
/** Longer than any session's timeout by the slowest clock, which was seen to take twelve seconds for four, and than the leader takes to say so. */
const calmMs = 20_000;

/** Runs one seed to its end. Throws what was violated. */
export function runSeed(options: RunOptions): RunReport {
  return new World(options).run(options.steps);
}

class World {
  readonly #timeline: Timeline;
  readonly #ensemble: Ensemble;
  readonly #clients: Clients;
  readonly #crashChance: number;
  readonly #diskFailureChance: number;
  readonly #rotChance: number;
  readonly #reconfigures: boolean;
  readonly #wipes: boolean;
  #faultsOn = true;
  #restarts = 0;
  #effects = 0;
  #wiped = 0;
  #rotted = 0;

  constructor(options: RunOptions) {
    const { seed, core, faults = new Set(), reconfigures = false, wipes = false } = options;
    this.#timeline = new Timeline(seed);
    const { prng } = this.#timeline;
    const voterCount = prng.pick([3, 3, 3, 5, 1]);
    const voters = Array.from({ length: voterCount }, (_, i) => i + 1);
    const observers = prng.chance(0.4) ? [voterCount + 1] : [];
    const ids = Array.from({ length: voterCount + 2 }, (_, i) => i + 1);
    this.#reconfigures = reconfigures;
    this.#wipes = wipes;
    this.#crashChance = prng.pick([0, 0.0003, 0.002]);
    this.#diskFailureChance = prng.pick([0, 0, 0.002]);
    this.#rotChance = prng.pick([0, 0, 0.1]);
    this.#ensemble = new Ensemble({
      timeline: this.#timeline,
      core,
      voters,
      observers,
      ...(reconfigures ? { ids } : {}),
      recentMax: prng.pick([2, 5, 30, 500]),
      faults,
      events: {
        applied: (member, txn, outcome) => this.#clients.applied(member, txn, outcome),
        synced: (member, tag) => this.#clients.synced(member, tag),
        revalidated: (member, session, isValid) =>
          this.#clients.revalidated(member, session, isValid),
        dropped: (member) => this.#clients.dropped(member),
        isCrashing: () => this.#isCrashing(options.crashAt),
        isDiskFailing: () => this.#faultsOn && prng.chance(this.#diskFailureChance),
        crashed: (member) => this.#restartLater(member),
      },
    });
    this.#clients = new Clients(this.#ensemble);
  }

  run(steps: number): RunReport {
    for (const id of this.#ensemble.disks.keys()) this.#ensemble.start(id);
    this.#clients.begin();
    this.#disturbLater();
    while (this.#timeline.steps < steps * faultyShare) this.#timeline.step();
    this.#faultsOn = false;
    this.#ensemble.network.heal();
    this.#whole();
    this.#clients.calm();
    this.#ensemble.run(calmMs);
    while (this.#timeline.steps < steps) this.#timeline.step();
    this.#whole();
    this.#clients.calmEnded();
    const { checker, elections, coverage } = this.#ensemble;
    for (const { state } of this.#ensemble.all) checker.sessions.matches(state);
    return {
      steps: this.#timeline.steps,
      effects: this.#effects,
      elections,
      restarts: this.#restarts,
      committed: checker.committed.length,
      reconfigured: checker.changes,
      wiped: this.#wiped,
      rotted: this.#rotted,
      sessionsEnded: checker.sessions.endedCount,
      coverage,
    };
  }

  #isCrashing(crashAt: number | undefined): boolean {
    if (!this.#faultsOn) return false;
    this.#effects++;
    if (crashAt !== undefined) return this.#effects === crashAt;
    return this.#timeline.prng.chance(this.#crashChance);
  }

  /** Until everyone serves the same, and no client waits. */
  #whole(): void {
    const holds = () => this.#clients.isQuiet() && this.#ensemble.isWhole;
    this.#ensemble.until("whole again", holds, healedMsMax);
    for (const member of this.#ensemble.all) {
      this.#ensemble.checker.serves(member.peer, member.state);
    }
  }

  #restartLater({ peer }: Member): void {
    const { prng } = this.#timeline;
    this.#timeline.after(prng.below(prng.chance(0.3) ? 8000 : 500), () => {
      this.#restarts++;
      if (this.#faultsOn && prng.chance(this.#rotChance)) this.#startRotten(peer);
      else this.#ensemble.start(peer);
    });
  }

  /** A bit flipped on its disk while it was away: it must not start from it, and gets an empty one. */
  #startRotten(peer: PeerId): void {
    const disk = this.#ensemble.disks.get(peer) as Disk;
    const canLose = !this.#hasEmptyDisk && this.#ensemble.checker.canLose(peer);
    if (canLose && disk.rot(this.#timeline.prng)) this.#rotted++;
    try {
      this.#ensemble.start(peer);
    } catch (thrown) {
      if (!(thrown instanceof Damaged)) throw thrown;
      disk.wipe();
      this.#timeline.after(this.#timeline.prng.below(1000), () => this.#ensemble.start(peer));
    }
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
    const { all, leader } = this.#ensemble;
    const member = prng.pick(all);
    if (this.#reconfigures && prng.chance(0.6)) {
      const ids = [...this.#ensemble.disks.keys()];
      // Who has just lost its disk must not be needed.
      leader?.reconfigure((version) =>
        this.#hasEmptyDisk ? undefined : ensembleDraw(prng, ids, version),
      );
    }
    if (this.#wipes && prng.chance(0.3)) this.#wipe(member);
    switch (prng.below(10)) {
      case 0:
        this.#ensemble.crash(member);
        break;
      case 1:
        if (leader !== undefined) this.#ensemble.crash(leader);
        break;
      case 2:
        this.#ensemble.network.cutAny();
        break;
      case 3:
      case 4:
        this.#partition();
        break;
      case 5:
        member.pause(prng.below(4000));
        break;
      case 6:
        if (prng.chance(0.3)) for (const each of all) this.#ensemble.crash(each);
        break;
      case 7:
        member.snapshotTake();
        break;
      case 8:
        leader?.input({ kind: "resign", next: prng.chance(0.5) ? "stop" : "look" });
        break;
      case 9:
        member.lanes.slow(prng.below(6000));
    }
  }

  get #hasEmptyDisk(): boolean {
    return [...this.#ensemble.disks.values()].some(({ isEmpty }) => isEmpty);
  }

  #wipe(member: Member): void {
    if (this.#hasEmptyDisk) return;
    if (!this.#ensemble.checker.canLose(member.peer)) return;
    this.#ensemble.crash(member);
    member.disk.wipe();
    this.#wiped++;
  }

  #partition(): void {
    const { prng } = this.#timeline;
    const { network, disks } = this.#ensemble;
    const ids = [...disks.keys()];
    const side = new Set(ids.filter(() => prng.chance(0.5)));
    for (const a of side) for (const b of ids) if (!side.has(b)) network.block(a, b);
    this.#timeline.after(prng.below(6000), () => network.heal());
  }
}
