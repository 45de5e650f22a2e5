import type { TailPlan } from "../../../query/src/tail/tail-plan.ts";
import type { TailJob } from "../tail-service.ts";

/** Tenants whose plans a worker keeps. */
const tenantsKept = 256;

/** The tails' plans as this worker was last given them, so that they are posted once and not with every batch. */
export class KeptPlans {
  readonly #tenants = new Map<string, { version: number; plans: readonly TailPlan[] }>();

  /** Undefined: the job has to come again with its plans. */
  take({ tenant, version, plans }: TailJob): readonly TailPlan[] | undefined {
    const kept = this.#tenants.get(tenant);
    if (plans === undefined) return kept?.version === version ? kept.plans : undefined;
    this.#tenants.delete(tenant);
    this.#tenants.set(tenant, { version, plans });
    for (const oldest of this.#tenants.keys()) {
      if (this.#tenants.size <= tenantsKept) break;
      this.#tenants.delete(oldest);
    }
    return plans;
  }
}
