/** Where the cluster's topology lies. */
export const root = "/logkeep";

export const paths = {
  root,
  config: `${root}/config`,
  cluster: `${root}/config/cluster`,
  keys: `${root}/keys`,
  alerts: `${root}/alerts`,
  tenantRules: (tenant: string) => `${root}/alerts/${tenant}`,
  nodes: `${root}/nodes`,
  node: (node: number) => `${root}/nodes/${node}`,
  live: (node: number, incarnation: string) => `${root}/nodes/${node}/live-${incarnation}`,
  roles: `${root}/roles`,
  role: (role: string) => `${root}/roles/${role}`,
  assignments: `${root}/assignments`,
  shards: `${root}/shards`,
  shard: (shard: number) => `${root}/shards/${shard}`,
  shardOwner: (shard: number) => `${root}/shards/${shard}/owner`,
  segments: `${root}/segments`,
  shardSegments: (shard: number) => `${root}/segments/${shard}`,
  /** A sequence number is put behind it. */
  segmentPrefix: (shard: number) => `${root}/segments/${shard}/seg-`,
  inbox: `${root}/inbox`,
  tenantInbox: (tenant: string) => `${root}/inbox/${tenant}`,
  quota: (path: string) => `/zookeeper/quota${path}`,
} as const;

/** The directories that every cluster has, parents first. */
export const directories: readonly string[] = [
  root,
  paths.config,
  `${root}/pipelines`,
  paths.alerts,
  `${root}/tenants`,
  paths.keys,
  paths.nodes,
  paths.roles,
  paths.assignments,
  paths.shards,
  paths.segments,
  paths.inbox,
  `${root}/journal`,
  `${root}/journal/audit`,
];

/** The shard that a path is at or below, when there is one. */
export function shardOfPath(path: string): number | undefined {
  const match = /^\/logkeep\/shards\/(\d+)(?:\/|$)/.exec(path);
  return match === null ? undefined : Number(match[1]);
}
