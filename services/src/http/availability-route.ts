import type { AvailabilityAnswer } from "../../../api/src/availability.ts";
import type { CoordinatorStats } from "../../../coordinator/src/server/start.ts";
import { ServiceError } from "../../../kit/src/errors.ts";

/**
 * What this node's member has seen of its ensemble. Throws `coordinator.elsewhere` when the coordinator is another process:
 * only that one knows.
 */
export async function availabilityAnswer(coordinator: {
  readonly address: string;
  readonly stats: (() => Promise<CoordinatorStats>) | undefined;
}): Promise<AvailabilityAnswer> {
  const { address, stats } = coordinator;
  if (stats === undefined) {
    const message =
      "coordinator.connect names an ensemble of its own: only its servers know their availability; " +
      "a Logkeep coordinator among them answers /commands/availability";
    throw new ServiceError("coordinator.elsewhere", message, { address });
  }
  const { mode, availability, propagation } = await stats();
  const { rates, ...rest } = availability;
  return { mode, ...rest, rates: [...rates], propagation };
}
