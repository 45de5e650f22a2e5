import { z } from "zod";
import type { ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import { type MultiStep, steps } from "../../coordinator/src/client/multi.ts";
import { childPath } from "../../coordinator/src/client/paths.ts";
import { ServiceError } from "../../kit/src/errors.ts";
import type { Logger } from "../../kit/src/logger.ts";
import type { Access } from "./access.ts";
import { movesTakenMax } from "./limits.ts";
import { paths } from "./paths.ts";
import type { Placement } from "./placement/place.ts";
import { decodeZnode, encodeZnode } from "./znode-data.ts";

/** A person's wish that a copy of a shard be on another node; `from` and `to` alike: that this node own it. */
export interface MoveRequest {
  readonly shard: number;
  readonly from: number;
  readonly to: number;
}

/** `/logkeep/moves/move-<seq>`: taken and deleted by the balancer. */
const moveSchema = z.object({
  shard: z.int().nonnegative(),
  from: z.int().positive(),
  to: z.int().positive(),
});

/** Leaves a request to the balancer, which takes it within a second or so. */
export async function requestMove(
  client: ZooKeeperClient,
  { acl }: Access,
  request: MoveRequest,
  journal: MultiStep,
  signal: AbortSignal,
): Promise<void> {
  const move = steps.create(paths.movePrefix, encodeZnode(request), {
    mode: "persistentSequential",
    acl,
  });
  await client.multi([move, journal], { signal });
}

/** Requests that are there, and what deletes them. */
export interface MovesTaken {
  readonly requests: readonly MoveRequest[];
  readonly deletes: readonly MultiStep[];
}

/** The first of the requests, in the order of their names; what cannot be read is only deleted. */
export async function takeMoves(client: ZooKeeperClient, logger: Logger): Promise<MovesTaken> {
  const { children } = await client.getChildren(paths.moves);
  const requests: MoveRequest[] = [];
  const deletes: MultiStep[] = [];
  for (const name of children.toSorted().slice(0, movesTakenMax)) {
    const path = childPath(paths.moves, name);
    const { data } = await client.getData(path);
    deletes.push(steps.delete(path));
    try {
      requests.push(decodeZnode(moveSchema, path, data));
    } catch (thrown) {
      logger.warn({ err: thrown, path }, "a request for a move cannot be read");
    }
  }
  return { requests, deletes };
}

/** The placement with what was asked for, as far as `nodes` have it; what cannot be is left as it is. */
export function withMoves(
  placement: Placement,
  requests: readonly MoveRequest[],
  nodes: ReadonlySet<number>,
): Placement {
  const moved = new Map(placement);
  for (const { shard, from, to } of requests) {
    const before = moved.get(shard);
    if (before === undefined || !before.includes(from) || !nodes.has(to)) continue;
    if (from === to) moved.set(shard, [to, ...before.filter((node) => node !== to)]);
    else if (!before.includes(to)) {
      moved.set(
        shard,
        before.map((node) => (node === from ? to : node)),
      );
    }
  }
  return moved;
}

/** Throws `cluster.refused` for a request that makes no sense now. */
export function checkMove(
  request: MoveRequest,
  placement: (shard: number) => readonly number[] | undefined,
  nodes: ReadonlySet<number>,
): void {
  const problem = problemOf(request, placement(request.shard), nodes);
  if (problem !== undefined) throw new ServiceError("cluster.refused", problem, { ...request });
}

function problemOf(
  { from, to }: MoveRequest,
  now: readonly number[] | undefined,
  nodes: ReadonlySet<number>,
): string | undefined {
  if (now === undefined) return "there is no such shard, or it has no place yet";
  if (!now.includes(from)) return `the shard is not on node ${from}, but on ${now.join(", ")}`;
  if (!nodes.has(to)) return `node ${to} is not there, is drained, or holds no shards`;
  return from !== to && now.includes(to) ? `node ${to} has the shard already` : undefined;
}
