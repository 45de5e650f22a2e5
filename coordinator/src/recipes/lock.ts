import { aclOpen } from "../client/acl.ts";
import type { ZooKeeperClient } from "../client/client.ts";
import type { CallOptions } from "../client/options.ts";
import type { Acl } from "../wire/records.ts";
import { Contest, type Rule } from "./contest.ts";
import type { Entry } from "./entries.ts";
import type { Hold, LostWhen } from "./hold.ts";

export interface LockOptions {
  readonly client: ZooKeeperClient;
  /** The znode of the lock; made with what is missing above it. Its children are the lock's own. */
  readonly path: string;
  readonly acl?: readonly Acl[];
  /** Default `suspended`. */
  readonly lostWhen?: LostWhen;
}

export interface AcquireOptions extends CallOptions {
  /** For people who look: who we are. */
  readonly data?: Uint8Array;
}

/** One holder at a time, in the order of asking. */
export class Lock {
  readonly #contest: Contest;

  constructor(options: LockOptions) {
    this.#contest = contestOf(options);
  }

  /** Waits until it is held. Rejects with the signal's reason, or CLOSED; nothing is left behind. */
  async acquire(options: AcquireOptions = {}): Promise<Hold> {
    return (await enter(this.#contest, "lock", whoIsBefore, options, true)) as Hold;
  }

  /** Undefined when others hold it or wait for it. */
  tryAcquire(options: AcquireOptions = {}): Promise<Hold | undefined> {
    return enter(this.#contest, "lock", whoIsBefore, options, false);
  }

  /** The holder, then those who wait in their order. */
  entries({ signal }: CallOptions = {}): Promise<readonly Entry[]> {
    return this.#contest.entries(signal);
  }

  /** Releases what is held and ends what waits. */
  close(): Promise<void> {
    return this.#contest.close();
  }
}

/** Waits for whoever is right before. */
export const whoIsBefore: Rule = (earlier) => earlier.slice(-1);

export function contestOf({ client, path, acl, lostWhen }: LockOptions): Contest {
  return new Contest({ client, path, acl: acl ?? aclOpen, lostWhen: lostWhen ?? "suspended" });
}

/** Enters a contest as a caller of a recipe asks. */
export function enter(
  contest: Contest,
  kind: string,
  rule: Rule,
  { data = null, signal }: { readonly data?: Uint8Array | null; readonly signal?: AbortSignal },
  isPatient: boolean,
): Promise<Hold | undefined> {
  return contest.enter({ kind, rule, data, signal, isPatient });
}
