import { connectElasticsearch } from "../../adapters/src/elasticsearch/connect.ts";
import { ElasticIndex } from "../../adapters/src/elasticsearch/search/elastic-index.ts";
import type { PageEvaluated } from "../../adapters/src/elasticsearch/search/page-fragments.ts";
import { isPartReading } from "../../adapters/src/elasticsearch/search/reading.ts";
import type { Settings } from "../../config/src/schema.ts";
import { ServiceError } from "../../kit/src/errors.ts";
import type { FragmentPool } from "../../query/src/engine/pool.ts";
import { asksInternal } from "../../query/src/plan/internal.ts";
import type { Source } from "../../query/src/source.ts";
import { storeSource, workerFragments } from "./asking.ts";
import type { StorePart } from "./store-part.ts";

/** Where one question is answered from, and by whom. */
export interface Answering {
  readonly source: Source;
  readonly pool: FragmentPool;
}

/** What `query.index` names: where queries are answered from. Tails and alerts follow our own store, whatever it is. */
export interface QueryIndex {
  answering(question: {
    readonly timeoutMs: number;
    readonly signal: AbortSignal | undefined;
  }): Answering;
  close(): Promise<void>;
}

/** Opens it; nothing is asked of Elasticsearch yet. Throws `config.invalid` when no cluster is named. */
export function openQueryIndex(settings: Settings, stored: StorePart): QueryIndex {
  return settings.query.index === "embedded"
    ? embeddedIndex(stored)
    : elasticsearchIndex(settings, stored);
}

function embeddedIndex(stored: StorePart): QueryIndex {
  const answering = ownAnswering(stored);
  return { answering: () => answering, close: () => Promise.resolve() };
}

function ownAnswering({ store, pool }: StorePart): Answering {
  return { source: storeSource(store), pool: workerFragments(pool, store) };
}

function elasticsearchIndex({ elasticsearch }: Settings, stored: StorePart): QueryIndex {
  const { nodes, indexPrefix, timeoutMs } = elasticsearch;
  if (nodes === undefined) {
    const message = "query.index is elasticsearch, and elasticsearch.nodes names none";
    throw new ServiceError("config.invalid", message);
  }
  const client = connectElasticsearch({ ...elasticsearch, nodes });
  const index = new ElasticIndex({
    client,
    prefix: indexPrefix,
    timeoutMs,
    // Pages go to the workers as they came, so that the main thread reads none.
    evaluate: (job, signal) =>
      stored.pool.run<PageEvaluated>("page", job, {
        lane: "query",
        signal,
        transfer: [job.page.buffer as ArrayBuffer],
      }),
  });
  const own = ownAnswering(stored);
  return {
    answering: (question) => mixed(own, { source: index.source(question), pool: index.pool }),
    async close() {
      await index.close();
      await client.close();
    },
  };
}

/** Streams that Logkeep writes itself, such as `_rejected`, are not mirrored: what asks for them asks our own store. */
function mixed(own: Answering, mirror: Answering): Answering {
  return {
    source: {
      open: (tenant, range, asked) => {
        const isInternal = asked !== undefined && asksInternal(asked.filter);
        return (isInternal ? own : mirror).source.open(tenant, range, asked);
      },
    },
    pool: {
      size: mirror.pool.size,
      run: (plan, task, signal) =>
        (isPartReading(task.part.ref) ? mirror : own).pool.run(plan, task, signal),
    },
  };
}
