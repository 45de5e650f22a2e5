import type {
  Effect,
  Input,
  ManifestCommit,
  MultiOp,
  MultiOutcome,
  ShardFacts,
} from "../../src/replication/core/types.ts";
import type { Coordinator } from "./coordinator.ts";
import { CoordinatorClient, type Outcome, type View } from "./coordinator.ts";
import { type Assignment, paths, type SealedZnode, type ShardZnode } from "./files.ts";
import type { Op } from "./znodes.ts";

export interface SeatHost {
  readonly self: string;
  readonly isHeard: boolean;
  input(input: Input): void;
}

/** Hands an answer to who asked. */
export type Tell = (input: Input) => void;

/** What a seal's or merge's `detail` says: how the sealed state changes. */
export type SealedChange = (before: SealedZnode) => SealedZnode;

/** A process at the coordinator: looks, conditional writes and watches of one shard, as the core asks for them. */
export class Seat {
  readonly client: CoordinatorClient;
  readonly #host: SeatHost;
  readonly #coordinator: Coordinator;
  /** By version, as far as they were read or written here. */
  readonly #known = new Map<number, ShardZnode>();
  #latest = -1;
  #live = new Map<string, string>();
  #assignmentVersion = -1;
  #isWatchFired = false;
  /** The session in which it acquired last. */
  sessionAcquired: number | undefined;

  constructor(coordinator: Coordinator, host: SeatHost) {
    this.#coordinator = coordinator;
    this.#host = host;
    this.client = new CoordinatorClient(
      coordinator,
      () => host.isHeard,
      () => {
        host.input({ kind: "session-expired" });
        this.#register();
      },
    );
    this.#register();
  }

  /** The ephemeral that says that this incarnation is there. */
  #register(): void {
    const create: Op = {
      op: "create",
      path: `${paths.live}${this.#host.self}`,
      data: this.#host.self,
      isEphemeral: true,
    };
    this.client.multi([create], (outcome) => {
      if (outcome.kind === "lost") this.#register();
      // It may be that of the session before, which is about to go.
      else if (outcome.kind === "refused") {
        this.#coordinator.timeline.after(1000, () => this.#register());
      } else this.watchFired();
    });
  }

  look(look: number, tell: Tell): void {
    this.#barrier((outcome, view) => {
      const facts = outcome.kind === "done" ? this.#facts(view) : undefined;
      if (facts === undefined) tell({ kind: "view-failed", look });
      else tell({ kind: "view", look, facts });
    });
  }

  /** `tell` is called once. */
  multi(effect: Extract<Effect, { kind: "multi" }>, before: SealedZnode, tell: Tell): void {
    const { multi, version, op } = effect;
    if (op.kind === "manifest" && op.isRepeat) {
      this.#repeat(effect, op.commit, before, tell);
      return;
    }
    const ops = this.#opsOf(version, op, before);
    this.client.multi(ops, (outcome) => {
      const told = this.#told(outcome, version, op);
      if (op.kind === "acquire" && outcome.kind !== "expired") {
        this.sessionAcquired = this.client.session;
      }
      tell({ kind: "outcome", multi, outcome: told });
    });
  }

  /** Something has changed, and this process hears of it in its own time. */
  watchFired(): void {
    if (this.#isWatchFired) return;
    this.#isWatchFired = true;
    const { timeline } = this.#coordinator;
    const delay = timeline.prng.below(timeline.prng.chance(0.1) ? 2000 : 30);
    timeline.after(delay, () => {
      this.#isWatchFired = false;
      this.client.read((outcome, view) => {
        if (outcome.kind === "done") this.#seen(view);
        else this.watchFired();
      });
    });
  }

  #barrier(answer: (outcome: Outcome, view: View) => void): void {
    this.client.multi([{ op: "set", path: paths.barrier, data: undefined, version: -1 }], answer);
  }

  #seen(view: View): void {
    const facts = this.#facts(view);
    if (facts !== undefined) {
      this.#host.input({ kind: "seen", facts });
      const isOwner = facts.owner === this.#host.self;
      if (isOwner && facts.holder?.isOwnSession !== true) this.#host.input({ kind: "owner-lost" });
    }
    this.#liveSeen(view);
    const assignment = view.get(paths.assignment);
    if (assignment !== undefined && assignment.version > this.#assignmentVersion) {
      this.#assignmentVersion = assignment.version;
      this.#host.input({ kind: "assign", ...(assignment.data as Assignment) });
    }
  }

  #liveSeen(view: View): void {
    const live = new Map<string, string>();
    for (const { data } of view.list(paths.live)) {
      const self = data as string;
      const replica = self.slice(0, self.lastIndexOf("/"));
      // Of two incarnations of a disk the later one is there.
      const known = live.get(replica);
      if (known === undefined || incarnationOf(known) < incarnationOf(self))
        live.set(replica, self);
    }
    for (const [replica, self] of live) {
      if (this.#live.get(replica) === self) continue;
      this.#host.input({ kind: "live", replica, incarnation: self });
    }
    for (const replica of this.#live.keys()) {
      if (live.has(replica)) continue;
      this.#host.input({ kind: "live", replica, incarnation: undefined });
    }
    this.#live = live;
  }

  #facts(view: View): ShardFacts | undefined {
    const shard = view.get(paths.shard);
    if (shard === undefined) return undefined;
    const data = shard.data as ShardZnode;
    this.#remember(shard.version, data);
    const owner = view.get(paths.owner);
    const holder =
      owner === undefined
        ? undefined
        : { name: owner.data as string, isOwnSession: owner.session === this.client.session };
    return { version: shard.version, ...data, holder };
  }

  #remember(version: number, data: ShardZnode): void {
    this.#known.set(version, data);
    this.#latest = Math.max(this.#latest, version);
  }

  /** Version undefined: a planted fault leaves the check out. */
  #opsOf(version: number | undefined, op: MultiOp, before: SealedZnode): Op[] {
    if (op.kind === "manifest") {
      const check: Op = { op: "check", path: paths.shard, version: version ?? -1 };
      return [check, ...this.#manifestOps(op.commit, before)];
    }
    const known = this.#known.get(version ?? this.#latest) as ShardZnode;
    const next = changed(known, op);
    const ops: Op[] = [{ op: "set", path: paths.shard, data: next, version: version ?? -1 }];
    switch (op.kind) {
      case "acquire":
        if (op.isHeld || this.#mustReplaceOwner(version)) {
          ops.unshift({ op: "delete", path: paths.owner });
        }
        ops.push({ op: "create", path: paths.owner, data: op.owner, isEphemeral: true });
        break;
      case "change-set":
        for (const each of op.live) {
          ops.unshift({ op: "check", path: `${paths.live}${each}`, version: -1 });
        }
        break;
      case "hand-over":
        ops.unshift({ op: "delete", path: paths.owner });
        break;
    }
    return ops;
  }

  /** Without the check nothing would keep the owner's znode from standing in the way. */
  #mustReplaceOwner(version: number | undefined): boolean {
    return version === undefined && this.#coordinator.tree.get(paths.owner) !== undefined;
  }

  #manifestOps({ add, remove, detail }: ManifestCommit, before: SealedZnode): Op[] {
    const segments = add.filter(({ detail: kind }) => kind === "segment");
    return [
      ...remove
        .filter((uuid) => this.#isSegment(uuid))
        .map((uuid): Op => ({ op: "delete", path: `${paths.segments}${uuid}` })),
      ...segments.map(
        (ref): Op => ({ op: "create", path: `${paths.segments}${ref.uuid}`, data: ref }),
      ),
      {
        op: "set",
        path: paths.sealed,
        data: (detail as SealedChange)({ ...before, generation: before.generation + 1 }),
        version: -1,
      },
    ];
  }

  #isSegment(uuid: string): boolean {
    return !uuid.startsWith("checkpoint");
  }

  /** An earlier try ended unknown: the manifest says whether it was carried out. */
  #repeat(
    { multi, version }: Extract<Effect, { kind: "multi" }>,
    commit: ManifestCommit,
    before: SealedZnode,
    tell: Tell,
  ): void {
    this.#barrier((outcome, view) => {
      if (outcome.kind !== "done") {
        tell({ kind: "outcome", multi, outcome: { kind: "unknown" } });
        return;
      }
      const [first] = commit.add;
      if (first !== undefined && view.get(`${paths.segments}${first.uuid}`) !== undefined) {
        const done: MultiOutcome = { kind: "done", version: version ?? 0 };
        tell({ kind: "outcome", multi, outcome: done });
        return;
      }
      const op: MultiOp = { kind: "manifest", commit, isRepeat: false };
      this.multi({ kind: "multi", multi, version, op }, before, tell);
    });
  }

  #told(outcome: Outcome, version: number | undefined, op: MultiOp): MultiOutcome {
    switch (outcome.kind) {
      case "done": {
        if (op.kind === "manifest") return { kind: "done", version: version ?? 0 };
        const before = version ?? this.#latest;
        const next = version === undefined ? this.#versionNow() : before + 1;
        this.#remember(next, changed(this.#known.get(before) as ShardZnode, op));
        return { kind: "done", version: next };
      }
      case "refused":
      case "expired":
        return { kind: "refused" };
      case "lost":
        return { kind: "unknown" };
    }
  }

  /** What a set without a check came to. */
  #versionNow(): number {
    return this.#coordinator.tree.get(paths.shard)?.version ?? 0;
  }
}

function incarnationOf(self: string): number {
  return Number(self.slice(self.lastIndexOf("/") + 1));
}

function changed(before: ShardZnode, op: Exclude<MultiOp, { kind: "manifest" }>): ShardZnode {
  const nobody = { next: undefined, transferMs: 0 };
  switch (op.kind) {
    case "acquire":
      return {
        ...before,
        ...nobody,
        epoch: op.epoch,
        owner: op.owner,
        inSync: op.inSync ?? before.inSync,
        lossEpoch: op.inSync === undefined ? before.lossEpoch : op.epoch,
      };
    case "change-set":
      return { ...before, replicas: op.replicas, inSync: op.inSync };
    case "hand-over":
      return { ...before, owner: undefined, next: op.next, transferMs: op.transferMs };
  }
}
