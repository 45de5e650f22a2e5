import { assert } from "../../../kit/src/assert.ts";
import { messageOf, ServiceError, serviceErrorOf } from "../../../kit/src/errors.ts";
import { entryBytesOf, type LogPoint } from "../log/entry.ts";
import type { StoreContext } from "../shard/context.ts";
import type { EntryMeaning, HeaderFields, Shard } from "../shard/shard.ts";
import type { Appended, ShardHost } from "../shard/shard-host.ts";
import { CommitDesk } from "./commit-desk.ts";
import type { CoordinatorCalls } from "./coordinator-calls.ts";
import type {
  Effect,
  Entry,
  Input,
  ManifestCommit,
  Replica,
  ReplicaStatus,
  Role,
  SealedState,
  ShardFacts,
} from "./core/types.ts";
import { sendMessage } from "./entry-sender.ts";
import type { HeldSegments } from "./held-segments.ts";
import { heldBackMs } from "./limits.ts";
import { isPassing } from "./load-shard.ts";
import { noteRecord } from "./note-record.ts";
import type { Outbox } from "./outbox.ts";
import {
  belowMinInSync,
  type CutAnswer,
  epochStart,
  refusedCut,
  unknownOutcome,
} from "./outcomes.ts";
import { loggedOf, mayPass, OwnEntry, refusalError } from "./own-entry.ts";
import type { CommitDetail, CommitHost, CommitSettled } from "./replicated-manifest.ts";
import { ShardWrites } from "./shard-writes.ts";
import { entryOf } from "./wire.ts";

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

type Of<Kind extends Effect["kind"]> = Extract<Effect, { readonly kind: Kind }>;

/** What is done to the disk, the coordinator and other replicas. */
type DeedKind =
  | "append"
  | "truncate"
  | "reset-log"
  | "forget"
  | "persist"
  | "read"
  | "free"
  | "look"
  | "multi"
  | "send"
  | "hold-segments"
  | "load";

/** What came of a hand-over. */
export type Settled = Omit<Of<"hand-over-settled">, "kind">;
/** What came of a recovery; `committed`: what this replica knew to be committed before. What lies behind may be lost. */
export type Recovered = Omit<Of<"recover-settled">, "kind">;

/**
 * One replica of one shard on a real disk and real links: carries out what its core says, in the order given, and tells it what
 * came of it. Everything that happens to the replica is an input, one after the other.
 */
export class ReplicaHost implements ShardHost, CommitHost {
  readonly #options: ReplicaHostOptions;
  readonly #writes: ShardWrites;
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
  readonly #cuts = new Map<number, (answer: CutAnswer) => void>();
  #cutNext = 1;
  #handOvers: ((answer: Settled) => void)[] = [];
  #recoveries: ((answer: Recovered) => void)[] = [];
  /** The last append was not taken, and not for want of room in the log. */
  #isHeldBack = false;
  readonly #roomWaiters = new Set<() => void>();

  constructor(options: ReplicaHostOptions) {
    this.#options = options;
    const { context, shard } = options;
    this.#commits = new CommitDesk(options.commitManifest);
    this.#writes = new ShardWrites(context.log, shard.id, {
      onWritten: (write) => this.input({ kind: "written", write }),
      onFailed: (error) => this.failed(error),
    });
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
    this.#writes.stop();
    this.#commits.close();
    for (const [request, answer] of this.#cuts) answer(refusedCut(request));
    this.#cuts.clear();
    const reason = "the process ends";
    for (const settle of this.#handOvers.splice(0)) settle({ isDone: false, reason });
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

  append(fields: HeaderFields, body: Uint8Array, meaning: EntryMeaning): Appended | undefined {
    const { context, shard } = this.#options;
    // A listener of a commit that appends: its turn comes when this one is over.
    this.#isHeldBack = this.#isStepping || this.#writes.isWaiting;
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
    const request = this.#cutNext++;
    if (this.#isStopped) {
      answer(refusedCut(request));
      return;
    }
    this.#cuts.set(request, answer);
    this.input({ kind: "cut", request });
  }

  handOver(order: Omit<Extract<Input, { kind: "hand-over" }>, "kind">): Promise<Settled> {
    return new Promise((resolve) => {
      this.#handOvers.push(resolve);
      this.input({ kind: "hand-over", ...order });
    });
  }

  recover(liveMembers: readonly string[]): Promise<Recovered> {
    return new Promise((resolve) => {
      this.#recoveries.push(resolve);
      this.input({ kind: "recover", liveMembers });
    });
  }

  #perform(effect: Effect): void {
    const { calls, context, held, shard } = this.#options;
    switch (effect.kind) {
      case "append":
        this.#append(effect);
        break;
      case "truncate":
        this.#writes.add({ kind: "truncate", write: effect.write, to: effect.after });
        break;
      case "reset-log":
        this.#writes.add({ kind: "reset", write: effect.write, to: effect.base });
        break;
      case "forget":
        shard.forget(unknownOutcome(shard));
        break;
      case "persist":
        this.#persist(effect);
        break;
      case "read":
        this.#read(effect);
        break;
      case "free":
        context.epochs.noteSealed(shard.id, effect.through);
        context.log.sealed(shard.id, effect.through.position);
        break;
      case "look":
        calls.look(shard.id, (facts) => this.#looked(effect.look, facts));
        break;
      case "multi":
        void this.#multi(effect);
        break;
      case "send":
        sendMessage(this.#options, { replica: effect.to, link: effect.link }, effect.message);
        break;
      case "hold-segments":
        held.hold(effect);
        break;
      case "load":
        void this.#load(effect);
        break;
      default:
        this.#tell(effect);
    }
  }

  /** What is for this node: its appends, cuts, seals, and whoever asked for a move. */
  #tell(effect: Exclude<Effect, { readonly kind: DeedKind }>): void {
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
        this.#cuts.get(effect.request)?.(effect);
        this.#cuts.delete(effect.request);
        break;
      case "commit-settled":
        this.#commits.settled(effect.id, effect.outcome, core.status.promised);
        break;
      case "hand-over-settled":
        this.#handOvers.shift()?.(effect);
        break;
      case "recover-settled":
        this.#recoveries.shift()?.(effect);
        break;
      case "halt":
        this.#halt(effect.reason);
    }
  }

  #append({ entries, isOwn, write }: Of<"append">): void {
    if (isOwn) for (const entry of entries) this.#place(entry);
    this.#writes.add({
      kind: "entries",
      write,
      entries: entries.map(({ body }) => loggedOf(body)),
    });
  }

  /** An own entry has its place: it counts from here on. */
  #place({ epoch, position, previousEpoch, previousPosition, committed, body }: Entry): void {
    const { context, shard } = this.#options;
    const own = body as OwnEntry;
    const place = { epoch, position, previousEpoch, previousPosition, committed };
    own.header = shard.headerAt(own.fields, place, context.clock.now());
    own.committed = shard.appended(own.header, own.meaning);
  }

  #persist({ record, state }: Of<"persist">): void {
    const { context, shard } = this.#options;
    noteRecord(context.epochs, shard.id, state).then(
      () => this.input({ kind: "persisted", record }),
      (thrown: unknown) => this.failed(serviceErrorOf(thrown)),
    );
  }

  #read({ read, from, bytesMax }: Of<"read">): void {
    const { context, shard } = this.#options;
    const entries: Entry[] = [];
    let result: Extract<Input, { kind: "entries-read" }>["result"] = entries;
    try {
      for (let bytes = 0, at = from; bytes < bytesMax; at++) {
        const logged = context.log.read(shard.id, at);
        if (logged === undefined) break;
        // What is still in the arena may be let go before it is sent.
        const body = Buffer.from(logged.body);
        entries.push(entryOf({ header: logged.header, body }));
        bytes += entryBytesOf(logged.header);
      }
      if (entries.length === 0) result = "gone";
    } catch (thrown) {
      const facts = { shard: shard.id, position: from, reason: messageOf(thrown) };
      context.logger.error(facts, "an entry of the commit log cannot be read");
      result = "damaged";
    }
    this.input({ kind: "entries-read", read, result });
  }

  #looked(look: number, facts: ShardFacts | undefined): void {
    const { damage, member } = this.#options;
    if (facts === undefined) {
      this.input({ kind: "view-failed", look });
      return;
    }
    this.input({ kind: "view", look, facts });
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

  async #multi({ multi, version, op }: Of<"multi">): Promise<void> {
    const { calls, shard } = this.#options;
    assert(version !== undefined, "a change is conditional on a version");
    const outcome =
      op.kind === "manifest"
        ? await this.#commits.make(op.commit, version)
        : await calls.change(shard.id, version, op);
    this.input({ kind: "outcome", multi, outcome });
  }

  async #load({ load, epoch, end }: Of<"load">): Promise<void> {
    const { context, shard } = this.#options;
    try {
      const sealed = await shard.exclusive(() => this.#options.load(end));
      this.#loadError = undefined;
      const body = epochStart();
      const bytes = entryBytesOf(shard.nextHeader(body.fields, 0));
      this.input({ kind: "loaded", load, sealed, epochStart: { bytes, body } });
    } catch (thrown) {
      const error = serviceErrorOf(thrown);
      const facts = { err: error, shard: shard.id, epoch, ...error.fields };
      context.logger.error(facts, "shard is not served");
      this.#loadError = error;
      const reason = error.message;
      this.input({ kind: "load-failed", load, reason, isPassing: isPassing(error) });
    }
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
