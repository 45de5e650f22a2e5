import { assert } from "../../../kit/src/assert.ts";
import { slack } from "./limits.ts";
import { fairShares, weightsOf } from "./shares.ts";

/** A node that may have copies. */
export interface PlacementNode {
  readonly id: number;
  /** What may fail as a whole with it; empty: nothing is known. */
  readonly zone: string;
  /** In proportion to this it gets its share; 0: as the average of the others. */
  readonly capacityBytes: number;
  /** Not there now: it keeps what it has, and gets nothing more. */
  readonly isAway?: boolean;
}

/** The sets of all shards while they are being made, by indices of nodes, and what each node has of them. */
export class Loads {
  readonly nodes: readonly PlacementNode[];
  readonly weights: readonly number[];
  /** Copies that each node should have. */
  readonly fair: Float64Array;
  /** The bounds within which nothing moves. */
  readonly low: Float64Array;
  readonly high: Float64Array;
  readonly count: Int32Array;
  /** By shard: the nodes that have it. */
  readonly sets: number[][];
  /** By node: the shards that it has. */
  readonly held: readonly Set<number>[];
  /** By node; those of no zone have one each. */
  readonly zones: Int32Array;

  constructor(nodes: readonly PlacementNode[], shardCount: number, copies: number) {
    this.nodes = nodes;
    this.weights = weightsOf(nodes.map(({ capacityBytes }) => capacityBytes));
    this.fair = fairShares(this.weights, shardCount * copies, shardCount);
    this.low = this.fair.map((share) => Math.floor(share * (1 - slack)));
    this.high = this.fair.map((share) => Math.ceil(share * (1 + slack)));
    this.count = new Int32Array(nodes.length);
    this.sets = Array.from({ length: shardCount }, () => []);
    this.held = nodes.map(() => new Set<number>());
    this.zones = zonesOf(nodes);
  }

  /** Whether a further copy may go to the node. */
  isOpen(node: number): boolean {
    return this.nodes[node]?.isAway !== true;
  }

  add(shard: number, node: number): void {
    const set = this.sets[shard] as number[];
    assert(!set.includes(node), "a node has a shard once");
    set.push(node);
    this.held[node]?.add(shard);
    this.count[node] = this.#countOf(node) + 1;
  }

  remove(shard: number, node: number): void {
    const set = this.sets[shard] as number[];
    set.splice(set.indexOf(node), 1);
    this.held[node]?.delete(shard);
    this.count[node] = this.#countOf(node) - 1;
  }

  /** How full a node is beside its fair share. */
  fill(node: number): number {
    return this.#countOf(node) / Math.max(this.fair[node] as number, Number.MIN_VALUE);
  }

  /** How full it would be with one more or less. */
  fillWith(node: number, more: number): number {
    return (this.#countOf(node) + more) / Math.max(this.fair[node] as number, Number.MIN_VALUE);
  }

  /** Copies of the shard in the node's zone, other than on `leaving`. */
  sameZone(shard: number, node: number, leaving = -1): number {
    let same = 0;
    for (const other of this.sets[shard] as number[]) {
      if (other !== leaving && this.zones[other] === this.zones[node]) same++;
    }
    return same;
  }

  #countOf(node: number): number {
    return this.count[node] as number;
  }
}

function zonesOf(nodes: readonly PlacementNode[]): Int32Array {
  const numbers = new Map<string, number>();
  const zones = new Int32Array(nodes.length);
  for (const [at, { id, zone }] of nodes.entries()) {
    const name = zone === "" ? `node ${id}` : `zone ${zone}`;
    const number = numbers.get(name) ?? numbers.size;
    numbers.set(name, number);
    zones[at] = number;
  }
  return zones;
}
