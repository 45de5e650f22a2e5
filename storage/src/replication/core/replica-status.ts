import type { Core } from "./core.ts";
import type { Owner } from "./owner.ts";
import type { ReplicaStatus } from "./types.ts";

/** How a replica stands; `owner` while it is the owner. */
export function statusOf({ facts, log, role }: Core, owner: Owner | undefined): ReplicaStatus {
  const state = owner?.state;
  return {
    ...{ role, promised: log.promised, end: log.end, committed: log.committed },
    members: state?.inSync.members ?? facts?.inSync ?? [],
    isChanging: state?.inSync.isChanging ?? false,
    others: (owner?.others() ?? []).map(({ replica, durable, phase }) => {
      return { replica, isMember: state?.isWaitedFor(replica) ?? false, durable, phase };
    }),
  };
}
