import { useEffect, useState } from "preact/hooks";
import type { ClusterAnswer } from "../../api/src/answers.ts";
import type { ShardsAnswer } from "../../api/src/cluster.ts";
import { call, type Problem, shownProblem } from "./api.ts";
import { startPolling, tabPage } from "./poll.ts";

const everyMs = 2000;
/** After failures in a row: as rarely as this. */
const waitMsMax = 30_000;
/** A request that hangs must not end the asking. */
const requestMsMax = 15_000;

/** The last that was heard of the cluster; a failure leaves it as it was. */
export interface ClusterState {
  readonly cluster: ClusterAnswer | undefined;
  readonly shards: ShardsAnswer["shards"] | undefined;
  /** Why the latest attempt failed. */
  readonly problem: Problem | undefined;
}

const nothing: ClusterState = { cluster: undefined, shards: undefined, problem: undefined };

/** Follows nodes and shards while the page is visible. */
export function useCluster(): ClusterState {
  const [state, setState] = useState(nothing);
  useEffect(() => {
    const look = async (stopped: AbortSignal): Promise<void> => {
      const signal = AbortSignal.any([stopped, AbortSignal.timeout(requestMsMax)]);
      try {
        const [cluster, { shards }] = await Promise.all([
          answerOf<ClusterAnswer>("/api/v1/cluster", signal),
          answerOf<ShardsAnswer>("/api/v1/cluster/shards", signal),
        ]);
        setState({ cluster, shards, problem: undefined });
      } catch (thrown) {
        if (stopped.aborted) return;
        const problem = shownProblem(thrown);
        setState((was) => ({ ...was, problem }));
        throw thrown;
      }
    };
    const polling = startPolling({ ask: look, everyMs, waitMsMax, page: tabPage });
    return () => polling.stop();
  }, []);
  return state;
}

async function answerOf<T>(path: string, signal: AbortSignal): Promise<T> {
  return (await (await call(path, { signal })).json()) as T;
}
