import type { estypes } from "@elastic/elasticsearch";
import type { PartialMessage, PartTask } from "../../../../query/src/engine/fragment.ts";
import type { PlanMessage, WorkerPlan } from "../../../../query/src/plan/plan.ts";
import { documentFields } from "../field-name.ts";
import { anyClause, type Clause, containerOf } from "./clause.ts";
import { type SearchAnswer, troubleOf } from "./hits-block.ts";
import { fieldsPageMax } from "./limits.ts";
import { exactPlace } from "./places.ts";
import type { PointInTime } from "./point-in-time.ts";
import { type PartReading, ReadSoFar } from "./reading.ts";

interface CountsAnswer extends SearchAnswer {
  readonly aggregations?: Readonly<Record<string, { readonly doc_count: number }>>;
}

/** Whether a plan asks only which fields records have: `field_names`. */
export function countsFields({ pipes, sink }: WorkerPlan): boolean {
  return pipes.length === 0 && sink.kind === "gather" && sink.pipe.kind === "fieldNames";
}

export interface FieldCountsOptions {
  readonly pit: PointInTime;
  readonly query: estypes.QueryDslQueryContainer;
  /** The fields that the indices know. */
  readonly fields: readonly string[];
}

/** How many records have each field, counted by Elasticsearch. The filter is exact, and all fields are known. */
export class FieldCountsReading implements PartReading {
  readonly #options: FieldCountsOptions;

  constructor(options: FieldCountsOptions) {
    this.#options = options;
  }

  async run(_: PlanMessage, __: PartTask, signal: AbortSignal): Promise<PartialMessage> {
    const { fields } = this.#options;
    const read = new ReadSoFar();
    const counts: [string, number][] = [];
    for (let at = 0; at === 0 || at < fields.length; at += fieldsPageMax) {
      const some = fields.slice(at, at + fieldsPageMax);
      const answer = await this.#ask(some, signal);
      const trouble = troubleOf(answer);
      read.add({ scanned: nothing, damaged: trouble === undefined ? [] : [trouble] });
      const records = answer.hits?.total?.value ?? 0;
      if (at === 0) counts.push([documentFields.time, records], [documentFields.stream, records]);
      for (const [i, field] of some.entries()) {
        counts.push([field, answer.aggregations?.[`f${i}`]?.doc_count ?? 0]);
      }
    }
    return read.done({ kind: "gather", partial: counts });
  }

  #ask(fields: readonly string[], signal: AbortSignal): Promise<CountsAnswer> {
    const { pit, query } = this.#options;
    const counts = fields.map((field, i) => [`f${i}`, { filter: containerOf(hasField(field)) }]);
    const aggs = fields.length === 0 ? {} : { aggs: Object.fromEntries(counts) };
    return pit.aggregate({ query, track_total_hits: true, ...aggs }, signal);
  }
}

/** A value that is too long is not indexed as a whole: it is there all the same. */
function hasField(field: string): Clause {
  const exact = exactPlace(field);
  return anyClause([{ exists: { field: exact } }, { term: { _ignored: { value: exact } } }]);
}

const nothing = { rows: 0, bytes: 0, blocks: 0 };
