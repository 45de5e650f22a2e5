import { setTimeout as sleep } from "node:timers/promises";
import { Prng } from "../../kit/src/prng.ts";
import { Client, type ClientPlace } from "./client.ts";
import { base, type Notes } from "./notes.ts";
import type { Address } from "./session.ts";

export interface WorkloadOptions {
  readonly addresses: readonly Address[];
  readonly clients: number;
  readonly seed: number;
  /** Registers that all clients share: few, so that they meet. */
  readonly registers?: number;
  /** Between two operations of a client, at most. */
  readonly thinkMsMax?: number;
  readonly timeoutMs?: number;
}

/** Clients that do a bit of everything at once, until they are stopped. */
export class Workload {
  readonly notes: Notes;
  readonly #clients: readonly Client[];
  readonly #stop = new AbortController();
  readonly #done: Promise<unknown>;

  private constructor(notes: Notes, clients: readonly Client[]) {
    this.notes = notes;
    this.#clients = clients;
    this.#done = Promise.all(clients.map((client) => client.run(this.#stop.signal)));
  }

  /** Makes the registers, then lets the clients loose, spread over the addresses. */
  static async start(options: WorkloadOptions): Promise<Workload> {
    const {
      addresses,
      clients,
      seed,
      registers = 4,
      thinkMsMax = 12,
      timeoutMs = 20_000,
    } = options;
    const paths = Array.from({ length: registers }, (_, at) => `${base}/register-${at}`);
    const notes: Notes = {
      registers: new Map(paths.map((path) => [path, []])),
      seen: [],
      created: new Map(),
      expired: [],
      faults: [],
      counts: { ok: 0, refused: 0, lost: 0 },
      gaps: { lastMs: performance.now(), longestMs: 0 },
    };
    const prng = new Prng(seed);
    const placeOf = (at: number): ClientPlace => ({
      name: `c${at}`,
      addresses,
      first: at,
      timeoutMs,
      thinkMsMax,
      prng: new Prng(prng.u32()),
    });
    const first = new Client(placeOf(0), notes);
    await first.prepare(paths);
    const others = Array.from(
      { length: clients - 1 },
      (_, at) => new Client(placeOf(at + 1), notes),
    );
    notes.gaps.lastMs = performance.now();
    return new Workload(notes, [first, ...others]);
  }

  /** Resolves when so many more operations were answered; rejects when they are not in time. */
  async answered(count: number, withinMs = 90_000): Promise<void> {
    const wanted = this.notes.counts.ok + count;
    const deadline = performance.now() + withinMs;
    while (this.notes.counts.ok < wanted) {
      if (performance.now() > deadline) {
        const missing = wanted - this.notes.counts.ok;
        throw new Error(`${missing} of ${count} operations were not answered in ${withinMs} ms`);
      }
      await sleep(20);
    }
  }

  /** Lets each client end what it does. Their sessions live on. */
  async stop(): Promise<Notes> {
    this.#stop.abort();
    await this.#done;
    return this.notes;
  }

  /** Ends the clients' sessions at the servers. */
  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
  }

  /** Leaves without a word. */
  abandon(): void {
    this.#stop.abort();
    for (const client of this.#clients) client.abandon();
  }

  /** Paths of the ephemerals that are there while the clients' sessions are. */
  get ephemerals(): string[] {
    return this.#clients.flatMap(({ ephemeral }) => ephemeral ?? []);
  }
}
