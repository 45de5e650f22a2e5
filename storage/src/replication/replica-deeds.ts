import { assert } from "../../../kit/src/assert.ts";
import { messageOf, type ServiceError, serviceErrorOf } from "../../../kit/src/errors.ts";
import { entryBytesOf, type LogPoint } from "../log/entry.ts";
import type { StoreContext } from "../shard/context.ts";
import type { Shard } from "../shard/shard.ts";
import type { CommitDesk } from "./commit-desk.ts";
import type { CoordinatorCalls } from "./coordinator-calls.ts";
import { messageEntriesMax } from "./core/limits.ts";
import type { Effect, Entry, Input, SealedState, ShardFacts } from "./core/types.ts";
import { sendMessage } from "./entry-sender.ts";
import type { HeldSegments } from "./held-segments.ts";
import { isPassing } from "./load-shard.ts";
import { noteRecord } from "./note-record.ts";
import type { Outbox } from "./outbox.ts";
import { epochStart, unknownOutcome } from "./outcomes.ts";
import { loggedOf, type OwnEntry } from "./own-entry.ts";
import { ShardWrites } from "./shard-writes.ts";
import { entryOf } from "./wire.ts";

type Of<Kind extends Effect["kind"]> = Extract<Effect, { readonly kind: Kind }>;

/** What is done to the disk, the coordinator and other replicas. */
export type Deed = Of<
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
  | "load"
>;

export interface DeedOptions {
  readonly context: StoreContext;
  readonly shard: Shard;
  readonly calls: CoordinatorCalls;
  readonly outbox: Outbox;
  readonly held: HeldSegments;
  readonly commits: CommitDesk;
  /** See `loadShard`. */
  readonly load: (end: LogPoint) => Promise<SealedState>;
}

/** What deeds tell their host. */
export interface DeedEvents {
  /** What came of one. */
  input(input: Input): void;
  /** The disk is not to be trusted any more. */
  failed(error: ServiceError): void;
  /** The core has taken what was looked at. */
  looked(facts: ShardFacts): void;
  /** Undefined: what had failed before is of no interest any more. */
  loadFailed(error: ServiceError | undefined): void;
}

/** Carries out what a replica's core asks of the disk, the coordinator and other replicas. */
export class ReplicaDeeds {
  readonly #options: DeedOptions;
  readonly #events: DeedEvents;
  readonly #writes: ShardWrites;
  /** What the coordinator was asked last: one change at a time. */
  #asking: Promise<void> = Promise.resolve();

  constructor(options: DeedOptions, events: DeedEvents) {
    this.#options = options;
    this.#events = events;
    const { context, shard } = options;
    this.#writes = new ShardWrites(context.log, shard.id, {
      onWritten: (write) => events.input({ kind: "written", write }),
      onFailed: (error) => events.failed(error),
    });
  }

  /** Whether an entry that comes next would have to wait for room in the log. */
  get isWaiting(): boolean {
    return this.#writes.isWaiting;
  }

  /** Begins nothing more; what is on its way to the disk goes there. */
  stop(): void {
    this.#writes.stop();
  }

  /** After a stop: resolves when nothing is on its way to disk or coordinator any more. Rejects with what the file system says. */
  async settled(): Promise<void> {
    await this.#writes.settled();
    await this.#asking.catch(() => undefined);
    await this.#options.context.epochs.flush();
  }

  perform(deed: Deed): void {
    const { calls, context, held, shard } = this.#options;
    switch (deed.kind) {
      case "append":
        this.#append(deed);
        break;
      case "truncate":
        this.#writes.add({ kind: "truncate", write: deed.write, to: deed.after });
        break;
      case "reset-log":
        context.epochs.noteReset(shard.id, deed.base.position);
        this.#writes.add({ kind: "reset", write: deed.write, to: deed.base });
        break;
      case "forget":
        shard.forget(unknownOutcome(shard));
        break;
      case "persist":
        this.#persist(deed);
        break;
      case "read":
        this.#read(deed);
        break;
      case "free":
        context.epochs.noteSealed(shard.id, deed.through);
        context.log.sealed(shard.id, deed.through.position);
        break;
      case "look":
        calls.look(shard.id, (facts) => this.#looked(deed.look, facts));
        break;
      case "multi":
        this.#asking = this.#multi(deed);
        break;
      case "send":
        sendMessage(this.#options, { replica: deed.to, link: deed.link }, deed.message);
        break;
      case "hold-segments":
        held.hold(deed);
        break;
      case "load":
        void this.#load(deed);
        break;
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
      () => this.#events.input({ kind: "persisted", record }),
      (thrown: unknown) => this.#events.failed(serviceErrorOf(thrown)),
    );
  }

  #read({ read, from, bytesMax }: Of<"read">): void {
    const { context, shard } = this.#options;
    const entries: Entry[] = [];
    let result: Extract<Input, { kind: "entries-read" }>["result"] = entries;
    try {
      for (let bytes = 0, at = from; bytes < bytesMax && at - from < messageEntriesMax; at++) {
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
    this.#events.input({ kind: "entries-read", read, result });
  }

  #looked(look: number, facts: ShardFacts | undefined): void {
    if (facts === undefined) {
      this.#events.input({ kind: "view-failed", look });
      return;
    }
    this.#events.input({ kind: "view", look, facts });
    this.#events.looked(facts);
  }

  async #multi({ multi, version, op }: Of<"multi">): Promise<void> {
    const { calls, commits, shard } = this.#options;
    assert(version !== undefined, "a change is conditional on a version");
    const outcome =
      op.kind === "manifest"
        ? await commits.make(op.commit, version)
        : await calls.change(shard.id, version, op);
    this.#events.input({ kind: "outcome", multi, outcome });
  }

  async #load({ load, epoch, end }: Of<"load">): Promise<void> {
    const { context, shard } = this.#options;
    try {
      const sealed = await shard.exclusive(() => this.#options.load(end));
      this.#events.loadFailed(undefined);
      const body = epochStart();
      const bytes = entryBytesOf(shard.nextHeader(body.fields, 0));
      this.#events.input({ kind: "loaded", load, sealed, epochStart: { bytes, body } });
    } catch (thrown) {
      const error = serviceErrorOf(thrown);
      const facts = { err: error, shard: shard.id, epoch, ...error.fields };
      context.logger.error(facts, "shard is not served");
      this.#events.loadFailed(error);
      const reason = error.message;
      this.#events.input({ kind: "load-failed", load, reason, isPassing: isPassing(error) });
    }
  }
}
