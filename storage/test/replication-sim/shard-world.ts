import type { Message } from "../../src/replication/core/messages.ts";
import type { Effect, Input, PlantedFault } from "../../src/replication/core/types.ts";
import { Checker, type Committed } from "./checker.ts";
import { Clock } from "./clock.ts";
import { Coordinator } from "./coordinator.ts";
import { Disk } from "./disk.ts";
import {
  type Assignment,
  paths,
  type SealedZnode,
  type ShardZnode,
  type StoredFile,
} from "./files.ts";
import { Invariants } from "./invariants.ts";
import { Network } from "./network.ts";
import { Process } from "./process.ts";
import { Router, type RouterWorld } from "./routers.ts";
import type { CoreMake, Surroundings } from "./surroundings.ts";
import { Timeline, Violation } from "./timeline.ts";

export interface ShardWorldOptions {
  readonly seed: number;
  readonly make: CoreMake;
  readonly nodes: number;
  readonly replicas: number;
  readonly faults: ReadonlySet<PlantedFault>;
  /** Wants a line for each input and effect of a core. */
  readonly trace: ((line: string) => void) | undefined;
  /** What goes wrong, and when. */
  readonly trouble: Pick<Surroundings, "beforeEffect" | "isDiskFailing" | "halted">;
}

/** Everything there is of a shard: nodes with disks and processes, the coordinator, the network, and who looks on. */
export class ShardWorld {
  readonly timeline: Timeline;
  readonly coordinator: Coordinator;
  readonly network: Network<Message>;
  readonly checker: Checker;
  readonly invariants: Invariants;
  readonly coverage = new Map<string, number>();
  /** By `nodeId/diskId`: those that are there, with or without a process. */
  readonly disks = new Map<string, Disk>();
  readonly processes = new Map<string, Process>();
  readonly routers: Router[] = [];
  readonly nodes: readonly string[];
  readonly #options: ShardWorldOptions;
  readonly #around: Surroundings;
  #disksMade = 0;
  #incarnations = 0;
  #uuids = 0;
  #numbers = 0;
  #routersMade = 0;

  constructor(options: ShardWorldOptions) {
    this.#options = options;
    this.timeline = new Timeline(options.seed);
    this.coordinator = new Coordinator(this.timeline);
    this.network = new Network(this.timeline);
    this.checker = new Checker(this.timeline);
    const { timeline, coordinator, network, checker } = this;
    this.invariants = new Invariants(coordinator.tree, this.disks, checker);
    this.nodes = Array.from({ length: options.nodes }, (_, at) => String(at + 1));
    const saw = (what: string): void => this.saw(what);
    this.#around = {
      ...{ timeline, coordinator, network, checker, saw },
      ...{ make: options.make, faults: options.faults },
      trace: this.#tracer(),
      ...options.trouble,
      uuidNext: () => `u${++this.#uuids}`,
      committed: (process, entry) => this.#committed(process, entry),
      fetch: (process, from, uuid, done) => this.#fetch(process, from, uuid, done),
    };
    this.#znodesMake();
    coordinator.onTxn = () => {
      this.invariants.txn();
      for (const { seat } of this.processes.values()) seat.watchFired();
    };
  }

  get shard(): ShardZnode {
    return this.invariants.shard;
  }

  get assignment(): Assignment {
    return this.coordinator.tree.get(paths.assignment)?.data as Assignment;
  }

  /** Who owns the shard by the znode, if that process is there. */
  get owner(): Process | undefined {
    const { owner } = this.shard;
    return [...this.processes.values()].find(({ self }) => self === owner);
  }

  #znodesMake(): void {
    const replicas = this.nodes.slice(0, this.#options.replicas).map((node) => this.diskMake(node));
    const shard: ShardZnode = {
      ...{ epoch: 0, owner: undefined, next: undefined, transferMs: 0 },
      ...{ replicas, inSync: replicas },
    };
    const sealed: SealedZnode = {
      generation: 0,
      sealedThrough: { epoch: 0, position: 0 },
      checkpoint: undefined,
    };
    const minInSync = Math.max(1, replicas.length - 1);
    const assignment: Assignment = { replicas, owner: undefined, minInSync };
    for (const node of this.nodes.slice(replicas.length)) this.diskMake(node);
    this.coordinator.tree.multi(0, 0, [
      { op: "create", path: paths.shard, data: shard },
      { op: "create", path: paths.sealed, data: sealed },
      { op: "create", path: paths.assignment, data: assignment },
      { op: "create", path: paths.barrier, data: undefined },
    ]);
  }

  saw(what: string): void {
    this.coverage.set(what, (this.coverage.get(what) ?? 0) + 1);
  }

  /** An empty disk of a node. */
  diskMake(node: string): string {
    const replica = `${node}/d${++this.#disksMade}`;
    this.disks.set(replica, new Disk(replica));
    return replica;
  }

  start(replica: string): void {
    const disk = this.disks.get(replica);
    if (disk === undefined || this.processes.has(replica)) return;
    const clock = new Clock(this.timeline);
    const process = new Process(disk, ++this.#incarnations, clock, this.#around);
    this.processes.set(replica, process);
    process.start();
  }

  /** `isHurt`: nothing that it had under way will be done any more. */
  crash(process: Process, isHurt = false): void {
    if (process.isDown) return;
    if (isHurt) process.seat.client.drop();
    process.crash();
    this.processes.delete(process.replica);
  }

  /** Its disk is lost, and another takes its place under the same node id. */
  wipe(replica: string): string {
    const process = this.processes.get(replica);
    if (process !== undefined) this.crash(process, true);
    this.disks.delete(replica);
    return this.diskMake(replica.slice(0, replica.indexOf("/")));
  }

  routerStart(node: string): void {
    const world: RouterWorld = {
      timeline: this.timeline,
      checker: this.checker,
      tree: this.coordinator.tree,
      nodes: this.nodes,
      reaches: (from, to) => this.network.reaches(from, to) && this.network.reaches(to, from),
      processOf: (replica) => this.processes.get(replica),
      saw: (what) => this.saw(what),
    };
    const numbers = (): number => ++this.#numbers;
    this.routers.push(new Router(world, `r${++this.#routersMade}`, node, numbers));
  }

  /** The balancer's orders. */
  assign(assignment: Assignment): void {
    const { tree } = this.coordinator;
    tree.multi(this.timeline.now, 0, [
      { op: "set", path: paths.assignment, data: assignment, version: -1 },
    ]);
    this.coordinator.onTxn?.();
  }

  run(ms: number): void {
    const end = this.timeline.now + ms;
    while (this.timeline.now < end) this.timeline.step();
  }

  /** Until it holds; that it does not in so long is a broken promise. */
  until(what: string, holds: () => boolean, msMax: number): void {
    const end = this.timeline.now + msMax;
    while (!holds()) {
      if (this.timeline.now > end) {
        throw new Violation(`liveness: not ${what} within ${msMax} ms: ${this.describe()}`);
      }
      this.timeline.step();
    }
  }

  /** How it stands, for who looks at a failure. */
  describe(): string {
    const processes = [...this.processes.values()].map(({ self, role, core, log, hasHalted }) => ({
      ...{ self, role, hasHalted, status: core.status, base: log.base, end: log.end },
    }));
    return JSON.stringify({ shard: this.shard, assignment: this.assignment, processes }, null, 1);
  }

  #tracer(): Surroundings["trace"] {
    const { trace } = this.#options;
    if (trace === undefined) return undefined;
    return ({ self }, what) => {
      const time = String(Math.round(this.timeline.now)).padStart(7);
      trace(`${time} ${self} ${textOf(what)}`);
    };
  }

  #committed(process: Process, entry: Committed): void {
    this.checker.commits(process.self, entry);
    this.invariants.committed(process.self, entry.epoch, entry.position);
  }

  /** A file of another replica, verified when it is there. */
  #fetch(
    process: Process,
    from: string,
    uuid: string,
    done: (file: StoredFile | undefined) => void,
  ): void {
    const { prng } = this.timeline;
    this.timeline.after(2 + prng.below(prng.chance(0.1) ? 1000 : 20), () => {
      const source = this.processes.get(from);
      const isThere =
        source !== undefined &&
        !source.isPaused &&
        this.network.reaches(process.node, source.node) &&
        this.network.reaches(source.node, process.node);
      if (!isThere) return done(undefined);
      if (source.disk.rottenFiles.has(uuid)) {
        source.input({ kind: "damage-found", reason: `segment ${uuid} is damaged` });
        return done(undefined);
      }
      done(source.disk.files.get(uuid));
    });
  }
}

/** On one line, entries by their places. */
function textOf(what: Input | Effect): string {
  return JSON.stringify(what, (name, value: unknown) => {
    if (name === "entries" && Array.isArray(value)) {
      const entries = value as readonly { readonly epoch: number; readonly position: number }[];
      return entries.map(({ epoch, position }) => `${epoch}/${position}`).join(" ");
    }
    return name === "body" ? undefined : value;
  });
}
