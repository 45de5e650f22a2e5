import type { ClusterAnswer } from "../../api/src/answers.ts";
import type { ShardListed } from "../../api/src/cluster.ts";
import { copiesOn, nodeState } from "./cluster-text.ts";
import { Saying } from "./saying.tsx";

/** Every node that is there, or that shards are still to be on. */
export function NodesTable(props: {
  readonly nodes: ClusterAnswer["nodes"];
  readonly shards: readonly ShardListed[];
}) {
  const { nodes, shards } = props;
  return (
    <table class="listing">
      <thead>
        <tr>
          <th scope="col">Node</th>
          <th scope="col">State</th>
          <th scope="col">HTTP</th>
          <th scope="col" class="wide">
            Zone
          </th>
          <th scope="col" class="wide">
            Roles
          </th>
          <th scope="col" class="wide">
            Version
          </th>
          <th scope="col" class="wide number">
            Copies
          </th>
          <th scope="col" class="number">
            Disk free
          </th>
        </tr>
      </thead>
      <tbody>
        {nodes.map((node) => {
          const copies = copiesOn(node.id, shards);
          return (
            <tr key={node.id}>
              <th scope="row">{node.id}</th>
              <td>
                <Saying said={[nodeState(node, copies)]} />
              </td>
              <td class="address">{node.http}</td>
              <td class="wide">{node.zone ?? ""}</td>
              <td class="wide">{node.roles.join(", ")}</td>
              <td class="wide">{node.version}</td>
              <td class="wide number">{copies.toLocaleString()}</td>
              <td class="number">{freeText(node)}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function freeText({ disk }: ClusterAnswer["nodes"][number]): string {
  if (disk === undefined) return "";
  const share = Math.round((100 * disk.freeBytes) / Math.max(1, disk.totalBytes));
  return `${share} %${disk.isFull ? ", full" : ""}`;
}
