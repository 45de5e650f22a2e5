import type { Settings } from "../../config/src/schema.ts";
import type { FragmentPool } from "../../query/src/engine/pool.ts";
import type { Source } from "../../query/src/source.ts";
import type { Reading, ReadingQuestion } from "./reading.ts";
import type { StorePart } from "./store-part.ts";

/** Where one question is answered from, and by whom. */
export interface Answering {
  readonly source: Source;
  readonly pool: FragmentPool;
}

/** What `query.index` names: where queries are answered from. Tails and alerts follow our own store, whatever it is. */
export interface QueryIndex {
  answering(question: ReadingQuestion): Answering;
  close(): Promise<void>;
}

/** Opens it; nothing is asked of Elasticsearch yet. Throws `config.invalid` when no cluster is named. */
export async function openQueryIndex(
  settings: Settings,
  stored: StorePart,
  reading: Reading,
): Promise<QueryIndex> {
  if (settings.query.index === "embedded") {
    return { answering: (question) => reading.answering(question), close: () => Promise.resolve() };
  }
  // The client costs memory and a moment: only those who ask it have it.
  const { elasticQueryIndex } = await import("./elastic-query-index.ts");
  return elasticQueryIndex(settings, stored, reading);
}
