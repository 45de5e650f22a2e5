import { messageOf, ServiceError, serviceErrorOf } from "../../../kit/src/errors.ts";
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
import type { Strain } from "./disk-strain.ts";
import { GivenInputs } from "./given-inputs.ts";
import type { HeldSegments } from "./held-segments.ts";
import { heldBackMs } from "./limits.ts";
import type { Outbox } from "./outbox.ts";
import { belowMinInSync, type CutAnswer, unknownOutcome } from "./outcomes.ts";
import { mayPass, OwnEntry, refusalError } from "./own-entry.ts";
import { isOfDisk, Reopening } from "./reopening.ts";
import { ReplicaDeeds } from "./replica-deeds.ts";
import { type Recovered, ReplicaRequests, type Settled } from "./replica-requests.ts";
import type { CommitDetail, CommitHost, CommitSettled } from "./replicated-manifest.ts";

export type { Recovered, Settled } from "./replica-requests.ts";

/** A replica as its disk has it. */
export interface OpenedReplica {
  readonly core: Replica;
  /** What was found in the log of what is committed. */
  readonly damage: ServiceError | undefined;
}

export interface ReplicaHostOptions {
  readonly context: StoreContext;
  readonly shard: Shard;
  /** As it was found when the store was opened. */
  readonly opened: OpenedReplica;
  /** What gives the shard up in place of a core that has failed, until it is opened again. */
  readonly standIn: (failed: ReplicaStatus, reason: string) => Replica;
  /** Looks at the disk anew, of which nothing is in flight. Rejects when the manifest is needed for that and cannot be read. */
  readonly reopen: () => Promise<OpenedReplica>;
  readonly calls: CoordinatorCalls;
  /** This replica, as `nodeId/diskId`. */
  readonly member: string;
  readonly outbox: Outbox;
  readonly held: HeldSegments;
  /** See `loadShard`. */
  readonly load: (end: LogPoint) => Promise<SealedState>;
  /** The manifest itself, past the core. */
  readonly commitManifest: (detail: CommitDetail) => Promise<CommitSettled>;
  /** The role is another. */
  readonly onRole: (role: Role) => void;
}

const brokenReason = "replication of the shard failed";

/**
 * One replica of one shard on a real disk and real links: has carried out what its core says, in the order given, and tells it
 * what came of it. Everything that happens to the replica is an input, one after the other.
 */
export class ReplicaHost implements ShardHost, CommitHost {
  readonly #options: ReplicaHostOptions;
  readonly #inputs: Input[] = [];
  readonly #given = new GivenInputs();
  readonly #reopening: Reopening;
  #core: Replica;
  #damage: ServiceError | undefined;
  #deeds: ReplicaDeeds;
  /** Of the core that another stands in for. */
  #failedDeeds: ReplicaDeeds;
  #commits: CommitDesk;
  #requests = new ReplicaRequests();
  /** Its core has failed, and another stands in for it. */
  #isBroken = false;
  #diskStrain: Strain | undefined;
  #isStepping = false;
  #isStopping = false;
  #isStopped = false;
  #timer: NodeJS.Timeout | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #role: Role = { kind: "waiting" };
  /** Why the last load failed: what its shard stops with. */
  #loadError: ServiceError | undefined;
  /** The last append was not taken, and not for want of room in the log. */
  #isHeldBack = false;
  readonly #roomWaiters = new Set<() => void>();

  constructor(options: ReplicaHostOptions) {
    this.#options = options;
    this.#reopening = new Reopening(options.context.clock.monotonicMs());
    this.#core = options.opened.core;
    this.#damage = options.opened.damage;
    this.#commits = new CommitDesk(options.commitManifest);
    this.#deeds = this.#deedsOf(this.#core, this.#commits);
    this.#failedDeeds = this.#deeds;
  }

  /** What becomes of deeds of a core that has failed since is of no interest. */
  #deedsOf(core: Replica, commits: CommitDesk): ReplicaDeeds {
    const isOf = (): boolean => this.#core === core;
    return new ReplicaDeeds(
      { ...this.#options, commits },
      {
        input: (input) => {
          if (isOf()) this.input(input);
        },
        failed: (error) => this.failed(error),
        looked: (facts) => {
          if (isOf()) this.#looked(facts);
        },
        loadFailed: (error) => {
          if (isOf()) this.#loadError = error;
        },
      },
    );
  }

  get role(): Role {
    return this.#role;
  }

  get core(): Pick<Replica, "status"> {
    return this.#core;
  }

  get replicas(): Pick<ReplicaStatus, "members" | "others" | "isChanging"> {
    return this.#core.status;
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
    this.#reopening.over();
    this.input({ kind: "stop" });
    this.#isStopped = true;
    // What is not committed by now may yet be, by another owner.
    this.#options.shard.rejectWaiters(unknownOutcome(this.#options.shard));
    this.#close("the process ends");
    await this.#options.held.stop();
  }

  /** Nothing comes of the core any more. */
  #close(reason: string): void {
    clearTimeout(this.#timer);
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    this.#inputs.length = 0;
    this.#deeds.stop();
    this.#commits.close();
    this.#requests.close(reason, this.#core.status);
    for (const wake of this.#roomWaiters) wake();
  }

  /** The disk is not to be trusted any more. */
  failed(error: ServiceError): void {
    this.#loadError ??= error;
    this.#reopening.over();
    if (this.#isBroken) this.#options.shard.stop(error);
    this.input({ kind: "disk-failed", reason: error.message });
  }

  /** The disk is full or slow, or is not any more. */
  strained(strain: Strain | undefined): void {
    this.#diskStrain = strain;
    this.#tellStrain();
  }

  /** Who has failed just now may fail again: others are preferred as owners for a while. */
  #tellStrain(): void {
    const isStrained = this.#diskStrain !== undefined || this.#reopening.isRecent;
    this.input({ kind: "strain", isStrained, isSlow: this.#diskStrain === "slow" });
  }

  link(replica: string, link: number | undefined): void {
    this.input({ kind: "link", replica, link });
  }

  /** Hands an input to the core and carries out what it says, at once unless that is under way. */
  input(input: Input): void {
    if (this.#isStopped) return;
    this.#given.note(input);
    this.#inputs.push(input);
    if (this.#isStepping) return;
    this.#isStepping = true;
    try {
      for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) {
        const { clock } = this.#options.context;
        for (const effect of this.#core.step(clock.monotonicMs(), next)) {
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
    if (!this.#isStopped && !this.#isBroken) this.#seen(facts);
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
    if (this.#isStopped || this.#isBroken) return Promise.resolve({ kind: "unknown" });
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
    // Whoever takes it over does so from disk; a process that ends opens nothing again.
    if (order.isDrain) this.#reopening.over();
    if (this.#isBroken) return Promise.resolve({ isDone: false, reason: brokenReason });
    return this.#requests.handOver(() => this.input({ kind: "hand-over", ...order }));
  }

  recover(liveMembers: readonly string[]): Promise<Recovered> {
    if (this.#isBroken) {
      const { end, committed } = this.#core.status;
      return Promise.resolve({ isDone: false, reason: brokenReason, end, committed });
    }
    return this.#requests.recover(() => this.input({ kind: "recover", liveMembers }));
  }

  /** What is for this node: its appends, cuts, seals, and whoever asked for a move. */
  #perform(effect: Effect): void {
    const { context, shard } = this.#options;
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
        this.#commits.settled(effect.id, effect.outcome, this.#core.status.promised);
        break;
      case "halt":
        this.#halt(effect.reason);
        break;
      case "reset-log":
        // What was damaged is not there any more.
        this.#damage = undefined;
        this.#deeds.perform(effect);
        break;
      default:
        this.#deeds.perform(effect);
    }
  }

  #looked(facts: ShardFacts): void {
    const { member } = this.#options;
    const damage = this.#damage;
    this.#seen(facts);
    // Nobody can repair what only this disk has.
    if (damage === undefined || facts.inSync.some((each) => each !== member)) return;
    this.#loadError = damage;
    this.#halt(damage.message);
    // Who waits for the start of all shards waits for this one no longer.
    this.#options.onRole(this.#role);
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

  /**
   * The core broke its own rules, or what it asked for could not be done: whatever it would say next is not to be trusted. As after
   * the end of a process, what is on disk is: the shard is opened again from there, unless it is the disk that fails.
   */
  #broken(thrown: unknown): void {
    const { context, shard } = this.#options;
    context.logger.error({ err: thrown, shard: shard.id }, "replication of a shard failed");
    // Who stands in has nothing to give up any more, or its session ends some time.
    if (this.#isStopping || this.#isBroken) return;
    const reason = messageOf(thrown);
    this.#isBroken = true;
    this.#close(brokenReason);
    if (this.#reopening.isOver || isOfDisk(thrown)) {
      this.#reopening.over();
      this.#loadError = brokenError(shard.id, reason, thrown);
      this.#halt("replication failed");
    } else this.#reopenLater(reason, thrown);
    this.#standIn(reason);
  }

  /** Another member takes the shard over at once, however long this one stays away. */
  #standIn(reason: string): void {
    this.#failedDeeds = this.#deeds;
    this.#begin(this.#options.standIn(this.#core.status, reason));
    // The step that failed is still under way.
    queueMicrotask(() => this.#tellAll());
  }

  #begin(core: Replica): void {
    this.#core = core;
    this.#commits = new CommitDesk(this.#options.commitManifest);
    this.#deeds = this.#deedsOf(core, this.#commits);
  }

  /** What the core before was told, and that it starts. */
  #tellAll(): void {
    for (const input of this.#given.all) this.input(input);
    this.start();
  }

  #reopenLater(reason: string, cause: unknown): void {
    const { context, shard } = this.#options;
    const { attempt, inMs } = this.#reopening.later(context.clock.monotonicMs(), () => {
      void this.#reopen();
    });
    const facts = { shard: shard.id, reason, attempt, inMs };
    context.logger.warn(facts, "shard is stopped, and opened again in a while");
    const next = `${reason}; opened again in ${inMs / 1_000} s, try ${attempt}`;
    shard.stop(brokenError(shard.id, next, cause));
  }

  /** From what is on disk, once nothing of the failed core is on its way there. */
  async #reopen(): Promise<void> {
    const { context, held, onRole, reopen, shard } = this.#options;
    const isOff = (): boolean => this.#reopening.isOver || context.log.failure !== undefined;
    let opened: OpenedReplica;
    try {
      await held.forget();
      await this.#failedDeeds.settled();
      await this.#deeds.settled();
      // A seal or merge that is under way still reads what is in memory.
      opened = await shard.exclusive(async () => {
        const found = await reopen();
        if (!isOff()) shard.forget(unknownOutcome(shard));
        return found;
      });
    } catch (thrown) {
      if (isOfDisk(thrown)) this.failed(serviceErrorOf(thrown));
      else if (!isOff()) this.#reopenLater(messageOf(thrown), thrown);
      return;
    }
    if (isOff()) return;
    this.#close("the shard is opened again");
    this.#begin(opened.core);
    this.#damage = opened.damage;
    this.#requests = new ReplicaRequests();
    this.#loadError = undefined;
    this.#isHeldBack = false;
    this.#role = { kind: "waiting" };
    shard.state = { kind: "waiting" };
    this.#isBroken = false;
    this.#reopening.opened(context.clock.monotonicMs(), () => this.#tellStrain());
    context.logger.info({ shard: shard.id }, "shard is opened again");
    onRole(this.#role);
    this.#tellStrain();
    this.#tellAll();
  }

  /** One timer, that may come early: an early tick does no harm. */
  #arm(): void {
    const wakeAtMs = this.#core.wakeAtMs ?? Number.POSITIVE_INFINITY;
    if (this.#timerAtMs <= wakeAtMs || this.#isStopped || this.#isBroken) return;
    clearTimeout(this.#timer);
    this.#timerAtMs = wakeAtMs;
    const inMs = Math.max(0, wakeAtMs - this.#options.context.clock.monotonicMs());
    this.#timer = setTimeout(() => {
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      this.input({ kind: "tick" });
    }, Math.ceil(inMs)).unref();
  }
}

function brokenError(shard: number, reason: string, cause: unknown): ServiceError {
  return new ServiceError("storage.failed", `replication failed: ${reason}`, { shard }, { cause });
}
