import type { ShardListed } from "../../api/src/cluster.ts";
import { byUrgency, copyText, shardStates } from "./cluster-text.ts";
import { Saying } from "./saying.tsx";

/** Shards that are listed; those that want to be looked at come first, so that none of them is beyond. */
const shownMax = 500;

/** Where each shard is. `silent`: nodes that are not heard. */
export function ShardsTable(props: {
  readonly shards: readonly ShardListed[];
  readonly silent: ReadonlySet<number>;
}) {
  const { shards, silent } = props;
  const ordered = byUrgency(shards, silent);
  return (
    <>
      <table class="listing">
        <thead>
          <tr>
            <th scope="col">Shard</th>
            <th scope="col">State</th>
            <th scope="col">Owner</th>
            <th scope="col">Copies</th>
            <th scope="col" class="wide">
              To be at
            </th>
            <th scope="col" class="wide number">
              Epoch
            </th>
            <th scope="col" class="number">
              Records
            </th>
          </tr>
        </thead>
        <tbody>
          {ordered.slice(0, shownMax).map((shard) => (
            <tr key={shard.id}>
              <th scope="row">{shard.id}</th>
              <td>
                <Saying said={shardStates(shard, silent)} />
              </td>
              <td>{shard.owner ?? "none"}</td>
              <td>{shard.replicas.map((each) => copyText(each, silent)).join(", ")}</td>
              <td class="wide">{shard.assigned.join(", ")}</td>
              <td class="wide number">{shard.epoch}</td>
              <td class="number">{shard.records?.toLocaleString() ?? ""}</td>
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
