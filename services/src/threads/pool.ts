import { type Transferable, Worker } from "node:worker_threads";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import { errorOfPosted, type JobMessage, type ReplyMessage } from "./messages.ts";

/** Lanes of short jobs, for which somebody waits. They take turns: many of one kind hold up no other. */
const shortLanes = ["ingest", "tail", "query"] as const;

/** Seals go before all: one that waits keeps memory from everybody. Merges and the mirror take what is left. */
export const lanes = ["seal", ...shortLanes, "merge", "mirror"] as const;
export type Lane = (typeof lanes)[number];

/** Lanes of long jobs, which never get all workers as long as there are two: somebody always waits for an answer. */
const upkeepLanes: ReadonlySet<Lane> = new Set(["seal", "merge", "mirror"]);

export interface PoolOptions {
  readonly name: string;
  readonly size: number;
  /** Short jobs posted to one worker at a time: with 2 one waits there while one runs, to hide the way back. */
  readonly depth: number;
  readonly entry: URL;
  /** Given to each worker together with its `index`. */
  readonly workerData: object;
  /** Megabytes of heap of one worker. */
  readonly heapMaxMb: number;
  readonly logger: Logger;
  /** A worker has died: what it held by its index is nobody's. Called before its successor starts. */
  readonly onLost?: (index: number) => void;
}

export interface JobOptions {
  readonly lane: Lane;
  readonly transfer?: readonly Transferable[];
  readonly signal?: AbortSignal;
  /** Jobs of one number read the same data: the same worker takes them, which has it in its cache, unless another would be idle. */
  readonly near?: number;
}

interface Job {
  readonly message: JobMessage;
  readonly options: JobOptions;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
  /** How often another of its lane went before it. */
  passed: number;
}

interface Member {
  readonly index: number;
  worker: Worker;
  readonly running: Map<number, Job>;
  /** Has ended, and its successor has not been started yet. */
  isDown: boolean;
  /** How often in a row a worker ended before it had told anything. */
  failures: number;
}

/** Workers of one place that end while they load, until all is given up: a file is missing, memory is short. */
const loadFailuresMax = 6;

/** Milliseconds before the second start, twice as long before each further one: the last is some seconds later. */
const restartMs = 100;

/** For so long after a query or tail, no seal takes the last worker: whoever asked may well ask again. */
const askedMsMin = 1000;

/** Jobs of a lane that are looked through for one that a worker has the data of; none waits for more than as many others. */
const nearLook = 16;

/** Megabytes of new objects of one worker: what lives long lies in typed arrays, outside of the heap. */
const youngMaxMb = 8;

/** Worker threads that take jobs in order of lane; one that dies is replaced and its jobs fail. */
export class WorkerPool {
  readonly #options: PoolOptions;
  readonly #members: Member[] = [];
  readonly #waiting = new Map<Lane, Job[]>(lanes.map((lane) => [lane, []]));
  /** Short lanes, the one that had a turn last at the end. */
  #turns: readonly Lane[] = shortLanes;
  #nextId = 1;
  /** When somebody last asked for something, and did not only send. */
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #closing = false;
  /** Why no worker can be had. */
  #broken: ServiceError | undefined;

  constructor(options: PoolOptions) {
    this.#options = options;
    for (let i = 0; i < options.size; i++) {
      const worker = this.#spawn(i);
      const member = { index: i, worker, running: new Map(), isDown: false, failures: 0 };
      this.#members.push(member);
      this.#listen(member, i);
    }
  }

  get size(): number {
    return this.#options.size;
  }

  /** Jobs that no worker has yet, for metrics and for admission. */
  waitingCount(lane: Lane): number {
    return this.#waiting.get(lane)?.length ?? 0;
  }

  run<Result>(kind: string, payload: unknown, options: JobOptions): Promise<Result> {
    if (this.#closing) {
      return Promise.reject(new ServiceError("service.stopping", "the service is stopping"));
    }
    if (this.#broken !== undefined) return Promise.reject(this.#broken);
    if (options.lane === "query" || options.lane === "tail") this.#askedAtMs = performance.now();
    return new Promise<Result>((resolve, reject) => {
      const message = { id: this.#nextId++, kind, payload };
      const answer = (value: unknown): void => resolve(value as Result);
      const job: Job = { message, options, resolve: answer, reject, passed: 0 };
      this.#waiting.get(options.lane)?.push(job);
      this.#dispatch();
    });
  }

  /** Posts the same message to every worker; no answer is awaited. */
  broadcast(kind: string, payload: unknown): void {
    for (const { worker } of this.#members) worker.postMessage({ id: 0, kind, payload });
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#rejectWaiting(new ServiceError("service.stopping", "the service is stopping"));
    await Promise.all(this.#members.map(({ worker }) => worker.terminate()));
  }

  #spawn(index: number): Worker {
    return new Worker(this.#options.entry, {
      name: `${this.#options.name}-${index}`,
      workerData: { ...this.#options.workerData, index },
      resourceLimits: {
        maxOldGenerationSizeMb: this.#options.heapMaxMb,
        maxYoungGenerationSizeMb: youngMaxMb,
      },
    });
  }

  #listen(member: Member, index: number): void {
    const { worker } = member;
    let failure = "the worker ended";
    worker.on("message", (reply: ReplyMessage) => {
      member.failures = 0;
      const job = member.running.get(reply.id);
      member.running.delete(reply.id);
      if (job !== undefined) {
        if ("error" in reply) job.reject(errorOfPosted(reply.error));
        else job.resolve(reply.result);
      }
      this.#dispatch();
    });
    worker.on("error", (error: Error) => {
      failure = error.message;
      this.#options.logger.error({ worker: worker.threadId, err: error }, "a worker failed");
    });
    worker.on("exit", () => {
      const lost = [...member.running.values()];
      member.running.clear();
      for (const job of lost) job.reject(new ServiceError("internal", failure));
      if (this.#closing) return;
      this.#options.onLost?.(index);
      member.isDown = true;
      if (++member.failures > loadFailuresMax) this.#giveUp(failure);
      else this.#restart(member, index);
    });
  }

  /** At once where it was a job that ended the worker; later and later where none can be loaded. */
  #restart(member: Member, index: number): void {
    const start = (): void => {
      if (this.#closing) return;
      member.worker = this.#spawn(index);
      member.isDown = false;
      this.#listen(member, index);
      this.#dispatch();
    };
    const { failures } = member;
    if (failures < 2) start();
    else setTimeout(start, restartMs * 2 ** (failures - 2)).unref();
  }

  /** Jobs of all workers fail from now on: what keeps one from loading keeps the others, too. */
  #giveUp(reason: string): void {
    this.#broken = new ServiceError("internal", `no worker can be started: ${reason}`);
    this.#options.logger.error({ reason }, "workers cannot be started; given up");
    this.#rejectWaiting(this.#broken);
  }

  #rejectWaiting(error: ServiceError): void {
    for (const queue of this.#waiting.values()) {
      for (const job of queue.splice(0)) job.reject(error);
    }
  }

  #dispatch(): void {
    while (this.#dispatchOne());
  }

  #dispatchOne(): boolean {
    for (const lane of ["seal", ...this.#turns, "merge", "mirror"] as const) {
      if (!this.#discardAborted(lane)) continue;
      const member = this.#memberFor(lane);
      if (member === undefined) continue;
      const job = this.#take(this.#queue(lane), member.index);
      member.running.set(job.message.id, job);
      member.worker.postMessage(job.message, [...(job.options.transfer ?? [])]);
      const turns = this.#turns.filter((other) => other !== lane);
      if (turns.length < this.#turns.length) this.#turns = [...turns, lane];
      return true;
    }
    return false;
  }

  /** The first job, or one soon behind it whose data the worker has. */
  #take(queue: Job[], index: number): Job {
    const first = queue[0] as Job;
    if (first.options.near === undefined || first.passed >= nearLook) return queue.shift() as Job;
    const { size } = this.#options;
    const look = queue.slice(0, nearLook);
    const place = look.findIndex(
      ({ options: { near } }) => near !== undefined && near % size === index,
    );
    if (place <= 0) return queue.shift() as Job;
    for (const passed of look.slice(0, place)) passed.passed++;
    return queue.splice(place, 1)[0] as Job;
  }

  /** Rejects what nobody waits for at the head of a lane; whether a job is left there. */
  #discardAborted(lane: Lane): boolean {
    const queue = this.#queue(lane);
    while (queue[0]?.options.signal?.aborted === true) {
      queue.shift()?.reject(new ServiceError("query.cancelled", "the caller went away"));
    }
    return queue.length > 0;
  }

  #queue(lane: Lane): Job[] {
    return this.#waiting.get(lane) as Job[];
  }

  /** The worker that takes a job of the lane now, if any may. */
  #memberFor(lane: Lane): Member | undefined {
    if (upkeepLanes.has(lane)) return this.#idleForUpkeep(lane);
    // While a seal waits for a worker to fall idle, nothing is put in line behind what runs there.
    const sealers = this.#queue("seal").length > 0 ? this.#upkeepMembers("seal") : [];
    let best: Member | undefined;
    // From the last: the first ones are who a seal or merge may need next.
    for (const member of this.#members.toReversed()) {
      const { running, isDown } = member;
      if (isDown) continue;
      const isKept = sealers.includes(member) || isAtUpkeep(member);
      if (running.size >= (isKept ? 1 : this.#options.depth)) continue;
      if (best === undefined || running.size < best.running.size) best = member;
    }
    return best;
  }

  #idleForUpkeep(lane: Lane): Member | undefined {
    return this.#upkeepMembers(lane).find(({ running, isDown }) => running.size === 0 && !isDown);
  }

  /**
   * All but the last worker: what a seal compiles and keeps in memory is then there once. A seal gets the last one, too,
   * where merges have all others, which may take long, and where it would else do nothing: more than others can seal
   * waits, no body does, and nobody has asked lately.
   */
  #upkeepMembers(lane: Lane): readonly Member[] {
    const members = this.#members.slice(0, Math.max(1, this.#members.length - 1));
    if (lane !== "seal") return members;
    const isAsked = performance.now() - this.#askedAtMs < askedMsMin;
    const isSpare = !isAsked && shortLanes.every((short) => this.#queue(short).length === 0);
    const takesLast = members.every(isAtMerge) || (isSpare && members.every(isAtUpkeep));
    return takesLast ? this.#members : members;
  }
}

function isAtUpkeep({ running }: Member): boolean {
  for (const { options } of running.values()) if (upkeepLanes.has(options.lane)) return true;
  return false;
}

/** Whether it runs a long job that is no seal. */
function isAtMerge({ running }: Member): boolean {
  for (const { options } of running.values()) {
    if (options.lane !== "seal" && upkeepLanes.has(options.lane)) return true;
  }
  return false;
}
