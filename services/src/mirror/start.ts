import type { Cluster } from "../../../cluster/src/cluster.ts";
import type { Settings } from "../../../config/src/schema.ts";
import type { Acl } from "../../../coordinator/src/wire/records.ts";
import type { Clock } from "../../../kit/src/clock.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import type { StorePart } from "../store-part.ts";
import type { Mirror } from "./mirror.ts";
import { ProgressStore } from "./progress.ts";

export interface StartMirrorOptions {
  readonly settings: Settings;
  readonly cluster: Cluster;
  /** Of znodes that are the cluster's alone. */
  readonly acl: readonly Acl[];
  readonly stored: StorePart;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Begins to mirror where the settings name an Elasticsearch; it need not be there. */
export async function startMirror(options: StartMirrorOptions): Promise<Mirror | undefined> {
  const { settings, cluster, acl, stored, clock, logger } = options;
  const { nodes, indexPrefix, bulkMaxBytes } = settings.elasticsearch;
  if (nodes === undefined) return undefined;
  // The client costs memory and a moment: only those who mirror have it.
  const { connectElasticsearch } = await import("../../../adapters/src/elasticsearch/connect.ts");
  const { Mirror } = await import("./mirror.ts");
  return new Mirror({
    client: connectElasticsearch({ ...settings.elasticsearch, nodes }),
    store: stored.store,
    pool: stored.pool,
    progress: new ProgressStore(cluster.client, acl),
    cluster: { id: cluster.id, shards: cluster.shards },
    prefix: indexPrefix,
    ...{ bulkMaxBytes, clock, logger },
  });
}
