/** Who this process is. */
export interface NodeIdentity {
  /** 1 to 255. */
  readonly nodeId: number;
  /** Drawn when the data directory was made: an emptied disk is another one. */
  readonly diskId: string;
  /** Of this process, unique for all time. */
  readonly incarnation: string;
}

/** What others learn of a node from its live znode. */
export interface NodeRecord extends NodeIdentity {
  /** `host:port` of HTTP. */
  readonly http: string;
  readonly zone: string;
  readonly roles: readonly string[];
  readonly version: string;
  readonly startedMs: number;
  readonly capacityBytes: number;
}
