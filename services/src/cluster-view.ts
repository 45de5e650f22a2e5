import type { ClusterAnswer } from "../../api/src/answers.ts";
import type { ShardListed, ShardReplica } from "../../api/src/cluster.ts";
import { nodeOfReplica } from "../../cluster/src/node.ts";
import type { ShardPlace, Topology } from "../../cluster/src/topology.ts";
import type { NodeStatus } from "./node-status.ts";

type NodeListed = ClusterAnswer["nodes"][number];

/** Nodes that are there, and those that are not though shards are to be on them. */
export function nodesListed(
  topology: Topology,
  statuses: ReadonlyMap<number, NodeStatus>,
  shardCount: number,
  nowMs: number,
  silentMs: (node: number) => number | undefined,
): readonly NodeListed[] {
  const live = topology.nodes().map((node): NodeListed => {
    const status = statuses.get(node.nodeId);
    const silent = silentMs(node.nodeId);
    return {
      id: node.nodeId,
      http: node.http,
      roles: [...node.roles],
      version: node.version,
      // One that does not answer may be gone in a moment; its session says it is there.
      state: node.state,
      ...(node.zone === "" ? {} : { zone: node.zone }),
      ...(topology.drained.has(node.nodeId) ? { isDrained: true } : {}),
      ...(silent === undefined ? {} : { silentMs: Math.round(silent) }),
      uptimeMs: status?.uptimeMs ?? Math.max(0, nowMs - node.startedMs),
      ...(status === undefined ? {} : { rssBytes: status.rssBytes, disk: status.disk }),
    };
  });
  const known = new Set(live.map(({ id }) => id));
  const wanted = new Set<number>();
  for (let shard = 0; shard < shardCount; shard++) {
    for (const node of topology.assigned(shard) ?? []) if (!known.has(node)) wanted.add(node);
  }
  const gone = [...wanted].map(
    (id): NodeListed => ({ id, http: "", roles: [], version: "", state: "gone", uptimeMs: 0 }),
  );
  return [...live, ...gone].sort((a, b) => a.id - b.id);
}

/** Every shard as the znodes tell of it, with what its owner says of it. What they say of nodes that are `away` is not believed. */
export function shardsListed(
  topology: Topology,
  statuses: ReadonlyMap<number, NodeStatus>,
  shardCount: number,
  away: ReadonlySet<number>,
): readonly ShardListed[] {
  const seen = { topology, owned: ownedBy(statuses), away };
  return Array.from({ length: shardCount }, (_, id) => {
    const assigned = [...(topology.assigned(id) ?? [])];
    const place = topology.shard(id);
    if (place !== undefined) return shardListed(seen, place, assigned);
    return { id, state: "unmade", epoch: 0, replicas: [], isSingle: false, assigned };
  });
}

interface Owned {
  readonly node: number;
  readonly said: NodeStatus["shards"][number];
}

/** Who serves each shard, by what the nodes say: a process that was deposed may not know, so the highest epoch counts. */
function ownedBy(statuses: ReadonlyMap<number, NodeStatus>): ReadonlyMap<number, Owned> {
  const owned = new Map<number, Owned>();
  for (const [node, { shards }] of statuses) {
    for (const said of shards) {
      const other = owned.get(said.shard);
      if (other === undefined || other.said.epoch < said.epoch)
        owned.set(said.shard, { node, said });
    }
  }
  return owned;
}

interface Seen {
  readonly topology: Topology;
  readonly owned: ReadonlyMap<number, Owned>;
  readonly away: ReadonlySet<number>;
}

function shardListed(
  { topology, owned, away }: Seen,
  place: ShardPlace,
  assigned: number[],
): ShardListed {
  const { shard: id, epoch, inSync, next } = place;
  const present = topology.ownerOf(id);
  const named = present === undefined ? undefined : nodeOfReplica(present);
  const serving = owned.get(id);
  const said = serving?.said;
  const owner = serving?.node ?? (named !== undefined && away.has(named) ? undefined : named);
  const replicas = place.replicas.map((replica): ShardReplica => {
    const durable = said?.replicas.find((each) => each.replica === replica)?.durable;
    return {
      node: nodeOfReplica(replica),
      disk: replica.slice(replica.indexOf("/") + 1),
      isInSync: inSync.includes(replica),
      isLive: topology.nodeOf(replica) !== undefined && !away.has(nodeOfReplica(replica)),
      ...(durable === undefined ? {} : { lag: Math.max(0, (said?.end ?? 0) - durable) }),
    };
  });
  const settled = isSettled(place, owner, assigned) ? "served" : "moving";
  return {
    ...{ id, epoch, replicas, assigned },
    state: owner === undefined ? "offline" : settled,
    ...(owner === undefined ? {} : { owner }),
    ...(next === null ? {} : { next: nodeOfReplica(next) }),
    isSingle: topology.isSingle(id),
    ...(said === undefined ? {} : { records: said.records, segmentBytes: said.segmentBytes }),
  };
}

/** Whether its copies are where they are to be. */
function isSettled(
  { inSync, replicas, next }: ShardPlace,
  owner: number | undefined,
  assigned: readonly number[],
): boolean {
  if (next !== null) return false;
  if (assigned.length === 0) return true;
  const set = new Set(inSync.map(nodeOfReplica));
  const isHere = assigned.every((node) => set.has(node)) && set.size === assigned.length;
  return isHere && replicas.length === inSync.length && owner === assigned[0];
}
