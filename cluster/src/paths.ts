/** Where the cluster's topology lies. */
export const root = "/logkeep";

export const paths = {
  root,
  config: `${root}/config`,
  cluster: `${root}/config/cluster`,
  configSection,
  configVersion: (section: string, version: number) => `${configSection(section)}/v-${version}`,
  keys: `${root}/keys`,
  alerts: `${root}/alerts`,
  tenantRules: (tenant: string) => `${root}/alerts/${tenant}`,
  nodes: `${root}/nodes`,
  node: (node: number) => `${root}/nodes/${node}`,
  live: (node: number, incarnation: string) => `${root}/nodes/${node}/live-${incarnation}`,
  drained: (node: number) => `${root}/nodes/${node}/drained`,
  roles: `${root}/roles`,
  role: (role: string) => `${root}/roles/${role}`,
  assignments: `${root}/assignments`,
  assignment: (bucket: number) => `${root}/assignments/${bucket}`,
  moves: `${root}/moves`,
  /** A sequence number is put behind it. */
  movePrefix: `${root}/moves/move-`,
  shards: `${root}/shards`,
  shard: (shard: number) => `${root}/shards/${shard}`,
  shardOwner: (shard: number) => `${root}/shards/${shard}/owner`,
  segments: `${root}/segments`,
  shardSegments: (shard: number) => `${root}/segments/${shard}`,
  /** A sequence number is put behind it. */
  segmentPrefix: (shard: number) => `${root}/segments/${shard}/seg-`,
  folds: `${root}/folds`,
  shardFolds: (shard: number) => `${root}/folds/${shard}`,
  inbox: `${root}/inbox`,
  tenantInbox: (tenant: string) => `${root}/inbox/${tenant}`,
  audit: `${root}/journal/audit`,
  /** A sequence number is put behind it. */
  auditEntryPrefix: `${root}/journal/audit/entry-`,
  quota: (path: string) => `/zookeeper/quota${path}`,
} as const;

/** What is set of a section. What the cluster is has the name of one, which stands aside. */
function configSection(section: string): string {
  return `${root}/config/${section === "cluster" ? "cluster-settings" : section}`;
}

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
  paths.moves,
  paths.shards,
  paths.segments,
  paths.folds,
  paths.inbox,
  `${root}/journal`,
  paths.audit,
];

/** The node and the incarnation whose live znode a path is. */
export function liveOfPath(path: string): { node: number; incarnation: string } | undefined {
  const match = /^\/logkeep\/nodes\/(\d+)\/live-([^/]+)$/.exec(path);
  if (match === null) return undefined;
  return { node: Number(match[1]), incarnation: match[2] as string };
}

/** The node that a path says is drained. */
export function drainedOfPath(path: string): number | undefined {
  const match = /^\/logkeep\/nodes\/(\d+)\/drained$/.exec(path);
  return match === null ? undefined : Number(match[1]);
}

/** The bucket of assignments that a path is. */
export function bucketOfPath(path: string): number | undefined {
  const match = /^\/logkeep\/assignments\/(\d+)$/.exec(path);
  return match === null ? undefined : Number(match[1]);
}

/** The shard that a path is at or below, when there is one. */
export function shardOfPath(path: string): number | undefined {
  const match = /^\/logkeep\/shards\/(\d+)(?:\/|$)/.exec(path);
  return match === null ? undefined : Number(match[1]);
}
