import { connectElasticsearch } from "../../adapters/src/elasticsearch/connect.ts";
import { ElasticIndex } from "../../adapters/src/elasticsearch/search/elastic-index.ts";
import type { PageEvaluated } from "../../adapters/src/elasticsearch/search/page-fragments.ts";
import { isPartReading } from "../../adapters/src/elasticsearch/search/reading.ts";
import type { Settings } from "../../config/src/schema.ts";
import { ServiceError } from "../../kit/src/errors.ts";
import { asksInternal } from "../../query/src/plan/internal.ts";
import type { Answering, QueryIndex } from "./query-index.ts";
import type { Reading } from "./reading.ts";
import type { StorePart } from "./store-part.ts";

/** Queries answered from the mirror in Elasticsearch, but what is not mirrored, by `own`. Throws `config.invalid` when no cluster is named. */
export function elasticQueryIndex(
  { elasticsearch }: Settings,
  stored: StorePart,
  own: Reading,
): QueryIndex {
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
  return {
    answering: (question) =>
      mixed(own.answering(question), { source: index.source(question), pool: index.pool }),
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
