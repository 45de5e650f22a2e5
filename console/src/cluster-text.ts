import type { ClusterAnswer } from "../../api/src/answers.ts";
import type { ShardListed, ShardReplica } from "../../api/src/cluster.ts";
import { lasting } from "./moment.ts";

type Node = ClusterAnswer["nodes"][number];

/** A state in words; its tone is how it stands out, and never all that tells it. */
export interface Said {
  readonly word: string;
  readonly tone: "well" | "care" | "bad";
  /** Behind the word, as `for 4 s`. */
  readonly more?: string;
}

/** Nodes that the one that was asked does not hear, though they are not yet gone. */
export function silentOf(nodes: readonly Node[]): ReadonlySet<number> {
  return new Set(nodes.filter(({ silentMs }) => silentMs !== undefined).map(({ id }) => id));
}

/** All of it in a line that changes only when something does. */
export function summaryOf(
  { nodes, coordinator }: Pick<ClusterAnswer, "nodes" | "coordinator">,
  shards: readonly ShardListed[],
): string {
  const gone = nodes.filter(({ state }) => state === "gone").length;
  const silent = silentOf(nodes).size;
  const of = (state: ShardListed["state"]): number =>
    shards.filter((shard) => shard.state === state).length;
  const single = shards.filter(({ isSingle }) => isSingle).length;
  const parts = [
    counted(nodes.length, "node"),
    ...(silent > 0 ? [`${silent} silent`] : []),
    ...(gone > 0 ? [`${gone} gone`] : []),
    counted(shards.length, "shard"),
    ...(of("offline") > 0 ? [`${of("offline")} offline`] : []),
    ...(of("unmade") > 0 ? [`${of("unmade")} not made yet`] : []),
    ...(of("moving") > 0 ? [`${of("moving")} moving`] : []),
    ...(single > 0 ? [`${single} on one disk alone`] : []),
  ];
  const { state, availability } = coordinator;
  const isLed = availability === undefined || availability.state === "led";
  return `${parts.join(", ")}; coordinator ${state}${isLed ? "" : ", without a leader"}.`;
}

/** `copies`: how many shards have one there. */
export function nodeState({ state, silentMs, isDrained }: Node, copies: number): Said {
  if (state === "gone") return { word: "gone", tone: "bad" };
  if (silentMs !== undefined)
    return { word: "silent", tone: "bad", more: `for ${lasting(silentMs)}` };
  if (isDrained === true && copies > 0) {
    const left = `${copies.toLocaleString()} ${copies === 1 ? "copy" : "copies"} left`;
    return { word: "draining", tone: "care", more: left };
  }
  if (state !== "live") return { word: state, tone: "care" };
  return { word: "live", tone: "well", ...(isDrained === true ? { more: "drained" } : {}) };
}

export function copiesOn(node: number, shards: readonly ShardListed[]): number {
  return shards.filter(({ replicas }) => replicas.some((each) => each.node === node)).length;
}

/** What is to be said of a shard, the worst first. */
export function shardStates(
  { state, owner, isSingle }: ShardListed,
  silent: ReadonlySet<number>,
): readonly Said[] {
  // Its session lasts some seconds longer than it does: until then nobody takes over.
  const isUnheard = owner !== undefined && silent.has(owner);
  const first: readonly Said[] = isUnheard ? [{ word: "owner silent", tone: "bad" }] : [];
  const second: readonly Said[] = isSingle ? [{ word: "on one disk", tone: "care" }] : [];
  switch (state) {
    case "offline":
      return [{ word: "offline", tone: "bad" }, ...second];
    case "unmade":
      return [{ word: "not made yet", tone: "care" }];
    case "moving":
      return [...first, { word: "moving", tone: "care" }, ...second];
    case "served":
      return [
        ...first,
        ...(isUnheard ? [] : [{ word: "served", tone: "well" } as const]),
        ...second,
      ];
  }
}

/** What wants to be looked at comes first. */
export function byUrgency(
  shards: readonly ShardListed[],
  silent: ReadonlySet<number>,
): readonly ShardListed[] {
  const tones = { bad: 3, care: 1, well: 0 };
  const urgency = new Map(
    shards.map((shard) => {
      const worst = shardStates(shard, silent).map(({ tone }) => tones[tone]);
      return [shard.id, Math.max(...worst) + (shard.isSingle ? 1 : 0)];
    }),
  );
  const of = ({ id }: ShardListed): number => urgency.get(id) ?? 0;
  return shards.toSorted((a, b) => of(b) - of(a) || a.id - b.id);
}

/** As `2`, `3 (learning)`, `3 (silent, 120 behind)`, `1 (gone)`. */
export function copyText(
  { node, isInSync, isLive, lag = 0 }: ShardReplica,
  silent: ReadonlySet<number>,
): string {
  const away = silent.has(node) ? "silent" : isLive ? undefined : "gone";
  const facts = [
    away ?? (isInSync ? undefined : "learning"),
    lag > 0 ? `${lag.toLocaleString()} behind` : undefined,
  ].filter((fact) => fact !== undefined);
  return facts.length === 0 ? String(node) : `${node} (${facts.join(", ")})`;
}

function counted(count: number, what: string): string {
  return `${count.toLocaleString()} ${what}${count === 1 ? "" : "s"}`;
}
