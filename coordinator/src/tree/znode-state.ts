import type { ZnodeParts } from "./znode-values.ts";

/** No znode: the end of a list, or a path that is not there. */
export const none = -1;

/** The root is the first znode of every tree. */
export const rootId = 0;

/** What a znode keeps; `cversion` is the number of creates below it, as it stands in txns and snapshots. */
export interface ZnodeState {
  readonly data: Uint8Array | null;
  readonly acl: number;
  readonly czxid: number;
  readonly mzxid: number;
  readonly pzxid: number;
  readonly ctime: number;
  readonly mtime: number;
  readonly version: number;
  readonly cversion: number;
  readonly aversion: number;
  readonly ephemeralOwner: bigint;
}

/** A znode as a snapshot has it: where its parts lie in bytes whose numbers `view` reads. */
export interface PersistedZnode extends ZnodeParts {
  readonly acl: number;
  readonly view: DataView;
  /** Of the 60 bytes that are kept of its Stat, in `data`. */
  readonly statAt: number;
}

export interface ZnodesOptions {
  /** Whether ZooKeeper's digest is kept. Default true. */
  readonly digests?: boolean | undefined;
  /** An int that clients do not know, so that they cannot choose paths of one hash. Default 0. */
  readonly hashSeed?: number | undefined;
}

/** Told before a znode changes or goes, so that an image of the tree under way can keep the old state. */
export type BeforeChange = (id: number) => void;

/** What a snapshot keeps of a Stat. */
export const persistedBytes = 60;
