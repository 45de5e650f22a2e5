import { randomUUID } from "node:crypto";
import { deserialize } from "node:v8";
import type { Peers } from "../../../cluster/src/peers/peers.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { Cut, Part, TimeRange } from "../../../query/src/source.ts";
import type { TailSource } from "../../../query/src/tail/replay.ts";
import type { OwnSource } from "../asking.ts";
import { RemoteRef } from "./cluster-pool.ts";
import { movingTickMs, movingWaitMs, openTimeoutMs } from "./limits.ts";
import { methods, type OpenedMessage, type OpenMessage, type RemotePart } from "./messages.ts";

/** Who owns which shard, as far as this node knows. */
export interface ShardOwners {
  /** Of the cluster: shards are numbered from 0. */
  readonly shardCount: number;
  /** The node's id; undefined while nobody is known to own it. */
  nodeOf(shard: number): number | undefined;
  /** A node has said that it does not serve the shard; says nothing by now if it is not the one that is known to own it. */
  doubt(shard: number, node?: number): void;
  /** Resolves at the next change, or when the time is over. */
  changed(timeoutMs: number): Promise<void>;
}

export interface ClusterSourceOptions {
  readonly own: OwnSource;
  readonly peers: Peers;
  readonly owners: ShardOwners;
  /** Until when a cut may be needed, counted from its opening, in milliseconds. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** What one node has opened of the shards that it was asked for. */
interface Opened {
  readonly node: number | undefined;
  readonly asked: readonly number[];
  readonly parts: readonly Part[];
  readonly missing: readonly string[];
  readonly elsewhere: readonly number[];
  release(): void;
}

/** Cuts of all shards of the cluster, each opened at its owner, once. */
export class ClusterSource implements TailSource {
  readonly #options: ClusterSourceOptions;

  constructor(options: ClusterSourceOptions) {
    this.#options = options;
  }

  shardOf(part: Part): number {
    return part.ref instanceof RemoteRef ? part.ref.shard : this.#options.own.shardOf(part);
  }

  positionThroughOf(part: Part): number {
    if (!(part.ref instanceof RemoteRef)) return this.#options.own.positionThroughOf(part);
    return (part as Part & RemotePart).positionThrough;
  }

  async open(tenant: string, range: TimeRange): Promise<Cut> {
    const { owners, signal, timeoutMs } = this.#options;
    const beganMs = performance.now();
    const waitMs = Math.min(movingWaitMs, timeoutMs / 2);
    const all = Array.from({ length: owners.shardCount }, (_, shard) => shard);
    const held: Opened[] = [];
    let wanted: readonly number[] = all;
    try {
      for (;;) {
        const opened = await Promise.all(
          this.#byNode(wanted).map(([node, shards]) =>
            this.#openAt(node, shards, tenant, range, timeoutMs - (performance.now() - beganMs)),
          ),
        );
        held.push(...opened);
        signal?.throwIfAborted();
        wanted = opened.flatMap(({ elsewhere }) => elsewhere);
        const isLate = performance.now() - beganMs > waitMs;
        if (wanted.length === 0 || isLate) return joined(held, new Set(wanted), opened);
        for (const shard of wanted) owners.doubt(shard);
        await owners.changed(movingTickMs);
      }
    } catch (thrown) {
      for (const { release } of held) release();
      throw thrown;
    }
  }

  #byNode(shards: readonly number[]): [number | undefined, number[]][] {
    const { owners } = this.#options;
    return [...Map.groupBy(shards, (shard) => owners.nodeOf(shard))];
  }

  async #openAt(
    node: number | undefined,
    shards: readonly number[],
    tenant: string,
    range: TimeRange,
    leftMs: number,
  ): Promise<Opened> {
    const { own, peers } = this.#options;
    // What nobody owns may be ours in a moment; until then it answers with what is sealed here.
    if (node === undefined || node === peers.self.nodeId) {
      const cut = await own.openShards(tenant, range, new Set(shards));
      const { parts, missing, elsewhere } = cut;
      return { node, asked: shards, parts, missing, elsewhere, release: () => cut.release() };
    }
    try {
      return await this.#openRemote(node, shards, { tenant, range, leftMs: Math.max(1, leftMs) });
    } catch (thrown) {
      if (!(thrown instanceof ServiceError) || thrown.code !== "peer.unavailable") throw thrown;
      const missing = shards.map((shard) => `shard ${shard}`);
      return { node, asked: shards, parts: [], missing, elsewhere: shards, release() {} };
    }
  }

  async #openRemote(
    node: number,
    shards: readonly number[],
    what: Pick<OpenMessage, "tenant" | "range" | "leftMs">,
  ): Promise<Opened> {
    const { peers, signal } = this.#options;
    const cut = randomUUID();
    const head: OpenMessage = { cut, shards: [...shards], ...what };
    const timeoutMs = Math.min(openTimeoutMs, what.leftMs);
    const release = (): void => {
      // Where this is not heard, the cut ends with its deadline.
      peers
        .call(node, methods.release, { head: { cut }, bytes: [] }, { timeoutMs: openTimeoutMs })
        .catch(() => undefined);
    };
    let opened: OpenedMessage;
    try {
      const options = signal === undefined ? { timeoutMs } : { timeoutMs, signal };
      const { bytes } = await peers.call(node, methods.open, { head, bytes: [] }, options);
      opened = deserialize(bytes[0] ?? Buffer.alloc(0)) as OpenedMessage;
    } catch (thrown) {
      release();
      throw thrown;
    }
    const plans = new Set<string>();
    const parts = opened.parts.map((part, index) => {
      return { ...part, ref: new RemoteRef({ node, cut, part: index, shard: part.shard, plans }) };
    });
    const { missing, elsewhere } = opened;
    return { node, asked: shards, parts, missing, elsewhere, release };
  }
}

/**
 * Each shard from the one node that served it; of those that nobody served in time, what the nodes asked `last` have sealed,
 * which is named as missing.
 */
function joined(
  held: readonly Opened[],
  without: ReadonlySet<number>,
  last: readonly Opened[],
): Cut {
  const parts: Part[] = [];
  const missing: string[] = [];
  for (const opened of held) {
    const elsewhere = new Set(opened.elsewhere);
    const isLast = last.includes(opened);
    const isOurs = (shard: number): boolean =>
      !elsewhere.has(shard) || (isLast && without.has(shard));
    parts.push(...opened.parts.filter((part) => isOurs((part as Part & RemotePart).shard)));
    missing.push(...opened.missing.filter((name) => isOurs(shardOfName(name))));
  }
  return {
    parts,
    missing,
    release() {
      for (const opened of held) opened.release();
    },
  };
}

/** Names of what is missing begin with its shard. */
function shardOfName(name: string): number {
  return Number(/^shard (\d+)/.exec(name)?.[1] ?? -1);
}
