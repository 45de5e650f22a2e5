import { quotaWarningsMax } from "./limits.ts";
import { none, type Znodes } from "./znodes.ts";

/** What a subtree may hold; undefined: as much as it likes. Hard limits refuse, the others warn. */
export interface QuotaLimits {
  readonly countSoft: number | undefined;
  readonly bytesSoft: number | undefined;
  readonly countHard: number | undefined;
  readonly bytesHard: number | undefined;
}

/** A subtree with a quota, and what it holds now: the znode itself and all below it. */
interface Quota extends QuotaLimits {
  count: number;
  bytes: number;
}

/** A soft limit of this path was passed. */
export interface QuotaWarning {
  readonly path: string;
  readonly what: "count" | "bytes";
  readonly now: number;
  readonly limit: number;
}

const quotaRoot = "/zookeeper/quota";
const limitsName = "/zookeeper_limits";
const statsName = "/zookeeper_stats";

/** The path whose quota this znode sets; undefined when it sets none. */
export function quotaTargetOf(path: string): string | undefined {
  if (!path.startsWith(quotaRoot) || !path.endsWith(limitsName)) return undefined;
  return targetOf(path.slice(0, -limitsName.length));
}

/** The path whose usage this znode shows; undefined when it shows none. */
export function quotaStatsTargetOf(path: string): string | undefined {
  if (!path.startsWith(quotaRoot) || !path.endsWith(statsName)) return undefined;
  return targetOf(path.slice(0, -statsName.length));
}

/** ZooKeeper keeps no quota on the root. */
function targetOf(quotaPath: string): string | undefined {
  const target = quotaPath.slice(quotaRoot.length);
  return target === "" ? undefined : target;
}

/** The limits in the text of a `zookeeper_limits` znode, `count=-1,bytes=-1=;byteHardLimit=9;countHardLimit=3`. */
export function quotaLimitsOf(data: Uint8Array | null): QuotaLimits {
  const values = new Map<string, number>();
  for (const pair of Buffer.from(data ?? [])
    .toString("utf8")
    .split(/[,;]+/)) {
    const [name, value] = pair.split("=");
    if (name !== undefined && /^-?\d+$/.test(value ?? "")) values.set(name, Number(value));
  }
  const limit = (name: string): number | undefined => {
    const value = values.get(name);
    return value === undefined || value < 0 ? undefined : value;
  };
  return {
    countSoft: limit("count"),
    bytesSoft: limit("bytes"),
    countHard: limit("countHardLimit"),
    // Apache writes the singular; the plural is what its documentation says.
    bytesHard: limit("byteHardLimit") ?? limit("bytesHardLimit"),
  };
}

/**
 * Quotas by path, their use kept up to date. A change counts for the nearest znode above it that
 * has a quota, as in ZooKeeper. Use is what the committed tree holds; what is prepared is added by who prepares.
 */
export class Quotas {
  readonly #byPath = new Map<string, Quota>();
  readonly #znodes: Znodes;
  #warnings: QuotaWarning[] = [];

  constructor(znodes: Znodes) {
    this.#znodes = znodes;
  }

  /** The nearest path at or above this one that has a quota. */
  governing(path: string): string | undefined {
    if (this.#byPath.size === 0) return undefined;
    for (let at = path; at.length > 1; at = at.slice(0, at.lastIndexOf("/"))) {
      if (this.#byPath.has(at)) return at;
    }
    return undefined;
  }

  /** Soft limits that were passed since this was last asked; only the first few of many. */
  warningsTake(): readonly QuotaWarning[] {
    if (this.#warnings.length === 0) return this.#warnings;
    const taken = this.#warnings;
    this.#warnings = [];
    return taken;
  }

  /** Whether adding this much below a governing path (what is already pending included) breaks a hard limit. */
  isExceeded(governing: string, count: number, bytes: number): boolean {
    const quota = this.#byPath.get(governing)!;
    const overCount = quota.countHard !== undefined && quota.count + count > quota.countHard;
    const overBytes = quota.bytesHard !== undefined && quota.bytes + bytes > quota.bytesHard;
    // Making something smaller is never refused, nor is a change of bytes for a count that is over.
    return (count > 0 && overCount) || (bytes > 0 && overBytes);
  }

  /** Sets or replaces the limits of a path and counts what is there. */
  limitsSet(path: string, limits: QuotaLimits): void {
    const use = this.#useOf(path);
    this.#byPath.set(path, { ...limits, ...use });
    this.#show(path);
  }

  limitsRemove(path: string): void {
    this.#byPath.delete(path);
  }

  /** A znode came, went or changed its size. */
  changed(path: string, count: number, bytes: number): void {
    const governing = this.governing(path);
    if (governing === undefined) return;
    const quota = this.#byPath.get(governing)!;
    quota.count += count;
    quota.bytes += bytes;
    this.#warn(governing, "count", count, quota.count, quota.countSoft);
    this.#warn(governing, "bytes", bytes, quota.bytes, quota.bytesSoft);
    this.#show(governing);
  }

  /** Writes the use of a path into its `zookeeper_stats`, if that is there. */
  show(path: string): void {
    if (this.#byPath.has(path)) this.#show(path);
  }

  /** Reads every quota from the znodes, after a snapshot or a replay. */
  rebuild(): void {
    this.#byPath.clear();
    const root = this.#znodes.find(quotaRoot);
    if (root !== none) this.#rebuildBelow(root);
  }

  /** Once for each time that a limit is passed, not for each write above it. */
  #warn(
    path: string,
    what: "count" | "bytes",
    added: number,
    now: number,
    limit: number | undefined,
  ): void {
    if (limit === undefined || now <= limit || now - added > limit) return;
    if (this.#warnings.length < quotaWarningsMax) this.#warnings.push({ path, what, now, limit });
  }

  #rebuildBelow(id: number): void {
    const target = quotaTargetOf(this.#znodes.path(id));
    if (target !== undefined) this.limitsSet(target, quotaLimitsOf(this.#znodes.data(id)));
    const znodes = this.#znodes;
    for (let at = znodes.firstChild(id); at !== none; at = znodes.nextSibling(at)) {
      this.#rebuildBelow(at);
    }
  }

  #show(path: string): void {
    const id = this.#znodes.find(`${quotaRoot}${path}${statsName}`);
    if (id === none) return;
    const { count, bytes } = this.#byPath.get(path)!;
    // As in ZooKeeper the Stat does not move: nobody wrote it.
    this.#znodes.dataSet(id, Buffer.from(`count=${count},bytes=${bytes}`));
  }

  #useOf(path: string): { readonly count: number; readonly bytes: number } {
    const root = this.#znodes.find(path);
    if (root === none) return { count: 0, bytes: 0 };
    let count = 0;
    let bytes = 0;
    const left = [root];
    for (let id = left.pop(); id !== undefined; id = left.pop()) {
      count++;
      bytes += this.#znodes.dataLength(id);
      for (let at = this.#znodes.firstChild(id); at !== none; at = this.#znodes.nextSibling(at)) {
        left.push(at);
      }
    }
    return { count, bytes };
  }
}
