import type { Seen } from "./history.ts";
import type { Operation } from "./linearizability.ts";
import type { RegisterCall } from "./register.ts";

/** Below this all of a workload's znodes lie. */
export const base = "/histories";

/** All that the clients of a run noted. */
export interface Notes {
  /** By the register's path. */
  readonly registers: ReadonlyMap<string, Operation<RegisterCall>[]>;
  readonly seen: Seen[];
  /** Paths whose creation was acknowledged, with their czxid. */
  readonly created: Map<string, number>;
  /** Ids of sessions that a server called expired. */
  readonly expired: string[];
  /** Clients' ends, and what they could not make sense of. */
  readonly faults: string[];
  readonly counts: { ok: number; refused: number; lost: number };
  /** When a write was last acknowledged, and the longest time between two. */
  readonly gaps: { lastMs: number; longestMs: number };
}
