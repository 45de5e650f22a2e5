import type { Clock } from "../../../kit/src/clock.ts";
import type { createModes } from "../wire/constants.ts";
import type { Acl } from "../wire/records.ts";
import type { Watcher } from "./watches.ts";

export interface ClientOptions {
  /** `host:port,host:port/chroot`. */
  readonly connect: string;
  /** Asked for; the server may bound it. */
  readonly sessionTimeoutMs?: number;
  readonly clock?: Clock;
  /** A number in [0, 1). */
  readonly random?: () => number;
}

export interface CallOptions {
  /** Aborting rejects with its reason; what was sent may still be done. */
  readonly signal?: AbortSignal;
}

export interface WatchOptions extends CallOptions {
  /** Called once, with the first change or with `missed`. Not set when the call fails, but for `exists` of no znode. */
  readonly watch?: Watcher;
}

export interface CreateOptions extends CallOptions {
  /** Default `persistent`. */
  readonly mode?: keyof typeof createModes;
  /** Default: open to everybody. */
  readonly acl?: readonly Acl[];
  /** For the modes with a TTL. */
  readonly ttlMs?: number;
}

/** A persistent watch, in force until it is closed or the client is. */
export interface Watch {
  close(): Promise<void>;
}
