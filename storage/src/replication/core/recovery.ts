import type { Core } from "./core.ts";

/**
 * Why a person may not make this replica the only member of the set, losing what it lacks: not while the session of a member
 * lives. `liveMembers` is what was read after a barrier write.
 */
export function recoveryObstacle(
  { facts, replica }: Core,
  isOwner: boolean,
  liveMembers: readonly string[],
): string | undefined {
  if (isOwner) return "this replica owns the shard";
  if (facts === undefined) return "the shard is not known yet";
  const living = facts.inSync.find((each) => each !== replica && liveMembers.includes(each));
  return living === undefined ? undefined : `a member of the set is live: ${living}`;
}
