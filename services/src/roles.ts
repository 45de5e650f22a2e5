import type { Settings } from "../../config/src/schema.ts";
import type { CoordinatorPlan } from "./coordinator-part.ts";

export type Role = Settings["roles"][number];

/** What a node does. */
export interface Roles {
  /** As its live znode tells. */
  readonly all: readonly Role[];
  /** It holds shards. */
  readonly ingest: boolean;
  /** It answers queries and tails. */
  readonly query: boolean;
  /** It may evaluate rules. */
  readonly alerts: boolean;
}

export function rolesOf({ roles }: Settings, plan: CoordinatorPlan): Roles {
  return {
    all: roles.filter((role) => role !== "coordinator" || plan.kind === "own"),
    ingest: roles.includes("ingest"),
    query: roles.includes("query"),
    alerts: roles.includes("alerts"),
  };
}
