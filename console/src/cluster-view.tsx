import { silentOf, summaryOf } from "./cluster-text.ts";
import { absolute, lasting } from "./moment.ts";
import { NodesTable } from "./nodes-table.tsx";
import { ProblemBox } from "./problem-box.tsx";
import { ShardsTable } from "./shards-table.tsx";
import { type ClusterSeen, useCluster } from "./use-cluster.ts";

/** Nodes, and where each shard is. What is shown stays when it cannot be refreshed, and says how old it is. */
export function ClusterView({ onKey }: { readonly onKey: () => void }) {
  const [{ seen, problem }, refresh] = useCluster();
  const again = (): void => {
    refresh();
    onKey();
  };
  return (
    <main class="alerts cluster">
      <p class="status" role="status">
        {summaryText(seen, problem !== undefined)}
      </p>
      {problem !== undefined && <ProblemBox problem={problem} query="" onKey={again} />}
      {seen !== undefined && <Age {...{ seen }} isFailing={problem !== undefined} />}
      {seen !== undefined && (
        <>
          <section aria-labelledby="nodes">
            <h2 id="nodes">Nodes</h2>
            <NodesTable nodes={seen.cluster.nodes} shards={seen.shards} />
          </section>
          <section aria-labelledby="shards">
            <h2 id="shards">Shards</h2>
            <ShardsTable shards={seen.shards} silent={silentOf(seen.cluster.nodes)} />
          </section>
        </>
      )}
    </main>
  );
}

function summaryText(seen: ClusterSeen | undefined, isFailing: boolean): string {
  if (seen !== undefined) return summaryOf(seen.cluster, seen.shards);
  return isFailing ? "" : "asking…";
}

/** Where what is shown may no longer hold. It is no live region: it counts seconds. */
function Age({ seen, isFailing }: { readonly seen: ClusterSeen; readonly isFailing: boolean }) {
  const { unansweredMs } = seen.cluster.coordinator;
  return (
    <>
      {isFailing && <p class="warning">Shown is what was known at {absolute(seen.at)}.</p>}
      {unansweredMs !== undefined && (
        <p class="warning">
          The coordinator has not answered for {lasting(unansweredMs)}: nodes and shards are shown
          as they were then.
        </p>
      )}
    </>
  );
}
