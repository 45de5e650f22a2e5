import type { Clock } from "../../../kit/src/clock.ts";
import type { createModes } from "../wire/constants.ts";
import type { Acl } from "../wire/records.ts";
import type { ClientSecurity, SecurityOf } from "./dial.ts";
import type { SaslUser } from "./sasl.ts";
import type { Random, Resolve } from "./server-list.ts";
import type { Watcher } from "./watches.ts";

export interface ClientOptions {
  /** `host:port,host:port/chroot`. A name with several addresses stands for a server at each. */
  readonly connect: string;
  /** Asked for; the server may bound it. */
  readonly sessionTimeoutMs?: number;
  /** For `secureClientPort`, and for servers that share a key with their clients; by server where they differ. */
  readonly tls?: ClientSecurity | SecurityOf | undefined;
  /** Who we are by SASL DIGEST-MD5. Nothing is asked before it is proved; a refusal closes the client. */
  readonly sasl?: SaslUser;
  /**
   * Whether a server without its ensemble will do, for reads alone, until one is found that takes writes. Default
   * false.
   */
  readonly canBeReadOnly?: boolean;
  readonly clock?: Clock;
  /** Draws servers and waits. */
  readonly random?: Random;
  /** Default: the system's own resolver. */
  readonly resolve?: Resolve;
}

export interface CallOptions {
  /** Aborting rejects with its reason; what was sent may still be done. */
  readonly signal?: AbortSignal;
}

export interface ReadOptions extends CallOptions {
  /**
   * Shows every write that was answered, to anybody, before the call: a `sync` goes ahead of the read in the same
   * pipeline. Logkeep's servers ask a quorum for it; Apache's trust the leader, which may have been deposed without
   * knowing. Default false: the state as of some moment, which never goes back for this client.
   */
  readonly isLinearizable?: boolean;
}

export interface WatchOptions extends ReadOptions {
  /** Called once, with the first change or with `missed`. Not set when the call fails, but for `exists` of no znode. */
  readonly watch?: Watcher;
  /** Takes the watch away again when it aborts. */
  readonly watchSignal?: AbortSignal;
}

export interface ChangesOptions extends CallOptions {
  /** Default `persistent`: the znode, its data and its children; recursive: everything at and below it. */
  readonly mode?: "persistent" | "persistentRecursive";
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
