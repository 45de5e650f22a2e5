import { Prng } from "../../../kit/src/prng.ts";
import type { Effect, PlantedFault } from "../../src/replication/core/types.ts";
import { letGo } from "./letting-go.ts";
import type { Process } from "./process.ts";
import { ShardWorld } from "./shard-world.ts";
import { SlowPlaces } from "./slow-places.ts";
import type { CoreMake } from "./surroundings.ts";

export interface RunOptions {
  readonly seed: number;
  readonly make: CoreMake;
  /** At least; faults are over some time before. */
  readonly steps: number;
  /** Faults of the core that are planted. */
  readonly faults?: ReadonlySet<PlantedFault>;
  /** A process crashes before the effect of this number, and none does otherwise at an effect. */
  readonly crashAt?: number;
  /** Wants a line for each input and effect of a core. */
  readonly trace?: (line: string) => void;
}

export interface RunReport {
  readonly steps: number;
  readonly simulatedMs: number;
  /** What cores asked of their hosts while there were faults. */
  readonly effects: number;
  readonly crashes: number;
  readonly wipes: number;
  readonly rotted: number;
  readonly epochs: number;
  readonly committed: number;
  readonly acknowledged: number;
  readonly cuts: number;
  readonly seals: number;
  readonly merges: number;
  /** How often what was seen: messages by the receiver's role, inputs, roles, outcomes. */
  readonly coverage: ReadonlyMap<string, number>;
}

/** Of a run's steps: what mends after faults takes some thousand more. */
const faultyShare = 0.8;
/** Between the looks at files of a shard that is elsewhere: a node's are further apart, and an owner's silence is noticed within them. */
const leftLookMs = 6_000;
/** Once faults have ended, the shard serves with its whole set within this many milliseconds. */
const healedMsMax = 60_000;

/** Runs one seed to its end. Throws what was violated. */
export function runSeed(options: RunOptions): RunReport {
  return new Run(options).run(options.steps);
}

class Run {
  readonly #options: RunOptions;
  readonly #world: ShardWorld;
  readonly #replicas: number;
  readonly #crashChance: number;
  readonly #pauseChance: number;
  readonly #diskFailureChance: number;
  readonly #hurtChance: number;
  /** That the answer to a conditional write is lost. */
  readonly #lostChance: number;
  readonly #troubleMs: number;
  /** Draws for which time disks are strained, in some seeds; apart, so that the others mean what they meant. */
  readonly #strain: Prng | undefined;
  /** Likewise, when cores fail. */
  readonly #failures: Prng | undefined;
  /** Likewise, when files of shards that went elsewhere are looked for. */
  readonly #leavings: Prng | undefined;
  /** In some seeds, too. */
  readonly #slowPlaces: SlowPlaces | undefined;
  #faultsOn = true;
  #effects = 0;
  #crashes = 0;
  #wipes = 0;
  #rotted = 0;
  #seals = 0;
  #merges = 0;

  constructor(options: RunOptions) {
    this.#options = options;
    const { seed, make, trace, faults = new Set() } = options;
    // Drawn from the seed itself: the world draws all else.
    const replicas = [2, 2, 3, 3, 1][seed % 5] as number;
    this.#replicas = replicas;
    this.#world = new ShardWorld({
      ...{ seed, make, trace, replicas, faults, nodes: Math.max(2, replicas + (seed % 3)) },
      trouble: {
        beforeEffect: (process, effect) => this.#beforeEffect(process, effect),
        isDiskFailing: () => this.#chance(this.#diskFailureChance),
        halted: (process, reason) => this.#halted(process, reason),
      },
    });
    this.#strain = seed % 4 === 2 ? new Prng(seed) : undefined;
    this.#failures = seed % 3 === 1 ? new Prng(seed) : undefined;
    this.#leavings = seed % 7 === 3 ? new Prng(seed) : undefined;
    const isOn = (): boolean => this.#faultsOn;
    this.#slowPlaces =
      seed % 9 === 0 ? new SlowPlaces(this.#world, new Prng(seed), isOn) : undefined;
    const { prng } = this.#world.timeline;
    this.#crashChance = options.crashAt === undefined ? prng.pick([0, 0.0003, 0.002]) : 0;
    this.#pauseChance = prng.pick([0, 0.0003, 0.002]);
    this.#diskFailureChance = prng.pick([0, 0, 0.001]);
    this.#hurtChance = prng.pick([0, 0.1, 0.3]);
    this.#lostChance = prng.pick([0, 0.03, 0.2]);
    this.#troubleMs = prng.pick([100, 300, 1000, 3000]);
  }

  run(steps: number): RunReport {
    const world = this.#world;
    const { timeline, checker } = world;
    for (const replica of [...world.disks.keys()]) world.start(replica);
    for (const node of world.nodes.slice(0, 2)) world.routerStart(node);
    this.#disturbLater();
    if (this.#strain !== undefined) this.#strainLater(this.#strain);
    if (this.#failures !== undefined) this.#failLater(this.#failures);
    if (this.#leavings !== undefined) this.#letGoLater(this.#leavings);
    this.#slowPlaces?.start();
    this.#tidyLater();
    while (timeline.steps < steps * faultyShare) timeline.step();
    this.#calm();
    this.#whole();
    while (timeline.steps < steps) timeline.step();
    this.#whole();
    this.#asked();
    return {
      ...{ steps: timeline.steps, simulatedMs: timeline.now, effects: this.#effects },
      ...{ crashes: this.#crashes, wipes: this.#wipes, rotted: this.#rotted },
      epochs: world.shard.epoch,
      committed: checker.through,
      ...{ acknowledged: checker.acknowledged, cuts: checker.cuts },
      ...{ seals: this.#seals, merges: this.#merges },
      coverage: world.coverage,
    };
  }

  #chance(probability: number): boolean {
    return this.#faultsOn && this.#world.timeline.prng.chance(probability);
  }

  #beforeEffect(process: Process, effect: Effect): ReturnType<ShardWorldTrouble["beforeEffect"]> {
    if (!this.#faultsOn) return "go";
    this.#effects++;
    this.#slowPlaces?.before(process, effect);
    if (effect.kind === "multi") {
      const isChange = effect.op.kind === "change-set";
      if (this.#chance(this.#lostChance * (isChange ? 3 : 1))) this.#lose(process, isChange);
    }
    if (this.#effects === this.#options.crashAt || this.#chance(this.#crashChance)) {
      this.#crash(process);
      return "crash";
    }
    if (!this.#chance(this.#pauseChance)) return "go";
    return { pauseMs: this.#pauseMs() };
  }

  /** Often shorter than a lease or a session, sometimes longer than both. */
  #pauseMs(): number {
    const { prng } = this.#world.timeline;
    return prng.below(prng.pick([100, 700, 3000, 12_000]));
  }

  /** It comes back after a while, with what its disk has come to. */
  #crash(process: Process): void {
    const { timeline } = this.#world;
    if (process.isDown) return;
    this.#crashes++;
    this.#count(process);
    this.#world.crash(process);
    const { replica } = process;
    const delay = 250 + timeline.prng.below(timeline.prng.chance(0.3) ? 10_000 : 600);
    timeline.after(delay, () => {
      if (this.#chance(this.#hurtChance)) this.#rot(replica);
      this.#world.start(replica);
    });
  }

  #count(process: Process): void {
    this.#seals += process.keeper.seals;
    this.#merges += process.keeper.merges;
  }

  #rot(replica: string): void {
    const { disks, invariants, timeline } = this.#world;
    if (!invariants.canLose(replica)) return;
    if (disks.get(replica)?.rot(timeline.prng) !== true) return;
    invariants.hurts(replica);
    this.#rotted++;
  }

  /** Whoever runs it starts it again. */
  #halted(process: Process, reason: string): void {
    this.#world.saw(`halt ${reason}`);
    this.#world.timeline.after(500 + this.#world.timeline.prng.below(2000), () => {
      this.#crash(process);
    });
  }

  #disturbLater(): void {
    const { timeline } = this.#world;
    timeline.after(50 + timeline.prng.below(this.#troubleMs), () => {
      if (!this.#faultsOn) return;
      this.#disturb();
      this.#disturbLater();
    });
  }

  #disturb(): void {
    const { timeline, network, coordinator, owner } = this.#world;
    const { prng } = timeline;
    const processes = [...this.#world.processes.values()];
    if (processes.length === 0) return;
    const process = owner !== undefined && prng.chance(0.4) ? owner : prng.pick(processes);
    switch (prng.below(20)) {
      case 0:
        if (prng.chance(0.3)) this.#stop(process);
        else if (prng.chance(0.5)) this.#crash(process);
        return;
      case 1:
        process.pause(this.#pauseMs());
        return;
      case 2:
        network.cutAny();
        return;
      case 3:
        network.halfOpenAny();
        return;
      case 4:
        network.stallAny(prng.below(3000));
        return;
      case 5:
        this.#partition();
        return;
      case 6:
      case 7:
        process.seat.client.disconnect(prng.below(prng.pick([50, 500, 9000])));
        return;
      case 8:
        process.lanes.slow(prng.below(4000));
        return;
      case 9:
      case 10:
        this.#assign();
        return;
      case 11:
        this.#handOver(process);
        return;
      case 12:
        this.#hurt(process);
        return;
      case 13:
        this.#routersChange();
        return;
      case 14:
        if (prng.chance(0.2)) coordinator.loseQuorum(prng.below(8000));
        return;
      case 15:
        if (prng.chance(0.2)) for (const each of processes) this.#crash(each);
        return;
      case 16:
        this.#isolate(process);
        return;
      case 17:
        // It learns of it by its next sign of life.
        coordinator.end(process.seat.client.session);
        return;
      case 18:
      case 19:
        if (this.#chance(this.#hurtChance * 3)) this.#rotRunning(prng.pick(processes));
    }
  }

  /** The connection breaks around the time when a conditional write is served; sometimes all others with it. */
  #lose(process: Process, isChange: boolean): void {
    const { timeline } = this.#world;
    const { prng } = timeline;
    const { client } = process.seat;
    const lose = (): void => {
      if (!this.#faultsOn || process.isDown) return;
      if (prng.chance(isChange ? 0.7 : 0.2)) this.#isolate(process);
      else client.disconnect(prng.below(prng.pick([50, 2000, 9000])));
    };
    // Just when it is made, or any time before and after.
    if (prng.chance(0.5)) client.onServed(lose);
    else timeline.after(prng.below(20), lose);
  }

  /**
   * A node is alone with the routers on it, and may own the shard without knowing that others have taken it over. The
   * coordinator is out of its reach for longer than its peers.
   */
  #isolate(process: Process): void {
    const { timeline, network, nodes, coordinator, routers } = this.#world;
    const { prng } = timeline;
    const { client } = process.seat;
    // Longer than a member is waited for, mostly.
    const ms = prng.pick([500, 2500, 4000]) + prng.below(4000);
    for (const node of nodes) {
      if (node === process.node) continue;
      network.block(node, process.node);
      network.block(process.node, node);
    }
    client.disconnect(ms + prng.below(6000));
    if (prng.chance(0.7)) coordinator.end(client.session);
    if (routers.length < 12) this.#world.routerStart(process.node);
    timeline.after(ms, () => network.heal());
  }

  /** Some ways between nodes are closed, both ways or one. */
  #partition(): void {
    const { timeline, network, nodes } = this.#world;
    const { prng } = timeline;
    const isOneWay = prng.chance(0.3);
    const side = new Set(nodes.filter(() => prng.chance(0.5)));
    for (const a of nodes) {
      for (const b of nodes) {
        if (side.has(a) === side.has(b) || (isOneWay && side.has(b))) continue;
        network.block(a, b);
      }
    }
    timeline.after(prng.below(6000), () => network.heal());
  }

  /** A move, or another number of replicas. */
  #assign(): void {
    const { timeline, processes, nodes, assignment } = this.#world;
    const { prng } = timeline;
    const candidates = nodes.flatMap((node) => {
      const running = [...processes.values()].filter((each) => each.node === node);
      return running.length === 0 ? [] : [prng.pick(running).replica];
    });
    while (candidates.length > this.#replicas) {
      candidates.splice(prng.below(candidates.length), 1);
    }
    if (candidates.length === 0) return;
    const owner = prng.chance(0.5) ? prng.pick(candidates) : undefined;
    this.#world.assign({ ...assignment, replicas: candidates, owner });
  }

  #handOver(process: Process): void {
    const { timeline, shard } = this.#world;
    const { prng } = timeline;
    const target = prng.chance(0.5) ? prng.pick(shard.inSync) : undefined;
    const isDrain = prng.chance(0.3);
    process.input({ kind: "hand-over", target, transferMs: prng.below(3000), isDrain });
    // Who was drained is stopped in the end.
    if (isDrain) timeline.after(3000, () => this.#stop(process));
  }

  #stop(process: Process): void {
    if (process.isDown) return;
    process.stop();
    this.#world.timeline.after(50, () => this.#crash(process));
  }

  /** A disk rots under a process, which finds it at once: what is not found until others are gone is lost. */
  #rotRunning(process: Process): void {
    const { invariants } = this.#world;
    // A set that is being changed may be smaller than it seems.
    if (process.isPaused || process.isDoubtful || process.core.status.isChanging) return;
    if (!invariants.canLose(process.replica) || !process.rot()) return;
    invariants.hurts(process.replica);
    this.#rotted++;
  }

  /** A disk is wiped under the same node id, or another process of that node runs with a disk of its own. */
  #hurt(process: Process): void {
    const world = this.#world;
    const { prng } = world.timeline;
    if (!this.#chance(this.#hurtChance * 3)) return;
    if (prng.chance(0.3)) {
      const running = [...world.processes.values()].filter(({ node }) => node === process.node);
      if (running.length < 2) world.start(world.diskMake(process.node));
      return;
    }
    if (!world.invariants.canLose(process.replica)) return;
    this.#wipes++;
    this.#count(process);
    const replica = world.wipe(process.replica);
    world.timeline.after(world.timeline.prng.below(3000), () => world.start(replica));
  }

  #routersChange(): void {
    const { nodes, routers, timeline } = this.#world;
    if (timeline.prng.chance(0.3)) timeline.prng.pick(routers).forget();
    if (routers.length < 8) this.#world.routerStart(timeline.prng.pick(nodes));
  }

  /** Disks are full or slow for a time, which their hosts say. */
  #strainLater(prng: Prng): void {
    const { timeline, processes } = this.#world;
    timeline.after(200 + prng.below(3000), () => {
      if (!this.#faultsOn) return;
      this.#strainLater(prng);
      const { owner } = this.#world;
      const all = [...processes.values()];
      const process = owner !== undefined && prng.chance(0.6) ? owner : all[prng.below(all.length)];
      if (process === undefined) return;
      const ms = prng.below(9000);
      const isSlow = prng.chance(0.5);
      if (isSlow) process.lanes.slow(ms);
      process.input({ kind: "strain", isStrained: true, isSlow });
      timeline.after(ms, () => process.input({ kind: "strain", isStrained: false }));
    });
  }

  /** Cores break their own rules, those of owners mostly, and are opened again, sooner or later. */
  #failLater(prng: Prng): void {
    const { timeline, processes } = this.#world;
    timeline.after(500 + prng.below(6000), () => {
      if (!this.#faultsOn) return;
      this.#failLater(prng);
      const { owner } = this.#world;
      const all = [...processes.values()];
      const process = owner !== undefined && prng.chance(0.6) ? owner : all[prng.below(all.length)];
      process?.fail(prng.below(prng.chance(0.3) ? 8000 : 1000));
    });
  }

  /** Whoever holds files of a shard that is elsewhere deletes them, much sooner than a node does. */
  #letGoLater(prng: Prng): void {
    const { timeline, processes } = this.#world;
    timeline.after(50 + prng.below(1500), () => {
      this.#letGoLater(prng);
      const all = [...processes.values()];
      const process = all[prng.below(all.length)];
      const lookMs = leftLookMs + prng.below(4000);
      const done = (isLogged: boolean): void => {
        this.#world.saw(isLogged ? "log let go" : "files let go");
      };
      if (process !== undefined) letGo(process, { timeline, lookMs, done });
    });
  }

  /** Owners seal and merge in their own time. */
  #tidyLater(): void {
    const { timeline } = this.#world;
    timeline.after(100 + timeline.prng.below(1500), () => {
      for (const process of this.#world.processes.values()) process.tidy();
      this.#tidyLater();
    });
  }

  /** Faults are over: what is down comes back, and the balancer wants what can be. */
  #calm(): void {
    const world = this.#world;
    this.#faultsOn = false;
    world.network.calm();
    world.coordinator.quorumLostUntil = 0;
    for (const replica of world.disks.keys()) world.start(replica);
    for (const process of world.processes.values()) process.calm();
    const replicas = world.nodes.slice(0, this.#replicas).map((node) => {
      // Of two disks of a node the one that holds something, as a person would have it.
      const own = [...world.disks.keys()].filter((each) => each.startsWith(`${node}/`));
      return own.find((each) => world.shard.inSync.includes(each)) ?? (own.at(-1) as string);
    });
    world.assign({ ...world.assignment, replicas, owner: undefined });
  }

  /** The shard has its whole set, with nothing damaged, and an owner, and no router waits. */
  #whole(): void {
    const world = this.#world;
    const holds = (): boolean => {
      const { role } = world.owner ?? {};
      if (role?.kind !== "serving" || !role.isTaking) return false;
      const { inSync } = world.shard;
      const { replicas } = world.assignment;
      if (!inSync.every((each) => world.invariants.isHealthy(each))) return false;
      return inSync.length === replicas.length && inSync.every((each) => replicas.includes(each));
    };
    world.until("whole", holds, healedMsMax);
  }

  /** Everyone is answered. */
  #asked(): void {
    const world = this.#world;
    for (const router of world.routers) router.end();
    const isQuiet = (): boolean => world.routers.every((router) => router.isQuiet);
    world.until("quiet", isQuiet, healedMsMax);
    let answered = 0;
    const [router] = world.routers;
    router?.query(() => answered++);
    world.until("answered", () => answered > 0, healedMsMax);
    for (const process of world.processes.values()) this.#count(process);
  }
}

type ShardWorldTrouble = ConstructorParameters<typeof ShardWorld>[0]["trouble"];
