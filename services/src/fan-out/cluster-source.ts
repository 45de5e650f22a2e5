import { randomUUID } from "node:crypto";
import { deserialize } from "node:v8";
import type { Peers } from "../../../cluster/src/peers/peers.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { Cut, Deletion, Part, TimeRange } from "../../../query/src/source.ts";
import type { TailSource } from "../../../query/src/tail/replay.ts";
import type { OwnSource } from "../asking.ts";
import type { ShardCopies } from "./copies.ts";
import { movingTickMs, movingWaitMs, openTimeoutMs } from "./limits.ts";
import { methods, type OpenedMessage, type OpenMessage, type RemotePart } from "./messages.ts";
import { RemoteRef } from "./remote-ref.ts";
import { openVacant, releaseCut } from "./sealed-cuts.ts";

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
  readonly copies: ShardCopies;
  /** Until when a cut may be needed, counted from its opening, in milliseconds. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** What one node has opened of the shards that it was asked for. */
interface Opened {
  readonly node: number | undefined;
  readonly asked: readonly number[];
  readonly parts: readonly Part[];
  readonly missing: readonly string[];
  readonly elsewhere: readonly number[];
  readonly deletions: readonly Deletion[] | undefined;
  release(): void;
}

interface Opening extends Pick<OpenMessage, "tenant" | "range" | "leftMs"> {
  /** How long the opening may take, where the query as a whole has `leftMs`. */
  readonly openMs: number;
}

/** What is sealed of a shard that nobody served in time. */
interface Sealed {
  readonly parts: readonly Part[];
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
    const leftMs = (): number => Math.max(1, timeoutMs - (performance.now() - beganMs));
    // Tried again, a node that does not answer must not make the wait longer than it may be.
    const openMs = (): number =>
      Math.max(movingTickMs * 4, Math.min(leftMs(), this.#waitMs - (performance.now() - beganMs)));
    const all = Array.from({ length: owners.shardCount }, (_, shard) => shard);
    const held: Opened[] = [];
    let wanted: readonly number[] = all;
    try {
      for (;;) {
        const opened = await Promise.all(
          this.#byNode(wanted).map(([node, shards]) =>
            this.#openAt(node, shards, {
              ...{ tenant, range, leftMs: leftMs() },
              openMs: held.length === 0 ? leftMs() : openMs(),
            }),
          ),
        );
        held.push(...opened);
        signal?.throwIfAborted();
        wanted = opened.flatMap(({ elsewhere }) => elsewhere);
        if (wanted.length === 0) return joined(held, opened, new Set(), new Map());
        if (this.#isLate(wanted, performance.now() - beganMs)) {
          const sealed = await this.#sealed(wanted, tenant, range, held, leftMs());
          return joined(held, opened, new Set(wanted), sealed);
        }
        for (const shard of wanted) owners.doubt(shard);
        await owners.changed(movingTickMs);
      }
    } catch (thrown) {
      for (const { release } of held) release();
      throw thrown;
    }
  }

  /** Whether shards are waited for no longer: what has had no owner for long is not on the move. */
  #isLate(shards: readonly number[], waitedMs: number): boolean {
    const { copies } = this.#options;
    const waitMs = this.#waitMs;
    return waitedMs > waitMs || shards.every((shard) => copies.vacantMs(shard) > waitMs);
  }

  /** How long shards without an owner are waited for. */
  get #waitMs(): number {
    return Math.min(movingWaitMs, this.#options.timeoutMs / 2);
  }

  /** By shard, what other nodes have of it sealed; without those of which that cannot be told, or not what was deleted of them. */
  async #sealed(
    shards: readonly number[],
    tenant: string,
    range: TimeRange,
    held: readonly Opened[],
    leftMs: number,
  ): Promise<ReadonlyMap<number, Sealed>> {
    const known = held.map(({ deletions }) => deletions).filter((each) => each !== undefined);
    if (known.length === 0) return new Map();
    const deletions = [...new Map(known.flat().map((each) => [each.id, each])).values()];
    const asked = { tenant, range, deletions, leftMs };
    const found = new Map<number, Sealed>();
    try {
      await Promise.all(
        shards.map(async (shard) => {
          const sealed = await openVacant(shard, asked, this.#options);
          if (sealed !== undefined) found.set(shard, sealed);
        }),
      );
    } catch (thrown) {
      for (const { release } of found.values()) release();
      throw thrown;
    }
    return found;
  }

  #byNode(shards: readonly number[]): [number | undefined, number[]][] {
    const { owners } = this.#options;
    return [...Map.groupBy(shards, (shard) => owners.nodeOf(shard))];
  }

  async #openAt(
    node: number | undefined,
    shards: readonly number[],
    what: Opening,
  ): Promise<Opened> {
    const { tenant, range } = what;
    const { own, peers } = this.#options;
    // What nobody owns may be ours in a moment; until then it answers with what is sealed here.
    if (node === undefined || node === peers.self.nodeId) {
      const cut = await own.openShards(tenant, range, new Set(shards));
      const { parts, missing, elsewhere } = cut;
      const deletions = own.deletions(tenant);
      const release = (): void => cut.release();
      return { node, asked: shards, parts, missing, elsewhere, deletions, release };
    }
    try {
      return await this.#openRemote(node, shards, what);
    } catch (thrown) {
      if (!(thrown instanceof ServiceError) || thrown.code !== "peer.unavailable") throw thrown;
      const missing = shards.map((shard) => `shard ${shard}`);
      const nothing = { parts: [], deletions: undefined, release: () => undefined };
      return { node, asked: shards, missing, elsewhere: shards, ...nothing };
    }
  }

  async #openRemote(
    node: number,
    shards: readonly number[],
    { openMs, ...what }: Opening,
  ): Promise<Opened> {
    const { peers, signal } = this.#options;
    const cut = randomUUID();
    const head: OpenMessage = { cut, shards: [...shards], ...what };
    const timeoutMs = Math.min(openTimeoutMs, openMs);
    const release = (): void => releaseCut(peers, node, cut);
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
    const parts = opened.parts.map(({ sealed: file, ...part }, index) => {
      const sealed = file && { ...part, ...file, tenant: what.tenant };
      const { shard } = part;
      return { ...part, ref: new RemoteRef({ node, cut, part: index, shard, sealed, plans }) };
    });
    const { missing, elsewhere, deletions } = opened;
    return { node, asked: shards, parts, missing, elsewhere, deletions, release };
  }
}

/**
 * Each shard from the one node that served it. Those `without` are named as missing; of them, what is `sealed`, else what the
 * nodes asked `last` have by themselves.
 */
function joined(
  held: readonly Opened[],
  last: readonly Opened[],
  without: ReadonlySet<number>,
  sealed: ReadonlyMap<number, Sealed>,
): Cut {
  const parts: Part[] = [...sealed.values()].flatMap((each) => each.parts);
  const missing: string[] = [];
  for (const opened of held) {
    const elsewhere = new Set(opened.elsewhere);
    const isLast = last.includes(opened);
    const isTold = (shard: number): boolean =>
      !elsewhere.has(shard) || (isLast && without.has(shard));
    const isRead = (shard: number): boolean => isTold(shard) && !sealed.has(shard);
    parts.push(...opened.parts.filter((part) => isRead((part as Part & RemotePart).shard)));
    missing.push(...opened.missing.filter((name) => isTold(shardOfName(name))));
  }
  return {
    parts,
    missing,
    release() {
      for (const opened of held) opened.release();
      for (const each of sealed.values()) each.release();
    },
  };
}

/** Names of what is missing begin with its shard. */
function shardOfName(name: string): number {
  return Number(/^shard (\d+)/.exec(name)?.[1] ?? -1);
}
