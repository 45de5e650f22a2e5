/** Who this process is. */
export interface NodeIdentity {
  /** 1 to 255. */
  readonly nodeId: number;
  /** Drawn when the data directory was made: an emptied disk is another one. */
  readonly diskId: string;
  /** Of this process, unique for all time. */
  readonly incarnation: string;
}

/** `starting`: no HTTP yet. `stopping`: asked to end, its shards go to others. */
export type NodeState = "starting" | "live" | "stopping";

/** What others learn of a node from its live znode. */
export interface NodeRecord extends NodeIdentity {
  readonly state: NodeState;
  /** `host:port` of HTTP; empty while there is none. */
  readonly http: string;
  /** `host:port` of the listener for other nodes; empty where there is none. */
  readonly peer: string;
  /** `host:port` where its member of the ensemble serves clients; empty where it embeds none. */
  readonly coordinator: string;
  /** Whether that takes TLS with keys of the cluster's secret. */
  readonly coordinatorTls: boolean;
  /** What may fail as a whole with this node in it; empty when nothing is said. */
  readonly zone: string;
  readonly roles: readonly string[];
  readonly version: string;
  readonly startedMs: number;
  /** What the node takes of the cluster is in proportion to it; 0: as much as the average of the others. */
  readonly capacityBytes: number;
}

/** The name of a node's disk in sets of replicas. */
export function replicaOf({ nodeId, diskId }: Pick<NodeIdentity, "nodeId" | "diskId">): string {
  return `${nodeId}/${diskId}`;
}

/** The node that a replica (`nodeId/diskId`) or an owner (`nodeId/diskId/incarnation`) is on. */
export function nodeOfReplica(replica: string): number {
  return Number(replica.slice(0, replica.indexOf("/")));
}

/** The replica that an owner (`nodeId/diskId/incarnation`) is a process of. */
export function replicaOfOwner(owner: string): string {
  return owner.slice(0, owner.lastIndexOf("/"));
}
