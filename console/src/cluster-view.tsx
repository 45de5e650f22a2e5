import type { ClusterAnswer } from "../../api/src/answers.ts";
import type { ShardListed, ShardReplica } from "../../api/src/cluster.ts";
import { ProblemBox } from "./problem-box.tsx";
import { type ClusterState, useCluster } from "./use-cluster.ts";

/** Shards that are listed; those that want to be looked at come first, so that none of them is beyond. */
const shownMax = 500;

/** Nodes, and where each shard is. What is shown stays when it cannot be refreshed. */
export function ClusterView({ onKey }: { readonly onKey: () => void }) {
  const state = useCluster();
  const { cluster, shards, problem } = state;
  return (
    <main class="alerts">
      <p class="status" role="status">
        {summaryOf(state)}
      </p>
      {problem !== undefined && <ProblemBox problem={problem} query="" onKey={onKey} />}
      <section aria-labelledby="nodes">
        <h2 id="nodes">Nodes</h2>
        {cluster !== undefined && <Nodes nodes={cluster.nodes} />}
      </section>
      <section aria-labelledby="shards">
        <h2 id="shards">Shards</h2>
        {shards !== undefined && <Shards shards={shards} />}
      </section>
    </main>
  );
}

function summaryOf({ cluster, shards, problem }: ClusterState): string {
  if (cluster === undefined || shards === undefined) return problem === undefined ? "asking…" : "";
  const of = (state: ShardListed["state"]): number =>
    shards.filter((shard) => shard.state === state).length;
  const parts = [
    countText(cluster.nodes.length, "node"),
    countText(shards.length, "shard"),
    ...(of("moving") > 0 ? [`${of("moving")} moving`] : []),
    ...(of("offline") > 0 ? [`${of("offline")} offline`] : []),
    ...(cluster.nodes.some(({ silentMs }) => silentMs !== undefined) ? ["some nodes silent"] : []),
    ...(shards.some(({ isSingle }) => isSingle) ? ["some on one disk alone"] : []),
  ];
  return `${parts.join(", ")}; coordinator ${coordinatorText(cluster.coordinator)}.`;
}

function coordinatorText({
  state,
  availability,
  unansweredMs,
}: ClusterAnswer["coordinator"]): string {
  const led = availability === undefined || availability.state === "led";
  const now = led ? state : `${state}, without a leader`;
  if (unansweredMs === undefined) return now;
  return `${now}; nodes and shards are as they were ${secondsText(unansweredMs)} ago`;
}

function secondsText(ms: number): string {
  return countText(Math.round(ms / 1000), "second");
}

function stateText({ state, silentMs }: ClusterAnswer["nodes"][number]): string {
  return silentMs === undefined ? state : `silent for ${secondsText(silentMs)}`;
}

function countText(count: number, what: string): string {
  return `${count.toLocaleString()} ${what}${count === 1 ? "" : "s"}`;
}

function Nodes({ nodes }: { readonly nodes: ClusterAnswer["nodes"] }) {
  return (
    <table class="listing">
      <thead>
        <tr>
          <th scope="col">Node</th>
          <th scope="col">State</th>
          <th scope="col">HTTP</th>
          <th scope="col">Zone</th>
          <th scope="col">Roles</th>
          <th scope="col">Version</th>
          <th scope="col">Disk free</th>
        </tr>
      </thead>
      <tbody>
        {nodes.map((node) => (
          <tr key={node.id}>
            <th scope="row">{node.id}</th>
            <td>
              {stateText(node)}
              {node.isDrained === true && ", drained"}
            </td>
            <td>{node.http}</td>
            <td>{node.zone ?? ""}</td>
            <td>{node.roles.join(", ")}</td>
            <td>{node.version}</td>
            <td>{freeText(node)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function freeText({ disk }: ClusterAnswer["nodes"][number]): string {
  if (disk === undefined) return "";
  const share = Math.round((100 * disk.freeBytes) / Math.max(1, disk.totalBytes));
  return `${share} %${disk.isFull ? ", full" : ""}`;
}

function Shards({ shards }: { readonly shards: readonly ShardListed[] }) {
  const ordered = shards.toSorted((a, b) => urgency(b) - urgency(a) || a.id - b.id);
  return (
    <>
      <table class="listing">
        <thead>
          <tr>
            <th scope="col">Shard</th>
            <th scope="col">State</th>
            <th scope="col">Owner</th>
            <th scope="col">Copies</th>
            <th scope="col">To be at</th>
            <th scope="col">Epoch</th>
            <th scope="col">Records</th>
          </tr>
        </thead>
        <tbody>
          {ordered.slice(0, shownMax).map((shard) => (
            <tr key={shard.id}>
              <th scope="row">{shard.id}</th>
              <td>
                {shard.state}
                {shard.isSingle && ", on one disk"}
              </td>
              <td>{shard.owner ?? "none"}</td>
              <td>{shard.replicas.map(copyText).join(", ")}</td>
              <td>{shard.assigned.join(", ")}</td>
              <td>{shard.epoch}</td>
              <td>{shard.records?.toLocaleString() ?? ""}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {ordered.length > shownMax && (
        <p class="hint">and {(ordered.length - shownMax).toLocaleString()} more</p>
      )}
    </>
  );
}

/** What is served as it is to be comes last. */
function urgency({ state, isSingle }: ShardListed): number {
  if (state === "offline") return 3;
  if (state === "moving" || state === "unmade") return 2;
  return isSingle ? 1 : 0;
}

/** As `2`, `3 (learning)`, `3 (120 behind)`, `1 (gone)`. */
function copyText({ node, isInSync, isLive, lag = 0 }: ShardReplica): string {
  const facts = [
    ...(isLive ? [] : ["gone"]),
    ...(isInSync ? [] : ["learning"]),
    ...(lag > 0 ? [`${lag.toLocaleString()} behind`] : []),
  ];
  return facts.length === 0 ? String(node) : `${node} (${facts.join(", ")})`;
}
