import { messageOf, ServiceError } from "../../../kit/src/errors.ts";
import { entryBytesOf, type LogPoint } from "../log/entry.ts";
import type { StoreContext } from "../shard/context.ts";
import type { EntryMeaning, HeaderFields, Shard } from "../shard/shard.ts";
import type { Appended, ShardHost } from "../shard/shard-host.ts";
import { CommitDesk } from "./commit-desk.ts";
import type { CoordinatorCalls } from "./coordinator-calls.ts";
import type {
  Effect,
  Input,
  ManifestCommit,
  Replica,
  ReplicaStatus,
  Role,
  SealedState,
  ShardFacts,
} from "./core/types.ts";
import type { HeldSegments } from "./held-segments.ts";
import { heldBackMs } from "./limits.ts";
import type { Outbox } from "./outbox.ts";
import { belowMinInSync, type CutAnswer, unknownOutcome } from "./outcomes.ts";
import { mayPass, OwnEntry, refusalError } from "./own-entry.ts";
import { ReplicaDeeds } from "./replica-deeds.ts";
import { type Recovered, ReplicaRequests, type Settled } from "./replica-requests.ts";
import type { CommitDetail, CommitHost, CommitSettled } from "./replicated-manifest.ts";

export type { Recovered, Settled } from "./replica-requests.ts";

export interface ReplicaHostOptions {
  readonly context: StoreContext;
  readonly shard: Shard;
  readonly core: Replica;
  readonly calls: CoordinatorCalls;
  /** This replica, as `nodeId/diskId`. */
  readonly member: string;
  /** What was found in the log of what is committed. */
  readonly damage: ServiceError | undefined;
  readonly outbox: Outbox;
  readonly held: HeldSegments;
  /** See `loadShard`. */
  readonly load: (end: LogPoint) => Promise<SealedState>;
  /** The manifest itself, past the core. */
  readonly commitManifest: (detail: CommitDetail) => Promise<CommitSettled>;
  /** The role is another. */
  readonly onRole: (role: Role) => void;
}

/**
 * One replica of one shard on a real disk and real links: has carried out what its core says, in the order given, and tells it
 * what came of it. Everything that happens to the replica is an input, one after the other.
 */
export class ReplicaHost implements ShardHost, CommitHost {
  readonly #options: ReplicaHostOptions;
  readonly #deeds: ReplicaDeeds;
  readonly #inputs: Input[] = [];
  #isStepping = false;
  #isStopping = false;
  #isStopped = false;
  #timer: NodeJS.Timeout | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #role: Role = { kind: "waiting" };
  /** Why the last load failed: what its shard stops with. */
  #loadError: ServiceError | undefined;
  readonly #commits: CommitDesk;
  readonly #requests = new ReplicaRequests();
  /** The last append was not taken, and not for want of room in the log. */
  #isHeldBack = false;
  readonly #roomWaiters = new Set<() => void>();

  constructor(options: ReplicaHostOptions) {
    this.#options = options;
    const commits = new CommitDesk(options.commitManifest);
    this.#commits = commits;
    this.#deeds = new ReplicaDeeds(
      { ...options, commits },
      {
        input: (input) => this.input(input),
        failed: (error) => this.failed(error),
        looked: (facts) => this.#looked(facts),
        loadFailed: (error) => {
          this.#loadError = error;
        },
      },
    );
  }

  get role(): Role {
    return this.#role;
  }

  get core(): Pick<Replica, "status"> {
    return this.#options.core;
  }

  get replicas(): Pick<ReplicaStatus, "members" | "others" | "isChanging"> {
    return this.#options.core.status;
  }

  get checkpoint(): string | undefined {
    return this.#options.shard.checkpoint;
  }

  pathOf(file: string): string {
    const { context, shard } = this.#options;
    return `${context.paths.shard(shard.id)}/${file}`;
  }

  start(): void {
    this.input({ kind: "start" });
  }

  /** Takes no more part; what is on its way to the disk goes there. */
  async stop(): Promise<void> {
    if (this.#isStopped || this.#isStopping) return;
    this.#isStopping = true;
    this.input({ kind: "stop" });
    this.#isStopped = true;
    // What is not committed by now may yet be, by another owner.
    this.#options.shard.rejectWaiters(unknownOutcome(this.#options.shard));
    clearTimeout(this.#timer);
    this.#deeds.stop();
    this.#commits.close();
    this.#requests.close();
    for (const wake of this.#roomWaiters) wake();
    await this.#options.held.stop();
  }

  /** The disk is not to be trusted any more. */
  failed(error: ServiceError): void {
    this.#loadError ??= error;
    this.input({ kind: "disk-failed", reason: error.message });
  }

  link(replica: string, link: number | undefined): void {
    this.input({ kind: "link", replica, link });
  }

  /** Hands an input to the core and carries out what it says, at once unless that is under way. */
  input(input: Input): void {
    if (this.#isStopped) return;
    this.#inputs.push(input);
    if (this.#isStepping) return;
    this.#isStepping = true;
    try {
      for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) {
        const { clock } = this.#options.context;
        for (const effect of this.#options.core.step(clock.monotonicMs(), next)) {
          this.#perform(effect);
        }
      }
      this.#arm();
    } catch (thrown) {
      this.#broken(thrown);
    } finally {
      this.#isStepping = false;
    }
  }

  /** The shard's znodes changed. */
  changed(facts: ShardFacts): void {
    this.input({ kind: "seen", facts });
    if (!this.#isStopped) this.#seen(facts);
  }

  append(fields: HeaderFields, body: Uint8Array, meaning: EntryMeaning): Appended | undefined {
    const { context, shard } = this.#options;
    // A listener of a commit that appends: its turn comes when this one is over.
    this.#isHeldBack = this.#isStepping || this.#deeds.isWaiting;
    if (this.#isHeldBack) return undefined;
    const { clock, counts, log } = context;
    const provisional = shard.nextHeader(fields, clock.now());
    if (!log.fits(provisional)) return undefined;
    const own = new OwnEntry(fields, body, meaning);
    const bytes = entryBytesOf(provisional);
    this.input({ kind: "append", bytes, body: own });
    if (own.header !== undefined) {
      counts.loggedBytes += bytes;
      return { position: own.header.position, committed: own.committed! };
    }
    this.#isHeldBack = true;
    if (own.refusal === undefined || mayPass(own.refusal)) return undefined;
    throw refusalError(shard.id, own.refusal);
  }

  /** After an append that the core held back: waits for news of it, or a moment. */
  async room(timeoutMs: number): Promise<void> {
    if (!this.#isHeldBack) return;
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#roomWaiters.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, Math.min(timeoutMs, heldBackMs));
      this.#roomWaiters.add(wake);
    });
  }

  commit(commit: ManifestCommit): Promise<CommitSettled> {
    if (this.#isStopped) return Promise.resolve({ kind: "unknown" });
    // Who asks has the shard to himself: a takeover waits for him, and he would wait for it.
    if (this.#role.kind !== "serving") return Promise.resolve({ kind: "refused", epoch: 0 });
    const settled = this.#commits.ask(commit);
    this.input({ kind: "commit", commit });
    return settled;
  }

  /** Calls back in the step that opens the cut or refuses it. */
  cut(answer: (answer: CutAnswer) => void): void {
    const request = this.#requests.cut(answer);
    if (request !== undefined) this.input({ kind: "cut", request });
  }

  handOver(order: Omit<Extract<Input, { kind: "hand-over" }>, "kind">): Promise<Settled> {
    return this.#requests.handOver(() => this.input({ kind: "hand-over", ...order }));
  }

  recover(liveMembers: readonly string[]): Promise<Recovered> {
    return this.#requests.recover(() => this.input({ kind: "recover", liveMembers }));
  }

  /** What is for this node: its appends, cuts, seals, and whoever asked for a move. */
  #perform(effect: Effect): void {
    const { context, core, shard } = this.#options;
    switch (effect.kind) {
      case "role":
        this.#turn(effect.role);
        break;
      case "committed":
        shard.commit(effect.position, context.clock.monotonicMs(), context.onCommitted);
        for (const wake of this.#roomWaiters) wake();
        break;
      case "refuse":
        (effect.body as OwnEntry).refusal = effect;
        break;
      case "cut-opened":
      case "cut-refused":
      case "hand-over-settled":
      case "recover-settled":
        this.#requests.settled(effect);
        break;
      case "commit-settled":
        this.#commits.settled(effect.id, effect.outcome, core.status.promised);
        break;
      case "halt":
        this.#halt(effect.reason);
        break;
      default:
        this.#deeds.perform(effect);
    }
  }

  #looked(facts: ShardFacts): void {
    const { damage, member } = this.#options;
    this.#seen(facts);
    // Nobody can repair what only this disk has.
    if (damage === undefined || facts.inSync.some((each) => each !== member)) return;
    this.#loadError = damage;
    this.#halt(damage.message);
  }

  /** Who is there is known before anything was heard of them. */
  #seen({ holder }: ShardFacts): void {
    const { member, onRole, shard } = this.#options;
    if (this.#role.kind !== "waiting" || shard.state.kind === "stopped") return;
    const isForeign = holder !== undefined && !holder.name.startsWith(`${member}/`);
    shard.state = isForeign ? { kind: "foreign", owner: holder.name } : { kind: "waiting" };
    onRole(this.#role);
  }

  #turn(role: Role): void {
    const { onRole, shard } = this.#options;
    this.#role = role;
    switch (role.kind) {
      case "waiting":
        shard.rejectWaiters(unknownOutcome(shard));
        shard.state = { kind: "waiting" };
        break;
      case "follower":
        shard.forget(unknownOutcome(shard));
        shard.state = { kind: "foreign", owner: role.owner };
        break;
      case "taking":
      case "handing-over":
        shard.state = { kind: "waiting" };
        break;
      case "serving":
        shard.epoch = role.epoch;
        if (!role.isTaking) shard.rejectWaiters(belowMinInSync(shard));
        shard.state = { kind: "serving" };
        break;
      case "stopped":
        this.#halt(role.reason);
        break;
    }
    for (const wake of this.#roomWaiters) wake();
    onRole(role);
  }

  #halt(reason: string): void {
    const { context, shard } = this.#options;
    if (this.#isStopping || shard.state.kind === "stopped") return;
    const fields = { shard: shard.id };
    const error = this.#loadError ?? new ServiceError("storage.failed", reason, fields);
    context.logger.error({ ...error.fields, shard: shard.id, reason }, "shard is stopped");
    shard.stop(error);
  }

  /** The core broke its own rules: whatever it would say next is not to be trusted. */
  #broken(thrown: unknown): void {
    const { context, shard } = this.#options;
    context.logger.error({ err: thrown, shard: shard.id }, "replication of a shard failed");
    this.#loadError = new ServiceError(
      "storage.failed",
      `replication failed: ${messageOf(thrown)}`,
      { shard: shard.id },
      { cause: thrown },
    );
    this.#inputs.length = 0;
    this.#halt("replication failed");
    void this.stop();
  }

  /** One timer, that may come early: an early tick does no harm. */
  #arm(): void {
    const wakeAtMs = this.#options.core.wakeAtMs ?? Number.POSITIVE_INFINITY;
    if (this.#timerAtMs <= wakeAtMs || this.#isStopped) return;
    clearTimeout(this.#timer);
    this.#timerAtMs = wakeAtMs;
    const inMs = Math.max(0, wakeAtMs - this.#options.context.clock.monotonicMs());
    this.#timer = setTimeout(() => {
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      this.input({ kind: "tick" });
    }, Math.ceil(inMs)).unref();
  }
}
