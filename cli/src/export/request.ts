import { setTimeout as sleep } from "node:timers/promises";
import { backoffMs, retryAfterMs } from "../backoff.ts";
import { problemOf, type ServiceClient, type ServiceProblem } from "../client.ts";
import { CliExit, type CliIo } from "../io.ts";

/** What `/api/v1/export` is asked. */
export type ExportParams = Readonly<Record<string, string | undefined>>;

/** An export that broke off and may go on. */
export class BrokenOff extends Error {
  override readonly name = "BrokenOff";
  readonly afterMs: number | undefined;

  constructor(message: string, afterMs?: number) {
    super(message);
    this.afterMs = afterMs;
  }
}

export interface OpenExport {
  readonly body: AsyncIterable<Uint8Array>;
  /** Known before the first record. */
  readonly isPartial: boolean;
}

/**
 * The answer of an export. Throws `BrokenOff` for what may pass, and what `refuse` makes of a problem that will not.
 */
export async function openExport(
  client: ServiceClient,
  io: CliIo,
  params: ExportParams,
  refuse: (problem: ServiceProblem) => CliExit,
): Promise<OpenExport> {
  const form = client.urlOf("/api/v1/export", params).searchParams;
  const url = client.urlOf("/api/v1/export");
  // What does not leave the machine is not worth the time.
  const isNear = /^(localhost|127\.|\[::1\])/.test(url.hostname);
  const headers = { "accept-encoding": isNear ? "identity" : "gzip" };
  const response = await client
    .send(url, { method: "POST", body: form, headers, signal: io.signal })
    .catch((thrown: unknown) => {
      if (io.signal.aborted) throw new CliExit(1, "interrupted");
      throw new BrokenOff(client.unreachable(thrown).message);
    });
  if (response.ok) {
    const body = (response.body ?? emptyBody()) as AsyncIterable<Uint8Array>;
    return { body, isPartial: response.headers.has("x-logkeep-partial") };
  }
  const problem = await problemOf(response);
  if (![429, 502, 503, 504].includes(problem.status)) throw refuse(problem);
  const afterMs = retryAfterMs(response.headers.get("retry-after"), Date.now());
  throw new BrokenOff(`${problem.detail}${problem.facts}`, afterMs);
}

async function* emptyBody(): AsyncGenerator<Uint8Array> {}

/** Tries without any progress between them, before an export is given up. */
const triesMax = 6;
const backoff = { firstMs: 500, maxMs: 10_000 };

export interface Trying {
  /** Goes on where it stopped; throws `BrokenOff` when it breaks off once more. */
  readonly attempt: () => Promise<void>;
  /** Grows with what was done. */
  readonly progress: () => number;
  readonly onTrouble: (reason: string) => void;
}

/** Tries until it is done, or nothing comes any more: then throws the last `BrokenOff`. */
export async function untilDone(
  io: CliIo,
  { attempt, progress, onTrouble }: Trying,
): Promise<void> {
  for (let tries = 1; ; tries++) {
    const before = progress();
    try {
      await attempt();
      return;
    } catch (thrown) {
      if (io.signal.aborted) throw new CliExit(1, "interrupted");
      if (!(thrown instanceof BrokenOff)) throw thrown;
      if (progress() > before) tries = 1;
      if (tries >= triesMax) throw thrown;
      onTrouble(thrown.message);
      await sleep(thrown.afterMs ?? backoffMs(tries, backoff), undefined, {
        signal: io.signal,
      }).catch(() => undefined);
    }
  }
}
