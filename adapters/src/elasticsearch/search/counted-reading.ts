import type { estypes } from "@elastic/elasticsearch";
import type { Column, StreamLabels, Streams, Times } from "../../../../kit/src/block.ts";
import type { PartialMessage, PartTask } from "../../../../query/src/engine/fragment.ts";
import type { GroupKey } from "../../../../query/src/language/ast.ts";
import { createGatherPipe } from "../../../../query/src/pipe/create.ts";
import { allRows, type GatherPipe } from "../../../../query/src/pipe/pipe.ts";
import type { PlanMessage } from "../../../../query/src/plan/plan.ts";
import { ValuesColumn, valuesOf } from "../../../../query/src/table/column.ts";
import { TableBlock } from "../../../../query/src/table/table-block.ts";
import { View } from "../../../../query/src/table/view.ts";
import { streamLabels } from "../../../../storage/src/format/stream-labels.ts";
import { documentFields } from "../field-name.ts";
import { type SearchAnswer, troubleOf } from "./hits-block.ts";
import { groupsPageMax } from "./limits.ts";
import { exactPlace } from "./places.ts";
import type { PointInTime } from "./point-in-time.ts";
import { type PartReading, tooMuchMemory } from "./reading.ts";

type GroupValues = Readonly<Record<string, string | number | null>>;

interface GroupsAnswer extends SearchAnswer {
  readonly aggregations?: {
    readonly groups?: {
      readonly after_key?: GroupValues;
      readonly buckets: readonly { readonly key: GroupValues; readonly doc_count: number }[];
    };
  };
}

export interface CountedOptions {
  readonly pit: PointInTime;
  readonly query: estypes.QueryDslQueryContainer;
  readonly keys: readonly GroupKey[];
}

/** Counts that Elasticsearch makes: groups travel, not records. The filter is exact, and all values are indexed. */
export class CountedReading implements PartReading {
  readonly #options: CountedOptions;

  constructor(options: CountedOptions) {
    this.#options = options;
  }

  async run(plan: PlanMessage, _: PartTask, signal: AbortSignal): Promise<PartialMessage> {
    const { sink } = plan;
    if (sink.kind !== "gather") throw new Error("only what is gathered is counted");
    const gather = createGatherPipe(sink.pipe);
    const damaged = new Set<string>();
    let after: GroupValues | undefined;
    do {
      const answer = await this.#ask(after, signal);
      const trouble = troubleOf(answer);
      if (trouble !== undefined) damaged.add(trouble);
      this.#take(answer, gather);
      if (gather.byteSize > plan.memoryBytesMax) return tooMuchMemory(plan);
      after = answer.aggregations?.groups?.after_key;
    } while (after !== undefined);
    const scanned = { rows: 0, bytes: 0, blocks: 0 };
    const answer = { kind: "gather", partial: gather.export() } as const;
    return { kind: "done", answer, scanned, damaged: [...damaged] };
  }

  #ask(after: GroupValues | undefined, signal: AbortSignal): Promise<GroupsAnswer> {
    const { pit, query, keys } = this.#options;
    if (keys.length === 0) return pit.aggregate({ query, track_total_hits: true }, signal);
    const sources = keys.map((key, k) => ({ [`k${k}`]: sourceOf(key) }));
    const page = after === undefined ? {} : { after };
    const groups = { composite: { size: groupsPageMax, sources, ...page } };
    return pit.aggregate({ query, track_total_hits: false, aggs: { groups } }, signal);
  }

  #take(answer: GroupsAnswer, gather: GatherPipe): void {
    const { keys } = this.#options;
    const buckets =
      keys.length === 0
        ? [{ key: {}, doc_count: answer.hits?.total?.value ?? 0 }]
        : (answer.aggregations?.groups?.buckets ?? []);
    if (buckets.length === 0) return;
    const groups = buckets.map(({ key }) => key);
    const rows = { view: View.records(blockOfGroups(keys, groups)), rows: allRows(groups.length) };
    gather.addCounted?.(
      rows,
      Float64Array.from(buckets, ({ doc_count }) => doc_count),
    );
  }
}

function sourceOf({ field, bucket }: GroupKey): object {
  if (bucket?.kind === "time") {
    const { step } = bucket;
    const offset = `${((bucket.offset.ms % step.ms) + step.ms) % step.ms}ms`;
    const interval = { fixed_interval: `${step.ms}ms`, offset };
    return { date_histogram: { field: documentFields.timestamp, ...interval } };
  }
  const place = field === documentFields.stream ? documentFields.stream : exactPlace(field);
  return { terms: { field: place, missing_bucket: true } };
}

/** A record for each group, with nothing but what it is grouped by. */
function blockOfGroups(keys: readonly GroupKey[], groups: readonly GroupValues[]): TableBlock {
  const columns = new Map<string, Column>();
  let times: Times = { ms: new Float64Array(groups.length), ns: undefined };
  let streams: Streams | undefined;
  for (const [k, { field }] of keys.entries()) {
    const values = groups.map((group) => group[`k${k}`] ?? "");
    if (field === documentFields.time) {
      times = { ms: Float64Array.from(values, Number), ns: undefined };
    } else if (field === documentFields.stream) {
      const labels: StreamLabels[] = values.map((text) => streamLabels(String(text) || "{}"));
      streams = { labels, codes: Uint32Array.from(labels, (_, row) => row) };
    } else columns.set(field, new ValuesColumn("rows", valuesOf(values.map(String))));
  }
  return new TableBlock({ rowCount: groups.length, columns, times, streams });
}
