import type { Settings } from "../../config/src/schema.ts";
import type { CoordinatorPlan } from "./coordinator-part.ts";

export type Role = Settings["roles"][number];

/** What a node does. */
export interface Roles {
  /** As its live znode tells. */
  readonly all: readonly Role[];
  /** It has records, or works on those of others. Without it the node is a member of the coordinator and nothing else. */
  readonly records: boolean;
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
    records: roles.some((role) => role !== "coordinator"),
    ingest: roles.includes("ingest"),
    query: roles.includes("query"),
    alerts: roles.includes("alerts"),
  };
}
