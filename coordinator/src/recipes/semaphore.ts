import { aclOpen } from "../client/acl.ts";
import type { ZooKeeperClient } from "../client/client.ts";
import { ZooKeeperError } from "../client/errors.ts";
import type { CallOptions } from "../client/options.ts";
import type { Acl } from "../wire/records.ts";
import type { Contest, Rule } from "./contest.ts";
import { ensurePath } from "./ensure-path.ts";
import type { Entry } from "./entries.ts";
import type { Hold } from "./hold.ts";
import { type AcquireOptions, contestOf, enter, type LockOptions } from "./lock.ts";
import { untilDone } from "./until-done.ts";

export interface SemaphoreOptions extends LockOptions {
  /** How many hold at once, 1 or more: written down by whoever comes first, and everybody must say the same. */
  readonly permits: number;
}

/**
 * A number of holders at a time, in the order of asking. Tokens grow with that order; among those who hold together
 * none is the newer one.
 */
export class Semaphore {
  readonly #options: SemaphoreOptions;
  readonly #contest: Contest;
  readonly #rule: Rule;
  #isAgreed = false;

  constructor(options: SemaphoreOptions) {
    const { permits, path } = options;
    if (!(Number.isInteger(permits) && permits >= 1)) {
      throw new ZooKeeperError("BADARGUMENTS", { path });
    }
    this.#options = options;
    this.#contest = contestOf(options);
    // Of those before, all but `permits - 1` must leave; so of the nearest `permits` at least one must.
    this.#rule = (earlier) => (earlier.length < permits ? [] : earlier.slice(-permits));
  }

  /** Waits for a permit. Rejects with BADARGUMENTS when the semaphore has another number of them. */
  async acquire(options: AcquireOptions = {}): Promise<Hold> {
    await this.#agree(options);
    return (await enter(this.#contest, "permit", this.#rule, options, true)) as Hold;
  }

  /** Undefined when no permit is free for us now. */
  async tryAcquire(options: AcquireOptions = {}): Promise<Hold | undefined> {
    await this.#agree(options);
    return enter(this.#contest, "permit", this.#rule, options, false);
  }

  /** Those who hold, then those who wait, in their order. */
  entries({ signal }: CallOptions = {}): Promise<readonly Entry[]> {
    return this.#contest.entries(signal);
  }

  /** Releases what is held and ends what waits. */
  close(): Promise<void> {
    return this.#contest.close();
  }

  async #agree({ signal }: CallOptions): Promise<void> {
    if (this.#isAgreed) return;
    const { client, path, permits, acl = aclOpen } = this.#options;
    if ((await permitsOf(client, path, permits, acl, signal)) !== permits) {
      throw new ZooKeeperError("BADARGUMENTS", { path });
    }
    this.#isAgreed = true;
  }
}

/** Makes the semaphore's znode where there is none; says the number that holds. */
async function permitsOf(
  client: ZooKeeperClient,
  path: string,
  permits: number,
  acl: readonly Acl[],
  signal: AbortSignal | undefined,
): Promise<number> {
  const said = Buffer.from(JSON.stringify({ permits }));
  const options = signal === undefined ? {} : { signal };
  return untilDone(async () => {
    await ensurePath(client, path, { data: said, acl, ...options });
    const { data } = await client.getData(path, options);
    try {
      return (JSON.parse(data?.toString() ?? "null") as { permits?: number } | null)?.permits ?? 0;
    } catch {
      return 0;
    }
  }, signal);
}
