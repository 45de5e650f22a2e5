import { randomUUID } from "node:crypto";
import { deserialize, serialize } from "node:v8";
import type { Peers } from "../../../cluster/src/peers/peers.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { Deletion, Part, TimeRange } from "../../../query/src/source.ts";
import { type SealedPart, sealedParts } from "../../../storage/src/shard/sealed-parts.ts";
import type { OwnSource } from "../asking.ts";
import type { ShardCopies } from "./copies.ts";
import { openTimeoutMs, sealedPartsMax } from "./limits.ts";
import { methods, type OpenedSealedMessage, type OpenSealedMessage } from "./messages.ts";
import { RemoteRef } from "./remote-ref.ts";

/** What a node has of sealed files, readable until it is released. */
export interface SealedCut {
  /** Of each that was asked for; undefined where the node has no whole copy. */
  readonly parts: readonly (Part | undefined)[];
  release(): void;
}

export interface SealedDeps {
  readonly own: OwnSource;
  readonly peers: Peers;
  readonly signal: AbortSignal | undefined;
}

/** Opens copies of sealed files at a node, at most `sealedPartsMax`. Rejects as `Peers.call`. */
export async function openSealedAt(
  node: number,
  asked: readonly SealedPart[],
  leftMs: number,
  { own, peers, signal }: SealedDeps,
): Promise<SealedCut> {
  if (node === peers.self.nodeId) {
    return { parts: own.openSealed(asked), release: () => undefined };
  }
  const cut = randomUUID();
  const release = (): void => releaseCut(peers, node, cut);
  const head: OpenSealedMessage = { cut, leftMs };
  const timeoutMs = Math.min(openTimeoutMs, leftMs);
  const options = signal === undefined ? { timeoutMs } : { timeoutMs, signal };
  let held: readonly number[];
  try {
    const message = { head, bytes: [serialize(asked)] };
    const { bytes } = await peers.call(node, methods.openSealed, message, options);
    ({ held } = deserialize(bytes[0] ?? Buffer.alloc(0)) as OpenedSealedMessage);
  } catch (thrown) {
    release();
    throw thrown;
  }
  const plans = new Set<string>();
  const partOf = new Map(held.map((index, part) => [index, part] as const));
  const parts = asked.map((sealed, index) => {
    const part = partOf.get(index);
    if (part === undefined) return undefined;
    const { shard } = sealed;
    return { ...sealed, ref: new RemoteRef({ node, cut, part, shard, sealed, plans }) };
  });
  return { parts, release };
}

/** Where this is not heard, the cut ends with its deadline. */
export function releaseCut(peers: Peers, node: number, cut: string): void {
  peers
    .call(node, methods.release, { head: { cut }, bytes: [] }, { timeoutMs: openTimeoutMs })
    .catch(() => undefined);
}

/** What is asked of a shard that nobody serves. */
export interface VacantAsked {
  readonly tenant: string;
  readonly range: TimeRange;
  /** Those that may hide records of any shard. */
  readonly deletions: readonly Deletion[];
  readonly leftMs: number;
}

/**
 * What is sealed of a shard that nobody serves: its segments as the znodes list them, each from the first node that has a whole copy.
 * Those that nobody has are left out. Undefined when the list cannot be read.
 */
export async function openVacant(
  shard: number,
  { tenant, range, deletions, leftMs }: VacantAsked,
  deps: SealedDeps & { readonly copies: ShardCopies },
): Promise<{ readonly parts: readonly Part[]; release(): void } | undefined> {
  const { copies, signal } = deps;
  const manifest = await copies.manifest(shard);
  if (manifest === undefined) return undefined;
  // What they are about in the shard's log is not known here, so they hide what matches in all of it.
  const wanted = { tenant, range, deletionsOf: () => deletions };
  let left = manifest.segments.flatMap((entry) => sealedParts(shard, entry, wanted));
  const parts: Part[] = [];
  const releases: (() => void)[] = [];
  const release = (): void => {
    for (const each of releases) each();
  };
  try {
    for (const node of copies.nodesWith(shard)) {
      const without: SealedPart[] = [];
      for (let at = 0; at < left.length; at += sealedPartsMax) {
        const some = left.slice(at, at + sealedPartsMax);
        const cut = await openSealedAt(node, some, leftMs, deps).catch(unreachable);
        signal?.throwIfAborted();
        if (cut !== undefined) releases.push(cut.release);
        parts.push(...(cut?.parts ?? []).filter((part) => part !== undefined));
        without.push(...some.filter((_, index) => cut?.parts[index] === undefined));
      }
      left = without;
      if (left.length === 0) break;
    }
  } catch (thrown) {
    release();
    throw thrown;
  }
  return { parts, release };
}

/** A node that cannot be asked has nothing. */
function unreachable(thrown: unknown): undefined {
  if (!(thrown instanceof ServiceError)) throw thrown;
  return undefined;
}
