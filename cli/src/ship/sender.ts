import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { z } from "zod";
import { ingestAnswerSchema } from "../../../api/src/answers.ts";
import { pause } from "../../../kit/src/pause.ts";
import { backoffMs, retryAfterMs } from "../backoff.ts";
import { failureOf, problemOf, type ServiceClient, type ServiceProblem } from "../client.ts";
import { CliExit } from "../io.ts";
import { printDurationRough } from "../numbers.ts";
import type { Batch } from "./pipeline.ts";
import type { Report } from "./report.ts";

/** A batch on its way, and whom to tell when it is stored. */
export interface Shipment {
  readonly batch: Batch;
  /** Begins its key; the same for every run over one source. */
  readonly id: string;
  /** The source by the name a person gave it. */
  readonly label: string;
  readonly params: Readonly<Record<string, string>>;
  readonly onStored: () => void;
}

export interface SenderOptions {
  /** Requests under way at once. */
  readonly inFlightMax: number;
  /** How long a request is repeated before the run gives up; Infinity: as long as it takes. */
  readonly retryForMs: number;
  /** Ends repeating; a request that is under way may still get its answer. */
  readonly signal: AbortSignal;
  /** Breaks off what is under way. */
  readonly breakSignal: AbortSignal;
  /** Told once when repeating begins. */
  readonly onTrouble: (reason: string) => void;
}

const backoff = { firstMs: 100, maxMs: 30_000 };

/** A request without an answer for so long is repeated; its key keeps it from being stored twice. */
const answerMaxMs = 60_000;

const gzipAsync = promisify(gzip);

/** The answer to a batch of which nothing was acceptable, as a problem document. */
const nothingAcceptable = z.looseObject({
  rejected: z.int().optional(),
  errors: ingestAnswerSchema.shape.errors.optional(),
});

/**
 * Sends batches, several at once, and repeats what may succeed later. Records without a time of their
 * own get one at receipt, so a batch with such records is sent when those before it are stored, and
 * those behind it wait: the order of lines stays.
 */
export class Sender {
  readonly #client: ServiceClient;
  readonly #options: SenderOptions;
  readonly #report: Report;
  readonly #inFlight = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  #failure: unknown;
  /** Whether a batch with records without a time is under way. */
  #hasUntimed = false;

  constructor(client: ServiceClient, report: Report, options: SenderOptions) {
    this.#client = client;
    this.#report = report;
    this.#options = options;
  }

  /** Takes a batch as soon as there is room. Throws the failure of an earlier one. */
  async send(shipment: Shipment): Promise<void> {
    const { isTimed } = shipment.batch;
    if (this.#hasUntimed || !isTimed) await this.idle();
    while (this.#inFlight.size >= this.#options.inFlightMax) await Promise.race(this.#inFlight);
    this.#check();
    if (this.#inFlight.size === 0) this.#hasUntimed = false;
    this.#hasUntimed ||= !isTimed;
    const sending: Promise<void> = this.#deliver(shipment)
      .catch((thrown: unknown) => {
        this.#failure ??= thrown;
        // What else is under way would only fail likewise, or be repeated at the next run.
        this.#stop.abort();
      })
      .finally(() => this.#inFlight.delete(sending));
    this.#inFlight.add(sending);
  }

  /** Waits until everything taken is stored. Throws the first failure. */
  async idle(): Promise<void> {
    while (this.#inFlight.size > 0) await Promise.race(this.#inFlight);
    this.#check();
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#options.breakSignal.aborted) throw interrupted();
  }

  async #deliver(shipment: Shipment): Promise<void> {
    const { batch } = shipment;
    const body = new Uint8Array(await gzipAsync(batch.body, { level: 1 }));
    const headers = {
      "content-type": "application/x-ndjson",
      "content-encoding": "gzip",
      "idempotency-key": keyOf(shipment),
    };
    const url = this.#client.urlOf("/api/v1/logs", shipment.params);
    const sinceMs = performance.now();
    for (let attempt = 1; ; attempt++) {
      const outcome = await this.#try(url, { method: "POST", headers, body }, shipment);
      if (outcome === "stored") return;
      if (this.#options.signal.aborted) throw interrupted();
      const spentMs = performance.now() - sinceMs;
      if (spentMs > this.#options.retryForMs) {
        throw new CliExit(1, `${outcome.reason}; gave up after ${printDurationRough(spentMs)}`);
      }
      if (attempt === 1) this.#options.onTrouble(outcome.reason);
      this.#report.retries++;
      const waitMs = Math.max(outcome.waitMs ?? 0, backoffMs(attempt, backoff));
      const signal = AbortSignal.any([this.#options.signal, this.#stop.signal]);
      if (await pause(Math.min(waitMs, backoff.maxMs * 2), signal)) throw interrupted();
    }
  }

  async #try(url: URL, init: RequestInit, shipment: Shipment): Promise<"stored" | Trouble> {
    let response: Response;
    let answer: unknown;
    try {
      const signal = AbortSignal.any([this.#breakSignal(), AbortSignal.timeout(answerMaxMs)]);
      response = await this.#client.send(url, { ...init, signal });
      if (response.ok) answer = await response.json();
    } catch (thrown) {
      if (this.#breakSignal().aborted) throw interrupted();
      return { reason: this.#client.unreachable(thrown).message };
    }
    if (response.ok) {
      this.#note(shipment, answer);
      return "stored";
    }
    const problem = await problemOf(response);
    if (response.status === 400 && problem.code === "ingest.nothing-acceptable") {
      this.#noteNothing(shipment, problem);
      return "stored";
    }
    const mayPass = [408, 425, 429].includes(response.status) || response.status >= 500;
    if (!mayPass) throw failureOf(problem);
    const waitMs = retryAfterMs(response.headers.get("retry-after"), Date.now());
    return { reason: problem.detail + problem.facts, waitMs };
  }

  #breakSignal(): AbortSignal {
    return AbortSignal.any([this.#options.breakSignal, this.#stop.signal]);
  }

  #note(shipment: Shipment, answer: unknown): void {
    const parsed = ingestAnswerSchema.safeParse(answer);
    if (!parsed.success) {
      throw new CliExit(1, `the answer of ${this.#client.url.origin} is not one of Logkeep`);
    }
    const { accepted, rejected, errors } = parsed.data;
    this.#count(shipment, accepted, rejected);
    for (const { line, reason } of errors) this.#report.reject(reason, placeOf(shipment, line));
  }

  #noteNothing(shipment: Shipment, problem: ServiceProblem): void {
    const { errors } = nothingAcceptable.safeParse(problem.body).data ?? {};
    this.#count(shipment, 0, shipment.batch.records);
    for (const { line, reason } of errors ?? [{ line: 1, reason: problem.detail }]) {
      this.#report.reject(reason, placeOf(shipment, line));
    }
  }

  #count({ batch, onStored }: Shipment, accepted: number, rejected: number): void {
    this.#report.accepted += accepted;
    this.#report.rejected += rejected;
    this.#report.repaired += batch.repaired;
    this.#report.fallbacks += batch.fallbacks;
    this.#report.bytes += batch.body.length;
    onStored();
  }
}

interface Trouble {
  readonly reason: string;
  readonly waitMs?: number | undefined;
}

/** The same records of the same place in the same source have the same key, in every run. */
function keyOf({ batch, id }: Shipment): string {
  const hash = createHash("sha256");
  hash.update(`${id} ${batch.start.offset} ${batch.end.offset}\n`).update(batch.body);
  return `ship-${hash.digest("hex").slice(0, 48)}`;
}

/** Where the row stands that an answer calls by its line in the request. */
function placeOf({ batch, label }: Shipment, row: number): string {
  return `${label}:${batch.lineNumbers[row - 1] ?? batch.start.lines + 1}`;
}

function interrupted(): CliExit {
  return new CliExit(1, "interrupted");
}
