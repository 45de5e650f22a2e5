import { settle } from "../../../cluster/src/settle.ts";
import type { ZooKeeperClient } from "../../../coordinator/src/client/client.ts";
import { isZooKeeperError } from "../../../coordinator/src/client/errors.ts";
import { ensurePath } from "../../../coordinator/src/recipes/ensure-path.ts";
import type { Acl } from "../../../coordinator/src/wire/records.ts";
import { ServiceError } from "../../../kit/src/errors.ts";

/** How far a shard is mirrored. */
export interface MirrorProgress {
  /** Every sealed entry up to this position is in the target; 0: none. */
  readonly through: number;
  /** Which cluster, and under which names; empty before the first. */
  readonly target: string;
}

/** Nothing is mirrored yet. */
export const noProgress: MirrorProgress = { through: 0, target: "" };

const root = "/logkeep/mirror/elasticsearch";

/** Keeps the progress of each shard in a znode of its own, so that whoever owns the shard next goes on from there. */
export class ProgressStore {
  readonly #client: ZooKeeperClient;
  readonly #acl: readonly Acl[];

  /** `acl`: of the cluster alone. */
  constructor(client: ZooKeeperClient, acl: readonly Acl[]) {
    this.#client = client;
    this.#acl = acl;
  }

  /** Waits for the coordinator. Rejects with `coordinator.unavailable` when its client is closed. */
  async read(shard: number): Promise<MirrorProgress> {
    return settle(async () => {
      try {
        const { data } = await this.#client.getData(`${root}/${shard}`);
        return parse(shard, data);
      } catch (thrown) {
        if (isZooKeeperError(thrown, "NONODE")) return noProgress;
        throw thrown;
      }
    });
  }

  /**
   * What a former owner may still write is as true: each has sent what it says. So a lower position only repeats what
   * Elasticsearch knows already, and no version is checked.
   */
  async write(shard: number, progress: MirrorProgress): Promise<void> {
    const path = `${root}/${shard}`;
    const data = Buffer.from(JSON.stringify(progress));
    await settle(async () => {
      try {
        await this.#client.setData(path, data);
      } catch (thrown) {
        if (!isZooKeeperError(thrown, "NONODE")) throw thrown;
        const isMade = await ensurePath(this.#client, path, { data, acl: this.#acl });
        if (!isMade) await this.#client.setData(path, data);
      }
    });
  }
}

function parse(shard: number, data: Uint8Array | null): MirrorProgress {
  const text = Buffer.from(data ?? []).toString();
  try {
    const { through, target } = JSON.parse(text) as Partial<MirrorProgress>;
    if (Number.isSafeInteger(through) && typeof target === "string") {
      return { through: through as number, target };
    }
  } catch {
    // Told below.
  }
  const message = "the progress of the mirror cannot be read";
  throw new ServiceError("cluster.malformed", message, { path: `${root}/${shard}` });
}
