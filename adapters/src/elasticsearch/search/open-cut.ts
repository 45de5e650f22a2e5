import type { estypes } from "@elastic/elasticsearch";
import { assert } from "../../../../kit/src/assert.ts";
import type { StreamLabels } from "../../../../kit/src/block.ts";
import { momentCompare } from "../../../../kit/src/time.ts";
import type { WorkerPlan } from "../../../../query/src/plan/plan.ts";
import type { Cut, Part } from "../../../../query/src/source.ts";
import type { TimeRange } from "../../../../query/src/time-range.ts";
import { streamLabels } from "../../../../storage/src/format/stream-labels.ts";
import { documentFields } from "../field-name.ts";
import {
  allClauses,
  allOf,
  type Clause,
  containerOf,
  exactly,
  isExact,
  type Narrowed,
} from "./clause.ts";
import { countedBy } from "./counted-keys.ts";
import { CountedReading } from "./counted-reading.ts";
import { countsFields, FieldCountsReading } from "./field-counts-reading.ts";
import { GatherReading } from "./gather-reading.ts";
import { type SearchAnswer, troubleOf } from "./hits-block.ts";
import { fieldsCountedMax, slicedRowsMin, slicesMax, streamsKnownMax } from "./limits.ts";
import { orderedRowsOf, orderOf } from "./order.ts";
import { PageSizes } from "./page-sizes.ts";
import { type EvaluatePage, Pages } from "./pages.ts";
import { fieldsAskedOf, hasUnknownFields, ignoredOf } from "./places.ts";
import { PointInTime } from "./point-in-time.ts";
import type { PartReading } from "./reading.ts";
import { RecordsReading } from "./records-reading.ts";
import type { SearchServer } from "./server.ts";
import { asksLabelPatterns } from "./streams.ts";
import { fieldsOfIndices, tenantIndices } from "./tenant-indices.ts";
import { betweenTimes, isTellable } from "./times.ts";
import { translateFilter } from "./translate.ts";

export interface CutNeeds {
  readonly server: SearchServer;
  readonly evaluate: EvaluatePage;
}

export interface CutQuestion {
  readonly prefix: string;
  readonly tenant: string;
  readonly range: TimeRange;
  readonly asked: WorkerPlan | undefined;
  readonly timeoutMs: number;
}

export interface OpenedCut {
  readonly cut: Cut;
  close(): Promise<void>;
}

/** Opens a point in time on a tenant's indices, and finds out how best to read it for what is asked. */
export async function openCut(
  needs: CutNeeds,
  question: CutQuestion,
  signal: AbortSignal,
): Promise<OpenedCut> {
  const { server } = needs;
  const { asked, timeoutMs } = question;
  assert(asked !== undefined, "a source with an index must know what is asked");
  const names = await tenantIndices(server, question, signal);
  if (names === undefined) return { cut: cutOf([]), close: () => Promise.resolve() };
  const pit = await PointInTime.open({ server, names, timeoutMs }, signal);
  try {
    const opening = new Opening(needs, pit, { ...question, asked, names }, signal);
    return { cut: cutOf(await opening.parts()), close: () => pit.close() };
  } catch (thrown) {
    void pit.close();
    throw thrown;
  }
}

function cutOf(parts: readonly Part[]): Cut {
  return { parts, missing: [], release: () => undefined };
}

interface OpenedQuestion extends CutQuestion {
  readonly asked: WorkerPlan;
  /** The indices, as a path takes them. */
  readonly names: string;
}

interface StreamsAnswer extends SearchAnswer {
  readonly aggregations?: {
    readonly streams: {
      readonly buckets: readonly { readonly key: { readonly stream: string } }[];
    };
  };
}

class Opening {
  readonly #server: SearchServer;
  readonly #names: string;
  readonly #evaluate: EvaluatePage;
  readonly #pit: PointInTime;
  readonly #tenant: string;
  readonly #range: TimeRange;
  readonly #asked: WorkerPlan;
  readonly #signal: AbortSignal;

  constructor(
    { server, evaluate }: CutNeeds,
    pit: PointInTime,
    { tenant, range, asked, names }: OpenedQuestion,
    signal: AbortSignal,
  ) {
    this.#server = server;
    this.#names = names;
    this.#evaluate = evaluate;
    this.#pit = pit;
    this.#tenant = tenant;
    this.#range = range;
    this.#asked = asked;
    this.#signal = signal;
  }

  async parts(): Promise<Part[]> {
    const within = this.#within();
    const hasIgnored = await this.#has(within, ignoredOf(fieldsAskedOf(this.#asked)));
    const { filter } = this.#asked;
    const streams = asksLabelPatterns(filter) ? await this.#streams(within) : undefined;
    const wanted = allOf([within, translateFilter(filter, { hasIgnored, streams })]);
    if (wanted.may === "none") return [];
    const query = containerOf(wanted.may);
    const canCount = !hasIgnored && isExact(wanted);
    const counting = canCount ? await this.#counting(query, within) : undefined;
    if (counting !== undefined) return [this.#part(counting, 1)];
    return this.#readParts(query, isExact(wanted));
  }

  /** What is only counted need not be read; undefined when it is not, or not all fields are known. */
  async #counting(
    query: estypes.QueryDslQueryContainer,
    within: Narrowed,
  ): Promise<PartReading | undefined> {
    const pit = this.#pit;
    const keys = countedBy(this.#asked);
    if (keys !== undefined) return new CountedReading({ pit, query, keys });
    if (!countsFields(this.#asked)) return undefined;
    if (await this.#has(within, hasUnknownFields)) return undefined;
    const fields = await fieldsOfIndices(this.#server, this.#names, this.#signal);
    if (fields.length > fieldsCountedMax) return undefined;
    return new FieldCountsReading({ pit, query, fields });
  }

  /** What holds for every record that can be wanted, whatever the filter says. */
  #within(): Narrowed {
    const { sink } = this.#asked;
    const clause = betweenTimes(this.#wantedRange());
    const times = isTellable(this.#range)
      ? exactly(clause)
      : { may: clause, must: "none" as const };
    const parts = [exactly({ term: { [documentFields.tenant]: { value: this.#tenant } } }), times];
    const isTail = sink.kind === "replay" || sink.kind === "matches";
    assert(!isTail, "what follows the log is read from our own store");
    return allOf(parts);
  }

  /** A page after another has no newer records than those that the one before ended with. */
  #wantedRange(): TimeRange {
    const { sink } = this.#asked;
    const from = sink.kind === "records" ? sink.from : undefined;
    if (from === undefined) return this.#range;
    const { ms, ns } = from;
    const to = ns === 999_999 ? { ms: ms + 1, ns: 0 } : { ms, ns: ns + 1 };
    return momentCompare(to, this.#range.to) < 0 ? { from: this.#range.from, to } : this.#range;
  }

  /** All streams that a record can be of; undefined when they are too many, or not all told. */
  async #streams(within: Narrowed): Promise<readonly StreamLabels[] | undefined> {
    const sources = [{ stream: { terms: { field: documentFields.stream } } }];
    const streams = { composite: { size: streamsKnownMax + 1, sources } };
    const body = { query: containerOf(within.may), track_total_hits: false, aggs: { streams } };
    const answer = await this.#pit.aggregate<StreamsAnswer>(body, this.#signal);
    const buckets = answer.aggregations?.streams.buckets ?? [];
    if (troubleOf(answer) !== undefined || buckets.length > streamsKnownMax) return undefined;
    return buckets.map(({ key }) => streamLabels(key.stream));
  }

  /** Whether any record that can be wanted meets the clause. */
  async #has(within: Narrowed, clause: Clause): Promise<boolean> {
    if (clause === "none") return false;
    const query = containerOf(allClauses([within.may, clause]));
    const one = { size: 1, _source: false, track_total_hits: false, terminate_after: 1 };
    const answer = await this.#pit.aggregate<SearchAnswer>({ ...one, query }, this.#signal);
    return (answer.hits?.hits?.length ?? 0) > 0;
  }

  async #readParts(query: estypes.QueryDslQueryContainer, exact: boolean): Promise<Part[]> {
    const ordered = orderedRowsOf(this.#asked);
    const sort = orderOf(this.#asked);
    if (sort !== undefined) {
      const pages = this.#pages({ query, sort });
      const sizes = new PageSizes(ordered, exact);
      const isRecords = this.#asked.sink.kind === "records";
      const reading = isRecords
        ? new RecordsReading(pages, sizes)
        : new GatherReading({ pages, sizes, rowsWanted: ordered });
      return [this.#part(reading, 1)];
    }
    const body = { query, track_total_hits: slicedRowsMin };
    const counted = await this.#pit.aggregate<SearchAnswer>(body, this.#signal);
    const rows = counted.hits?.total?.value ?? 0;
    // A shard that fails is met again, and told, by whoever reads.
    if (rows === 0 && troubleOf(counted) === undefined) return [];
    const max = rows < slicedRowsMin ? 1 : slicesMax;
    return Array.from({ length: max }, (_, id) => {
      const slice = max === 1 ? {} : { slice: { id, max } };
      const pages = this.#pages({ query, sort: ["_shard_doc"], ...slice });
      const sizes = new PageSizes(undefined, exact);
      return this.#part(new GatherReading({ pages, sizes }), Math.ceil(rows / max));
    });
  }

  #pages(body: object): Pages {
    return new Pages({ pit: this.#pit, evaluate: this.#evaluate, body: { ...body } });
  }

  #part(reading: PartReading, rows: number): Part {
    const { from, to } = this.#range;
    return { timeMin: from, timeMax: to, rows, bytes: 0, internal: false, ref: reading };
  }
}
