import { setTimeout as sleep } from "node:timers/promises";
import { aclOpen } from "../../coordinator/src/client/acl.ts";
import type { Codec } from "../../coordinator/src/wire/codec.ts";
import { createModes, opCodes, versionAny } from "../../coordinator/src/wire/constants.ts";
import * as records from "../../coordinator/src/wire/records.ts";
import type { Prng } from "../../kit/src/prng.ts";
import type { Operation } from "./linearizability.ts";
import { base, type Notes } from "./notes.ts";
import type { RegisterCall } from "./register.ts";
import { type Address, ClientSession, type Outcome } from "./session.ts";

export interface ClientPlace {
  /** Unique; the values that it writes begin with it. */
  readonly name: string;
  readonly addresses: readonly Address[];
  readonly first: number;
  readonly timeoutMs: number;
  readonly thinkMsMax: number;
  readonly prng: Prng;
}

type Mode = keyof typeof createModes;
type DataAnswer = Outcome<records.DataResponse>;

/** How long the preparation waits for a server. */
const prepareMsMax = 90_000;

/** One of a workload's clients: does one thing after the other and notes what it asked and heard. */
export class Client {
  readonly #place: ClientPlace;
  readonly #notes: Notes;
  readonly #session: ClientSession;
  /** Versions that it last saw of the registers. */
  readonly #versions = new Map<string, number>();
  #written = 0;
  #sent = 0;
  #ephemeral: string | undefined;

  constructor(place: ClientPlace, notes: Notes) {
    this.#place = place;
    this.#notes = notes;
    this.#session = new ClientSession(place, {
      attached: (_, isNew) => {
        if (isNew) this.#ephemeral = undefined;
      },
      detached: (order) => notes.seen.push({ kind: "detached", session: this.#session.id, order }),
      expired: (session) => notes.expired.push(session),
      event: ({ type, path, order }) =>
        notes.seen.push({ kind: "event", session: this.#session.id, order, path, type }),
    });
  }

  /** The ephemeral of the session it has. */
  get ephemeral(): string | undefined {
    return this.#ephemeral;
  }

  /** Makes what all clients use. */
  async prepare(registers: readonly string[]): Promise<void> {
    const deadline = performance.now() + prepareMsMax;
    const paths = [base, `${base}/own`, `${base}/sequence`, `${base}/ephemeral`];
    for (const path of [...paths, ...registers]) {
      for (;;) {
        if (!(await this.#session.ready(deadline))) throw new Error("no server takes a client");
        const made = await this.#create(path, "persistent", "0");
        if (made.kind === "ok") break;
        if (made.kind === "error" && made.error === "NODEEXISTS") break;
      }
    }
  }

  async run(signal: AbortSignal): Promise<void> {
    const { prng, thinkMsMax } = this.#place;
    try {
      while (!signal.aborted) {
        if (!(await this.#session.ready(performance.now() + 200))) continue;
        await this.#next();
        await sleep(prng.below(thinkMsMax + 1));
      }
    } catch (thrown) {
      this.#notes.faults.push(`${this.#place.name}: ${(thrown as Error).stack}`);
    }
  }

  close(): Promise<boolean> {
    return this.#session.close();
  }

  abandon(): void {
    this.#session.abandon();
  }

  #next(): Promise<void> {
    const { prng } = this.#place;
    const register = prng.pick([...this.#notes.registers.keys()]);
    const drawn = prng.below(100);
    if (drawn < 25) return this.#write(register);
    if (drawn < 50) return this.#syncAndRead(register);
    if (drawn < 65) return this.#compareAndSet(register);
    if (drawn < 80) return this.#read(register, true);
    if (drawn < 88) return this.#pipeline();
    if (drawn < 95) return this.#sequential();
    return this.#own();
  }

  async #write(path: string): Promise<void> {
    const value = this.#value();
    const start = performance.now();
    const answer = await this.#set(path, value, versionAny);
    const version = answer.kind === "ok" ? answer.value.stat.version : undefined;
    this.#operation(path, start, answer, { kind: "write", value, version });
  }

  async #compareAndSet(path: string): Promise<void> {
    const expected = this.#versions.get(path);
    if (expected === undefined) return this.#read(path, false);
    const value = this.#value();
    const start = performance.now();
    const answer = await this.#set(path, value, expected);
    const isDone = answer.kind === "lost" ? undefined : answer.kind === "ok";
    this.#operation(path, start, answer, { kind: "compareAndSet", expected, value, isDone });
    // Without a newer version it would fail for ever.
    if (answer.kind === "error") this.#versions.delete(path);
  }

  async #syncAndRead(path: string): Promise<void> {
    const start = performance.now();
    // Both at once: what is behind a sync on one connection is answered after it.
    const synced = this.#session.ask(
      opCodes.sync,
      records.PathRequest,
      { path },
      records.PathResponse,
    );
    const answer = await this.#get(path, false);
    if ((await synced).kind !== "ok" || answer.kind !== "ok") return;
    const { stat, data } = answer.value;
    const call = { kind: "read", value: textOf(data), version: stat.version } as const;
    this.#operation(path, start, answer, call);
  }

  async #read(path: string, isWatched: boolean): Promise<void> {
    await this.#get(path, isWatched);
  }

  /** Some writes and reads of a znode of its own on the way at once: each read shows the write before it. */
  async #pipeline(): Promise<void> {
    const path = `${base}/own/${this.#place.name}`;
    const made = await this.#create(path, "persistent", "0");
    if (made.kind !== "ok" && !(made.kind === "error" && made.error === "NODEEXISTS")) return;
    const values = Array.from({ length: 1 + this.#place.prng.below(6) }, () => this.#value());
    const pairs = values.map((value) => [
      this.#set(path, value, versionAny),
      this.#get(path, false),
    ]);
    for (const [at, [set, get]] of pairs.entries()) {
      const wrote = (await set) as Outcome<records.StatResponse>;
      const read = (await get) as DataAnswer;
      if (wrote.kind !== "ok" || read.kind !== "ok") continue;
      const shown = textOf(read.value.data);
      if (shown !== values[at]) {
        this.#notes.faults.push(`${path} showed ${shown} right after ${values[at]} was written`);
      }
    }
  }

  async #sequential(): Promise<void> {
    await this.#create(`${base}/sequence/n-`, "persistentSequential", this.#value());
  }

  /** Its ephemeral is made once for each session, and is there as long. */
  async #own(): Promise<void> {
    const session = this.#session.id;
    const path = `${base}/ephemeral/${session}`;
    if (this.#ephemeral === undefined) {
      const made = await this.#create(path, "ephemeral", this.#place.name);
      // Made by a request whose answer was lost, it is the same.
      const isThere = made.kind === "error" && made.error === "NODEEXISTS";
      if ((made.kind === "ok" || isThere) && this.#session.id === session) this.#ephemeral = path;
      return;
    }
    const query = { path: this.#ephemeral, watch: false };
    const { WatchedRequest, StatResponse } = records;
    const answer = await this.#count(
      this.#session.ask(opCodes.exists, WatchedRequest, query, StatResponse),
    );
    if (answer.kind === "error" && answer.error === "NONODE") {
      this.#notes.faults.push(`${path} is gone while its session ${session} is answered`);
    }
    if (answer.kind !== "ok") return;
    const czxid = Number(answer.value.stat.czxid);
    this.#notes.seen.push({ kind: "own", session, order: answer.order, path, czxid });
  }

  async #create(
    path: string,
    mode: Mode,
    value: string,
  ): Promise<Outcome<records.Create2Response>> {
    const body = { path, data: Buffer.from(value), acl: aclOpen, flags: createModes[mode] };
    const { CreateRequest, Create2Response } = records;
    const answer = await this.#count(
      this.#session.ask(opCodes.create2, CreateRequest, body, Create2Response),
    );
    if (answer.kind !== "ok") return answer;
    this.#acknowledged();
    const { path: made, stat } = answer.value;
    if (this.#notes.created.has(made)) this.#notes.faults.push(`${made} was made twice`);
    if (mode !== "ephemeral") this.#notes.created.set(made, Number(stat.czxid));
    return answer;
  }

  async #set(path: string, value: string, version: number): Promise<Outcome<records.StatResponse>> {
    const sent = ++this.#sent;
    const session = this.#session.id;
    const body = { path, data: Buffer.from(value), version };
    const { SetDataRequest, StatResponse } = records;
    const answer = await this.#count(
      this.#session.ask(opCodes.setData, SetDataRequest, body, StatResponse),
    );
    if (answer.kind !== "ok") return answer;
    this.#acknowledged();
    const { version: done, mzxid } = answer.value.stat;
    this.#versions.set(path, done);
    const { order } = answer;
    const what = { path, version: done, mzxid: Number(mzxid), value, sent };
    this.#notes.seen.push({ kind: "wrote", session, order, ...what });
    return answer;
  }

  async #get(path: string, isWatched: boolean): Promise<DataAnswer> {
    const session = this.#session.id;
    const query = { path, watch: isWatched };
    const { WatchedRequest } = records;
    const answer = await this.#count(
      this.#session.ask(opCodes.getData, WatchedRequest, query, OwnedData),
    );
    if (answer.kind !== "ok") return answer;
    const { stat, data } = answer.value;
    this.#versions.set(path, stat.version);
    const { order, zxid } = answer;
    const what = { version: stat.version, mzxid: Number(stat.mzxid), value: textOf(data) };
    this.#notes.seen.push({ kind: "read", session, order, path, zxid, isWatched, ...what });
    return answer;
  }

  async #count<T>(asked: Promise<Outcome<T>>): Promise<Outcome<T>> {
    const answer = await asked;
    const { counts } = this.#notes;
    if (answer.kind === "ok") counts.ok++;
    else if (answer.kind === "error") counts.refused++;
    else if (answer.kind === "lost") counts.lost++;
    return answer;
  }

  #acknowledged(): void {
    const { gaps } = this.#notes;
    const now = performance.now();
    gaps.longestMs = Math.max(gaps.longestMs, now - gaps.lastMs);
    gaps.lastMs = now;
  }

  #operation(path: string, start: number, answer: Outcome<unknown>, call: RegisterCall): void {
    if (answer.kind === "unsent") return;
    if (answer.kind === "error" && answer.error !== "BADVERSION") {
      // A session that has ended, or moved, asks for nothing; whatever else is not an answer to this question.
      if (answer.error === "SESSIONEXPIRED" || answer.error === "SESSIONMOVED") return;
      this.#notes.faults.push(`${path}: ${call.kind} was answered ${answer.error}`);
      return;
    }
    const end = answer.kind === "lost" ? Number.POSITIVE_INFINITY : performance.now();
    const operations = this.#notes.registers.get(path) as Operation<RegisterCall>[];
    operations.push({ start, end, call });
  }

  #value(): string {
    return `${this.#place.name}-${++this.#written}`;
  }
}

function textOf(data: Uint8Array | null): string {
  return data === null ? "" : Buffer.from(data).toString();
}

/** A reply's bytes are used again. */
const OwnedData: Codec<records.DataResponse> = {
  read: (from) => {
    const { data, stat } = records.DataResponse.read(from);
    return { data: data === null ? null : Buffer.from(data), stat };
  },
  write: (to, value) => records.DataResponse.write(to, value),
};
