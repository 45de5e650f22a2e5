import type { Settings } from "../../config/src/schema.ts";
import { KeptAnswers } from "../../query/src/engine/kept-answers.ts";
import type { FragmentPool } from "../../query/src/engine/pool.ts";
import { keptAnswersBytes } from "../../query/src/limits.ts";
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
export async function openQueryIndex(settings: Settings, stored: StorePart): Promise<QueryIndex> {
  if (settings.query.index === "embedded") return embeddedIndex(stored);
  // The client costs memory and a moment: only those who ask it have it.
  const { elasticQueryIndex } = await import("./elastic-query-index.ts");
  return elasticQueryIndex(settings, stored, ownAnswering(stored));
}

function embeddedIndex(stored: StorePart): QueryIndex {
  const answering = ownAnswering(stored);
  return { answering: () => answering, close: () => Promise.resolve() };
}

function ownAnswering({ store, pool }: StorePart): Answering {
  const fragments = new KeptAnswers(workerFragments(pool, store), keptAnswersBytes);
  return { source: storeSource(store), pool: fragments };
}
