import type { Timeline } from "./timeline.ts";
import { type Op, type Refusal, type Znode, Znodes } from "./znodes.ts";

/**
 * `lost`: the connection broke before the answer; the txn may have been made, may yet be made before anything else that the
 * session asks for, or never. `expired`: the session is over, and this was not done.
 */
export type Outcome =
  | { readonly kind: "done"; readonly zxid: number }
  | { readonly kind: "refused"; readonly refusal: Refusal }
  | { readonly kind: "lost" }
  | { readonly kind: "expired" };

/** A server's tree as it is there: it may lag behind what is committed. */
export interface View {
  get(path: string): Znode | undefined;
  /** All znodes whose path begins so. */
  list(prefix: string): readonly Znode[];
}

/** Sessions of processes end after this long without a sign of life. */
const sessionTimeoutMs = 6000;

/** The ensemble: one list of txns, and sessions that it ends when it has not heard of them. */
export class Coordinator {
  readonly timeline: Timeline;
  readonly tree = new Znodes();
  /** When each session was last heard of. */
  readonly #heard = new Map<number, number>();
  #sessionLast = 0;
  /** Told after each txn. */
  onTxn: (() => void) | undefined;
  /** Until then nothing is committed, and no session ends. */
  quorumLostUntil = 0;

  constructor(timeline: Timeline) {
    this.timeline = timeline;
    this.#expireLater();
  }

  get hasQuorum(): boolean {
    return this.timeline.now >= this.quorumLostUntil;
  }

  /** A new leader grants every session a whole timeout. */
  loseQuorum(ms: number): void {
    this.quorumLostUntil = this.timeline.now + ms;
    this.timeline.after(ms, () => {
      for (const session of this.#heard.keys()) this.#heard.set(session, this.timeline.now);
    });
  }

  open(): number {
    this.#heard.set(++this.#sessionLast, this.timeline.now);
    return this.#sessionLast;
  }

  isLive(session: number): boolean {
    return this.#heard.has(session);
  }

  hear(session: number): void {
    if (this.#heard.has(session)) this.#heard.set(session, this.timeline.now);
  }

  /** Ends a session at once: it was closed, or has been silent for too long. */
  end(session: number): void {
    if (!this.#heard.delete(session)) return;
    this.tree.end(this.timeline.now, session);
    this.onTxn?.();
  }

  multi(session: number, ops: readonly Op[]): Outcome {
    if (!this.isLive(session)) return { kind: "expired" };
    this.hear(session);
    const result = this.tree.multi(this.timeline.now, session, ops);
    if (typeof result === "string") return { kind: "refused", refusal: result };
    this.onTxn?.();
    return { kind: "done", zxid: result };
  }

  #expireLater(): void {
    this.timeline.after(500, () => {
      if (this.hasQuorum) {
        for (const [session, heard] of this.#heard) {
          if (this.timeline.now - heard > sessionTimeoutMs) this.end(session);
        }
      }
      this.#expireLater();
    });
  }
}

interface Request {
  readonly ops: readonly Op[] | undefined;
  /** The server has carried it out, or said no; the answer is under way. */
  isServed: boolean;
  readonly answer: (outcome: Outcome, view: View) => void;
}

/** How a client's connection is faring. */
interface Connection {
  /** Answers of an earlier one are not heard any more. */
  readonly id: number;
  isUp: boolean;
  /** How far the server that it is connected to lags behind. */
  lagMs: number;
}

/**
 * A process's client: one session at a time, its requests served in order. Reads go to a server that may lag behind,
 * yet never behind what the session has seen or written.
 */
export class CoordinatorClient {
  readonly #coordinator: Coordinator;
  readonly #isAlive: () => boolean;
  readonly #onExpired: () => void;
  #session: number;
  #connection: Connection = { id: 0, isUp: true, lagMs: 0 };
  /** Reads are not older than this. */
  #zxidSeen = 0;
  #arrives = 0;
  #answered = 0;
  readonly #waiting: Request[] = [];
  /** Sent and without an answer. */
  #sent: Request[] = [];
  /** Of a connection that is gone: made, if at all, before anything newer of this session. */
  #late: (readonly Op[])[] = [];
  #isClosed = false;
  #served: (() => void) | undefined;

  /** `isAlive`: it can send now. `onExpired`: its session has ended, and another has begun. */
  constructor(coordinator: Coordinator, isAlive: () => boolean, onExpired: () => void) {
    this.#coordinator = coordinator;
    this.#isAlive = isAlive;
    this.#onExpired = onExpired;
    this.#session = coordinator.open();
    this.#beatLater();
  }

  get session(): number {
    return this.#session;
  }

  get isConnected(): boolean {
    return this.#connection.isUp;
  }

  /** The process is gone. Its session lives on until the ensemble misses it. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    // What was under way may still be done.
    for (const request of this.#sent) this.#mayHappen(request);
    this.#lateFinish(false);
  }

  /** As `close`, and nothing that is under way is done. */
  drop(): void {
    this.#sent = [];
    this.#late = [];
    this.close();
  }

  /** Calls when the next txn was made, before its answer is on its way. */
  onServed(run: () => void): void {
    this.#served = run;
  }

  /** Says goodbye: the session ends at once. */
  end(): void {
    this.close();
    this.#coordinator.end(this.#session);
  }

  /** One txn; `answer` gets a view that is not older than it. */
  multi(ops: readonly Op[], answer: (outcome: Outcome, view: View) => void): void {
    this.#ask({ ops, isServed: false, answer });
  }

  /** Reads at the server as it is: possibly of long ago. */
  read(answer: (outcome: Outcome, view: View) => void): void {
    this.#ask({ ops: undefined, isServed: false, answer });
  }

  /** The connection breaks, and comes back after a while, maybe to another server. */
  disconnect(ms: number): void {
    const { prng } = this.#coordinator.timeline;
    const id = this.#connection.id + 1;
    this.#connection = { id, isUp: false, lagMs: prng.pick([0, 0, 20, 300, 3000]) };
    const lost = this.#sent;
    this.#sent = [];
    for (const request of lost) this.#mayHappen(request);
    for (const { answer } of lost) answer({ kind: "lost" }, this.#view());
    this.#coordinator.timeline.after(ms, () => {
      if (this.#connection.id === id) this.#reconnect();
    });
  }

  /** From now on it is connected, and its server lags no more. */
  calm(): void {
    if (!this.#connection.isUp) this.#reconnect();
    this.#connection.lagMs = 0;
  }

  #ask(request: Request): void {
    this.#waiting.push(request);
    this.#flush();
  }

  #flush(): void {
    while (this.#connection.isUp && this.#waiting.length > 0) this.#send(this.#waiting.shift()!);
  }

  #send(request: Request): void {
    const { timeline } = this.#coordinator;
    const { id } = this.#connection;
    this.#sent.push(request);
    this.#arrives = Math.max(this.#arrives, timeline.now + 1 + timeline.prng.below(12));
    timeline.at(this.#arrives, () => this.#serve(id, request));
  }

  #serve(connection: number, request: Request): void {
    if (this.#isClosed || this.#connection.id !== connection) return;
    const { timeline } = this.#coordinator;
    if (!this.#coordinator.hasQuorum) {
      this.disconnect(this.#coordinator.quorumLostUntil - timeline.now + timeline.prng.below(200));
      return;
    }
    const outcome: Outcome =
      request.ops === undefined
        ? { kind: "done", zxid: this.#zxidNow() }
        : this.#coordinator.multi(this.#session, request.ops);
    request.isServed = true;
    if (request.ops !== undefined) {
      this.#served?.();
      this.#served = undefined;
      if (this.#connection.id !== connection) return;
    }
    this.#answered = Math.max(this.#answered, timeline.now + 1 + timeline.prng.below(8));
    timeline.at(this.#answered, () => {
      if (this.#isClosed || this.#connection.id !== connection) return;
      this.#sent.splice(this.#sent.indexOf(request), 1);
      if (outcome.kind === "expired") {
        this.#expired();
        request.answer(outcome, this.#view());
        return;
      }
      if (outcome.kind === "done") this.#zxidSeen = Math.max(this.#zxidSeen, outcome.zxid);
      request.answer(outcome, this.#view());
    });
  }

  /** What the server shows now. */
  #view(): View {
    const zxid = this.#zxidNow();
    this.#zxidSeen = zxid;
    const { tree } = this.#coordinator;
    return { get: (path) => tree.get(path, zxid), list: (prefix) => tree.list(prefix, zxid) };
  }

  #zxidNow(): number {
    const { tree, timeline } = this.#coordinator;
    return Math.max(this.#zxidSeen, tree.zxidAt(timeline.now - this.#connection.lagMs));
  }

  #mayHappen({ ops, isServed }: Request): void {
    if (ops === undefined || isServed) return;
    switch (this.#coordinator.timeline.prng.below(3)) {
      case 0:
        return;
      case 1:
        if (this.#coordinator.hasQuorum) this.#coordinator.multi(this.#session, ops);
        return;
      default:
        this.#late.push(ops);
    }
  }

  #lateFinish(hasReconnected: boolean): void {
    const late = this.#late;
    this.#late = [];
    const make = (ops: readonly Op[]): void => void this.#coordinator.multi(this.#session, ops);
    if (hasReconnected) for (const ops of late) make(ops);
    else for (const ops of late) this.#coordinator.timeline.after(200, () => make(ops));
  }

  #reconnect(): void {
    if (this.#isClosed || this.#connection.isUp) return;
    const { timeline } = this.#coordinator;
    if (!this.#coordinator.hasQuorum || !this.#isAlive()) {
      const { id } = this.#connection;
      timeline.after(100 + timeline.prng.below(300), () => {
        if (this.#connection.id === id) this.#reconnect();
      });
      return;
    }
    this.#lateFinish(true);
    this.#connection.isUp = true;
    if (!this.#coordinator.isLive(this.#session)) {
      this.#expired();
      return;
    }
    this.#coordinator.hear(this.#session);
    this.#flush();
  }

  #expired(): void {
    const lost = this.#sent;
    const ended = this.#waiting.splice(0);
    this.#sent = [];
    this.#connection = { ...this.#connection, id: this.#connection.id + 1 };
    this.#session = this.#coordinator.open();
    for (const { answer } of lost) answer({ kind: "lost" }, this.#view());
    for (const { answer } of ended) answer({ kind: "expired" }, this.#view());
    this.#onExpired();
    this.#flush();
  }

  #beatLater(): void {
    const { timeline } = this.#coordinator;
    timeline.after(1500 + timeline.prng.below(200), () => {
      if (this.#isClosed) return;
      const isHeard = this.#connection.isUp && this.#isAlive() && this.#coordinator.hasQuorum;
      if (isHeard && this.#coordinator.isLive(this.#session)) {
        this.#coordinator.hear(this.#session);
      } else if (isHeard) this.#expired();
      this.#beatLater();
    });
  }
}
