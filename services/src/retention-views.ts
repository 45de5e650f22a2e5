import { deserialize, serialize } from "node:v8";
import type { Peers } from "../../cluster/src/peers/peers.ts";
import type { Topology } from "../../cluster/src/topology.ts";
import { momentCompare } from "../../kit/src/time.ts";
import type {
  ClassHolding,
  NextDrop,
  RetentionView,
} from "../../storage/src/shard/retention-view.ts";
import type { Store } from "../../storage/src/shard/store.ts";

const method = "retention.view";

/** How long a node may take to answer, before the figures are given without it. */
const answerMs = 1_500;

/** Files that go within this of the first go with it: retention looks once a minute. */
const togetherMs = 60_000;

/** What all shards hold, and what of them goes next. */
export interface WholeRetention {
  readonly view: RetentionView;
  /** Shards that no node answered for; the view is without them. */
  readonly missing: readonly number[];
}

interface NodeRetention {
  readonly shards: readonly number[];
  readonly view: RetentionView;
}

/** Asks all nodes what the shards that they serve hold. */
export class Retentions {
  readonly #store: Store;
  readonly #shardCount: number;
  readonly #peers: Peers;
  readonly #topology: Topology;

  constructor(store: Store, shardCount: number, peers: Peers, topology: Topology) {
    this.#store = store;
    this.#shardCount = shardCount;
    this.#peers = peers;
    this.#topology = topology;
    peers.handle(method, () => Promise.resolve({ head: {}, bytes: [serialize(this.#own())] }));
  }

  async all(): Promise<WholeRetention> {
    const answers = [this.#own(), ...(await this.#others())];
    const told = new Set(answers.flatMap(({ shards }) => shards));
    const all = Array.from({ length: this.#shardCount }, (_, shard) => shard);
    const view = joinedRetention(
      answers.map((answer) => answer.view),
      Date.now(),
    );
    return { view, missing: all.filter((shard) => !told.has(shard)) };
  }

  #own(): NodeRetention {
    const { shards } = this.#store.status();
    const serving = shards.filter(({ state }) => state === "serving").map(({ shard }) => shard);
    return { shards: serving, view: this.#store.retention() };
  }

  async #others(): Promise<NodeRetention[]> {
    const { nodeId } = this.#peers.self;
    const others = this.#topology.nodes().filter((node) => node.nodeId !== nodeId);
    const asked = others.map(async (node) => {
      const question = { head: {}, bytes: [] };
      const options = { timeoutMs: answerMs };
      const { bytes } = await this.#peers.call(node.nodeId, method, question, options);
      return deserialize(bytes[0] ?? Buffer.alloc(0)) as NodeRetention;
    });
    const settled = await Promise.allSettled(asked);
    return settled.filter((one) => one.status === "fulfilled").map(({ value }) => value);
  }
}

/** What several nodes hold, as if one held it all. */
export function joinedRetention(views: readonly RetentionView[], nowMs: number): RetentionView {
  const byKey = Map.groupBy(
    views.flatMap(({ holdings }) => holdings),
    ({ tenant, retentionClass, internal }) => JSON.stringify([tenant, retentionClass, internal]),
  );
  return {
    holdings: [...byKey]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, of]) => joinedHolding(of, nowMs)),
    segmentBytes: views.reduce((sum, { segmentBytes }) => sum + segmentBytes, 0),
    bytesMax: views.reduce((sum, { bytesMax }) => sum + bytesMax, 0),
  };
}

function joinedHolding(of: readonly ClassHolding[], nowMs: number): ClassHolding {
  const first = of[0] as ClassHolding;
  return {
    ...first,
    rows: of.reduce((sum, { rows }) => sum + rows, 0),
    bytes: of.reduce((sum, { bytes }) => sum + bytes, 0),
    oldest: of.reduce((a, { oldest }) => (momentCompare(oldest, a) < 0 ? oldest : a), first.oldest),
    nextDrop: joinedDrop(of, nowMs),
  };
}

function joinedDrop(of: readonly ClassHolding[], nowMs: number): NextDrop | undefined {
  const drops = of.flatMap(({ nextDrop }) => (nextDrop === undefined ? [] : [nextDrop]));
  drops.sort((a, b) => a.atMs - b.atMs);
  const [first] = drops;
  if (first === undefined) return undefined;
  const going = drops.filter(({ atMs }) => atMs < Math.max(first.atMs, nowMs) + togetherMs);
  return {
    ...first,
    rows: going.reduce((sum, { rows }) => sum + rows, 0),
    bytes: going.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}
