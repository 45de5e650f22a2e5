import type { Peers } from "../../cluster/src/peers/peers.ts";
import { KeptAnswers } from "../../query/src/engine/kept-answers.ts";
import type { FragmentPool } from "../../query/src/engine/pool.ts";
import { keptAnswersBytes } from "../../query/src/limits.ts";
import type { TailSource } from "../../query/src/tail/replay.ts";
import { storeSource, workerFragments } from "./asking.ts";
import { ClusterPool } from "./fan-out/cluster-pool.ts";
import { ClusterSource, type ShardOwners } from "./fan-out/cluster-source.ts";
import type { ShardCopies } from "./fan-out/copies.ts";
import { CutHost } from "./fan-out/cut-host.ts";
import type { Stragglers } from "./fan-out/stragglers.ts";
import type { StorePart } from "./store-part.ts";

/** Where the records of all shards are read, and by whom they are looked at. */
export interface Answering {
  readonly source: TailSource;
  readonly pool: FragmentPool;
}

export interface ReadingQuestion {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** Reads our own segments and memory, at this node and at others. */
export interface Reading {
  answering(question: ReadingQuestion): Answering;
  /** Cuts that other nodes hold open here. */
  readonly heldCuts: number;
  close(): Promise<void>;
}

/** What a node needs of its cluster to read what others own, and to let them read what it owns. */
export interface ReadingPeers {
  readonly peers: Peers;
  readonly owners: ShardOwners;
  readonly copies: ShardCopies;
  readonly stragglers: Stragglers;
  /** How many other nodes there are now. */
  readonly others: () => number;
}

/** With `cluster` undefined this node owns all shards. */
export function openReading({ store, pool }: StorePart, cluster?: ReadingPeers): Reading {
  const own = storeSource(store);
  const kept = new KeptAnswers(workerFragments(pool, store), keptAnswersBytes);
  if (cluster === undefined) {
    const answering = { source: own, pool: kept };
    return { answering: () => answering, heldCuts: 0, close: () => Promise.resolve() };
  }
  const { peers, owners, copies } = cluster;
  const host = new CutHost(peers, own, kept);
  const all = new ClusterPool({ ...cluster, own, pool: kept });
  return {
    answering: ({ timeoutMs, signal }) => ({
      source: new ClusterSource({ own, peers, owners, copies, timeoutMs, signal }),
      pool: all,
    }),
    get heldCuts() {
      return host.size;
    },
    close: () => host.close(),
  };
}
