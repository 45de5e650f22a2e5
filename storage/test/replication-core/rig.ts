import assert from "node:assert/strict";
import type { Message } from "../../src/replication/core/messages.ts";
import { ShardReplica } from "../../src/replication/core/replica.ts";
import type {
  Effect,
  Entry,
  Input,
  LogPoint,
  MultiOp,
  MultiOutcome,
  ReplicaRecord,
  ReplicaState,
  SegmentRef,
  ShardFacts,
} from "../../src/replication/core/types.ts";

type Of<K extends Effect["kind"]> = Extract<Effect, { readonly kind: K }>;

const tickMs = 50;

/** What becomes of the next conditional write. */
type Fate = "answered" | "answer-lost" | "request-lost";

/** The znodes of one shard, and who hears of them. */
export class Znodes {
  version = 0;
  epoch = 0;
  owner: string | undefined;
  next: string | undefined;
  transferMs = 0;
  replicas: readonly string[];
  inSync: readonly string[];
  holder: string | undefined;
  /** Processes whose session lives. */
  readonly live = new Set<string>();
  sealedThrough: LogPoint = { epoch: 0, position: 0 };
  segments: readonly SegmentRef[] = [];
  readonly commits: string[] = [];

  constructor(members: readonly string[]) {
    this.replicas = members;
    this.inSync = members;
  }

  facts(reader: string): ShardFacts {
    const { version, epoch, owner, next, transferMs, replicas, inSync } = this;
    const isOwnSession = this.holder === reader;
    const holder = this.holder === undefined ? undefined : { name: this.holder, isOwnSession };
    return { version, epoch, owner, next, transferMs, replicas, inSync, holder };
  }

  apply(op: MultiOp, version: number | undefined, self: string): MultiOutcome {
    if (version !== undefined && version !== this.version) return { kind: "refused" };
    switch (op.kind) {
      case "acquire":
        if (op.isHeld !== (this.holder !== undefined)) return { kind: "refused" };
        this.epoch = op.epoch;
        this.owner = op.owner;
        this.holder = self;
        this.next = undefined;
        this.transferMs = 0;
        this.inSync = op.inSync ?? this.inSync;
        break;
      case "change-set":
        if (!op.live.every((each) => this.live.has(each))) return { kind: "refused" };
        this.replicas = op.replicas;
        this.inSync = op.inSync;
        break;
      case "hand-over":
        if (this.holder !== self) return { kind: "refused" };
        this.owner = undefined;
        this.holder = undefined;
        this.next = op.next;
        this.transferMs = op.transferMs;
        break;
      case "manifest": {
        const { commit } = op;
        if (this.commits.includes(commit.id)) return { kind: "done", version: this.version };
        this.commits.push(commit.id);
        const kept = this.segments.filter(({ uuid }) => !commit.remove.includes(uuid));
        this.segments = [...kept, ...commit.add];
        this.sealedThrough = commit.sealedThrough ?? this.sealedThrough;
        return { kind: "done", version: this.version };
      }
    }
    this.version++;
    return { kind: "done", version: this.version };
  }
}

/** One node: the real core on a disk of arrays. What it was asked for and did not get yet can be held back. */
export class Node {
  readonly replica: string;
  readonly self: string;
  readonly core: ShardReplica;
  readonly rig: Rig;
  /** Everything it was asked to do, oldest first. */
  readonly effects: Effect[] = [];
  entries: Entry[] = [];
  base: LogPoint;
  record: ReplicaRecord;
  /** Writes of the log are not done; neither are promises and the like; segments are not fetched. */
  isDiskHeld = false;
  areRecordsHeld = false;
  isFetchHeld = false;
  /** What is read of its log is damaged. */
  isRotten = false;
  /** It does not reach the coordinator. */
  isUnreachable = false;
  /** A conditional write of it is not answered. */
  isAsking = false;
  readonly #held: Input[] = [];
  #links = new Map<string, number>();

  constructor(rig: Rig, replica: string, incarnation: number, state: Partial<ReplicaState>) {
    this.rig = rig;
    this.replica = replica;
    this.self = `${replica}/${incarnation}`;
    const none: LogPoint = { epoch: 0, position: 0 };
    const whole: ReplicaState = {
      ...{ promised: 0, lineage: [], committed: 0, base: none, end: none },
      ...{ entryEpochs: [], entryCommitted: 0, isDamaged: false },
      ...state,
    };
    this.base = whole.base;
    this.record = whole;
    this.core = new ShardReplica({ replica, self: this.self, state: whole, minInSync: 1 });
  }

  get role(): string {
    return this.core.status.role.kind;
  }

  get end(): LogPoint {
    return this.entries.at(-1) ?? this.base;
  }

  all<K extends Effect["kind"]>(kind: K): Of<K>[] {
    return this.effects.filter((effect): effect is Of<K> => effect.kind === kind);
  }

  last<K extends Effect["kind"]>(kind: K): Of<K> | undefined {
    return this.all(kind).at(-1);
  }

  input(input: Input): void {
    this.rig.later(() => {
      if (this.rig.nodes.get(this.replica) !== this) return;
      for (const effect of this.core.step(this.rig.nowMs, input)) {
        this.effects.push(effect);
        this.#perform(effect);
      }
    });
  }

  append(body: unknown, bytes = 100): void {
    this.input({ kind: "append", bytes, body });
  }

  /** Those that were held back are done. */
  release(): void {
    this.isDiskHeld = false;
    this.areRecordsHeld = false;
    for (const input of this.#held.splice(0)) this.input(input);
  }

  linked(replica: string, link: number | undefined): void {
    if (link === undefined) this.#links.delete(replica);
    else this.#links.set(replica, link);
    this.input({ kind: "link", replica, link });
  }

  linkTo(replica: string): number | undefined {
    return this.#links.get(replica);
  }

  /** What a new process of this disk finds. */
  state(): Partial<ReplicaState> {
    const epochs: { epoch: number; firstPosition: number }[] = [];
    for (const { epoch, position } of this.entries) {
      if (epochs.at(-1)?.epoch !== epoch) epochs.push({ epoch, firstPosition: position });
    }
    const entryCommitted = Math.max(0, ...this.entries.map(({ committed }) => committed));
    const { base, end, record } = this;
    const { epoch, position } = end;
    return { ...record, base, end: { epoch, position }, entryEpochs: epochs, entryCommitted };
  }

  #perform(effect: Effect): void {
    const { rig } = this;
    switch (effect.kind) {
      case "append":
        this.entries.push(...effect.entries);
        this.#disk({ kind: "written", write: effect.write }, this.isDiskHeld);
        break;
      case "truncate":
        this.entries = this.entries.filter(({ position }) => position <= effect.after.position);
        this.#disk({ kind: "written", write: effect.write }, this.isDiskHeld);
        break;
      case "reset-log":
        this.entries = [];
        this.base = effect.base;
        this.#disk({ kind: "written", write: effect.write }, this.isDiskHeld);
        break;
      case "persist":
        this.record = effect.state;
        this.#disk({ kind: "persisted", record: effect.record }, this.areRecordsHeld);
        break;
      case "free":
        this.entries = this.entries.filter(({ position }) => position > effect.through.position);
        this.base = effect.through;
        break;
      case "read": {
        let bytes = 0;
        const found = this.entries.filter((entry) => {
          if (entry.position < effect.from || bytes >= effect.bytesMax) return false;
          bytes += entry.bytes;
          return true;
        });
        const there = found[0]?.position === effect.from ? found : "gone";
        const result = this.isRotten ? "damaged" : there;
        this.input({ kind: "entries-read", read: effect.read, result });
        break;
      }
      case "load": {
        const { sealedThrough, segments } = rig.znodes;
        const sealed = { sealedThrough, segments, isHeld: true };
        const epochStart = { bytes: 100, body: "start" };
        this.input({ kind: "loaded", load: effect.load, sealed, epochStart });
        break;
      }
      case "hold-segments":
        if (!this.isFetchHeld) this.input({ kind: "segments-held", revision: effect.revision });
        break;
      case "look": {
        const { look } = effect;
        if (this.isUnreachable) this.input({ kind: "view-failed", look });
        else this.input({ kind: "view", look, facts: rig.znodes.facts(this.self) });
        break;
      }
      case "multi":
        rig.multi(this, effect);
        break;
      case "send":
        rig.send(this, effect.to, effect.link, effect.message);
        break;
      default:
        break;
    }
  }

  #disk(input: Input, isHeld: boolean): void {
    if (isHeld) this.#held.push(input);
    else this.input(input);
  }
}

/** Nodes of one shard, their coordinator and links, in time that passes when it is told to. */
export class Rig {
  readonly znodes: Znodes;
  readonly nodes = new Map<string, Node>();
  nowMs = 1_000;
  /** What becomes of the next write that is of interest. */
  fate: Fate = "answered";
  isOfInterest: (op: MultiOp) => boolean = () => true;
  /** Messages that are lost on their way, though their link lasts. */
  isDropped: (message: Message) => boolean = () => false;
  readonly #queue: (() => void)[] = [];
  readonly #late: (() => void)[] = [];
  #link = 0;
  #incarnation = 0;

  constructor(members: readonly string[]) {
    this.znodes = new Znodes(members);
  }

  later(work: () => void): void {
    this.#queue.push(work);
  }

  /** Does what there is to do, without time passing. */
  run(): void {
    for (let steps = 0; this.#queue.length > 0; steps++) {
      assert.ok(steps < 100_000, "it comes to rest");
      this.#queue.shift()?.();
    }
  }

  pass(ms: number): void {
    this.run();
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; ) {
      this.nowMs += tickMs;
      for (const node of this.nodes.values()) node.input({ kind: "tick" });
      this.run();
    }
  }

  /** With the disk of a process before, and whatever else is said of what is found on it. */
  start(
    replica: string,
    options: {
      readonly disk?: Node;
      readonly state?: Partial<ReplicaState>;
      readonly isLive?: boolean;
      readonly areRecordsHeld?: boolean;
      readonly isRotten?: boolean;
    } = {},
  ): Node {
    const { disk, state, isLive = true, areRecordsHeld = false, isRotten = false } = options;
    const found = { ...disk?.state(), ...state };
    const node = new Node(this, replica, ++this.#incarnation, found);
    node.entries = [...(disk?.entries ?? [])];
    node.areRecordsHeld = areRecordsHeld;
    node.isRotten = isRotten;
    for (const other of this.nodes.values()) this.#linkUp(node, other);
    this.nodes.set(replica, node);
    if (isLive) this.znodes.live.add(node.self);
    node.input({ kind: "start" });
    this.run();
    return node;
  }

  /** The process stands still: it hears and does nothing, and nobody notices by its links. */
  stand(node: Node): void {
    this.nodes.delete(node.replica);
  }

  /** The process ends; with `isExpired`, its session too. */
  kill(node: Node, isExpired = true): void {
    this.nodes.delete(node.replica);
    for (const other of this.nodes.values()) {
      if (other.linkTo(node.replica) !== undefined) other.linked(node.replica, undefined);
    }
    if (isExpired) this.expire(node);
    this.run();
  }

  expire(node: Node): void {
    if (!this.nodes.has(node.replica)) this.znodes.live.delete(node.self);
    if (this.znodes.holder === node.self) this.znodes.holder = undefined;
    this.seen();
  }

  /** Watches tell everyone but those who do not reach the coordinator. */
  seen(): void {
    for (const node of this.nodes.values()) {
      if (node.isUnreachable) continue;
      node.input({ kind: "seen", facts: this.znodes.facts(node.self) });
    }
    this.run();
  }

  restart(node: Node): Node {
    this.kill(node);
    return this.start(node.replica, { disk: node });
  }

  cut(a: Node, b: Node): void {
    a.linked(b.replica, undefined);
    b.linked(a.replica, undefined);
    this.run();
  }

  join(a: Node, b: Node): void {
    this.#linkUp(a, b);
    this.run();
  }

  send(from: Node, to: string, link: number, message: Message): void {
    const target = this.nodes.get(to);
    if (target?.linkTo(from.replica) !== link || this.isDropped(message)) return;
    target.input({ kind: "message", from: from.replica, link, message });
  }

  multi(node: Node, { multi, op, version }: Of<"multi">): void {
    assert.ok(!node.isAsking, "one write at a time");
    node.isAsking = true;
    const fate = this.isOfInterest(op) ? this.fate : node.isUnreachable ? "never" : "answered";
    if (this.isOfInterest(op)) this.fate = "answered";
    let outcome: MultiOutcome = { kind: "unknown" };
    if (fate === "request-lost") {
      this.#late.push(() => this.znodes.apply(op, version, node.self));
    } else if (fate !== "never") {
      const applied = this.znodes.apply(op, version, node.self);
      if (fate === "answered") outcome = applied;
    }
    this.later(() => {
      node.isAsking = false;
    });
    node.input({ kind: "outcome", multi, outcome });
    this.later(() => this.#tellOthers(node));
  }

  /** What was lost on its way arrives after all. */
  arrive(): void {
    for (const apply of this.#late.splice(0)) apply();
  }

  /** One process after the other serves, or the story ends. */
  serving(node: Node): void {
    for (let waited = 0; node.role !== "serving"; waited += tickMs) {
      assert.ok(waited < 20_000, `${node.replica} serves: ${JSON.stringify(node.core.status)}`);
      this.pass(tickMs);
    }
  }

  until(isDone: () => boolean, what: string): void {
    this.run();
    for (let waited = 0; !isDone(); waited += tickMs) {
      const all = [...this.nodes.values()].map(({ core }) => core.status);
      assert.ok(waited < 60_000, `${what}: ${JSON.stringify(all)}`);
      this.pass(tickMs);
    }
  }

  #tellOthers(but: Node): void {
    for (const node of this.nodes.values()) {
      if (node === but || node.isUnreachable) continue;
      node.input({ kind: "seen", facts: this.znodes.facts(node.self) });
    }
  }

  #linkUp(a: Node, b: Node): void {
    const link = ++this.#link;
    a.linked(b.replica, link);
    b.linked(a.replica, link);
  }
}

/** Replicas of a shard. */
export const members = ["1/d1", "2/d2", "3/d3"] as const;

/** A shard of some members, served by the first. */
export function served(...replicas: readonly string[]): { rig: Rig; nodes: Node[] } {
  const rig = new Rig(replicas);
  const nodes = replicas.map((replica) => rig.start(replica));
  rig.serving(nodes[0]!);
  return { rig, nodes };
}

/** Of the batches that a node has, in their order. */
export function bodies(node: Node): unknown[] {
  return node.entries.filter(({ kind }) => kind === "batch").map(({ body }) => body);
}
