import type { ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import { isZooKeeperError } from "../../coordinator/src/client/errors.ts";
import { type MultiStep, steps } from "../../coordinator/src/client/multi.ts";
import type { RoleTerm } from "../../coordinator/src/recipes/role-election.ts";
import type { Access } from "./access.ts";
import { multiBytesMax } from "./limits.ts";
import { paths } from "./paths.ts";
import { decodeBucket, encodeBuckets } from "./placement/buckets.ts";
import { bucketsMax } from "./placement/limits.ts";
import type { Placement } from "./placement/place.ts";

interface Bucket {
  readonly data: Buffer;
  readonly version: number;
}

/** The assignments' znodes as the holder of the balancer's role reads and writes them: nobody else writes. */
export class Assignments {
  readonly #client: ZooKeeperClient;
  readonly #access: Access;
  readonly #buckets = new Map<number, Bucket>();

  constructor(client: ZooKeeperClient, access: Access) {
    this.#client = client;
    this.#access = access;
  }

  /** What the holder before left. Throws `cluster.malformed`, and what the coordinator says. */
  async read(): Promise<Placement> {
    this.#buckets.clear();
    const { children } = await this.#client.getChildren(paths.assignments);
    const names = children.filter((name) => /^\d{1,3}$/.test(name) && Number(name) < bucketsMax);
    const placement = new Map<number, readonly number[]>();
    await Promise.all(
      names.map(async (name) => {
        const path = paths.assignment(Number(name));
        const { data, stat } = await this.#client.getData(path);
        this.#buckets.set(Number(name), { data: data ?? Buffer.alloc(0), version: stat.version });
        for (const [shard, nodes] of decodeBucket(path, data)) placement.set(shard, nodes);
      }),
    );
    return placement;
  }

  /**
   * Writes the buckets that have changed, and `more` with the first of them; each write checks that the role is still the term's.
   * Says how many were written. Throws what the coordinator says: then what is there has to be read again.
   */
  async write(term: RoleTerm, placement: Placement, more: readonly MultiStep[]): Promise<number> {
    const encoded = encodeBuckets(placement);
    const changed = [...encoded].filter(
      ([bucket, data]) => this.#buckets.get(bucket)?.data.equals(data) !== true,
    );
    let open: MultiStep[] = [...more];
    let bytes = 0;
    let pending: [number, Bucket][] = [];
    const flush = async (): Promise<void> => {
      if (open.length === 0) return;
      await this.#client.multi(term.guard(open));
      for (const [bucket, written] of pending) this.#buckets.set(bucket, written);
      open = [];
      pending = [];
      bytes = 0;
    };
    for (const [bucket, data] of changed) {
      if (bytes + data.length > multiBytesMax) await flush();
      const before = this.#buckets.get(bucket);
      const path = paths.assignment(bucket);
      open.push(
        before === undefined
          ? steps.create(path, data, { acl: this.#access.acl })
          : steps.setData(path, data, before.version),
      );
      pending.push([bucket, { data, version: before === undefined ? 0 : before.version + 1 }]);
      bytes += data.length;
    }
    await flush();
    return changed.length;
  }
}

/** Whether a write failed because the role is another's, or because another holder has written meanwhile. */
export function isDeposed(thrown: unknown): boolean {
  return isZooKeeperError(thrown, "BADVERSION", "NODEEXISTS", "NONODE");
}
