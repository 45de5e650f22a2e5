import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { ClusterAnswer } from "../../api/src/answers.ts";
import type { ShardsAnswer } from "../../api/src/cluster.ts";
import { call, type Problem, shownProblem } from "./api.ts";
import { type Polling, startPolling, tabPage } from "./poll.ts";

const everyMs = 2000;
/** After failures in a row: as rarely as this. */
const waitMsMax = 30_000;
/** A request that hangs must not end the asking. */
const requestMsMax = 15_000;

/** What a node answered, of one moment. */
export interface ClusterSeen {
  readonly cluster: ClusterAnswer;
  readonly shards: ShardsAnswer["shards"];
  /** When, RFC 3339. */
  readonly at: string;
}

/** The last that was heard of the cluster; a failure leaves it as it was. */
export interface ClusterState {
  readonly seen: ClusterSeen | undefined;
  /** Why the latest attempt failed. */
  readonly problem: Problem | undefined;
}

const nothing: ClusterState = { seen: undefined, problem: undefined };

/** Follows nodes and shards while the page is visible; and how to ask at once. */
export function useCluster(): readonly [ClusterState, () => void] {
  const [state, setState] = useState(nothing);
  const polling = useRef<Polling | undefined>(undefined);
  useEffect(() => {
    const look = async (stopped: AbortSignal): Promise<void> => {
      const signal = AbortSignal.any([stopped, AbortSignal.timeout(requestMsMax)]);
      try {
        const [cluster, { shards }] = await Promise.all([
          answerOf<ClusterAnswer>("/api/v1/cluster", signal),
          answerOf<ShardsAnswer>("/api/v1/cluster/shards", signal),
        ]);
        const at = new Date().toISOString();
        setState({ seen: { cluster, shards, at }, problem: undefined });
      } catch (thrown) {
        if (stopped.aborted) return;
        const problem = shownProblem(thrown);
        setState((was) => ({ ...was, problem }));
        throw thrown;
      }
    };
    polling.current = startPolling({ ask: look, everyMs, waitMsMax, page: tabPage });
    return () => polling.current?.stop();
  }, []);
  return [state, useCallback(() => polling.current?.now(), [])];
}

async function answerOf<T>(path: string, signal: AbortSignal): Promise<T> {
  return (await (await call(path, { signal })).json()) as T;
}
