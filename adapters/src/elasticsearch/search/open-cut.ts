import type { estypes } from "@elastic/elasticsearch";
import { assert } from "../../../../kit/src/assert.ts";
import { type Moment, momentCompare } from "../../../../kit/src/time.ts";
import type { WorkerPlan } from "../../../../query/src/plan/plan.ts";
import type { Cut, Part } from "../../../../query/src/source.ts";
import type { TimeRange } from "../../../../query/src/time-range.ts";
import { documentFields } from "../field-name.ts";
import { allOf, containerOf, exactly, isExact, type Narrowed } from "./clause.ts";
import { CountedReading, countedBy } from "./counted-reading.ts";
import { countsFields, FieldCountsReading } from "./field-counts-reading.ts";
import { GatherReading } from "./gather-reading.ts";
import type { SearchAnswer } from "./hits-block.ts";
import { fieldsCountedMax, slicedRowsMin, slicesMax } from "./limits.ts";
import { orderedRowsOf, orderOf } from "./order.ts";
import { PageSizes } from "./page-sizes.ts";
import { type EvaluatePage, Pages } from "./pages.ts";
import { hasIgnoredValues } from "./places.ts";
import { PointInTime } from "./point-in-time.ts";
import type { PartReading } from "./reading.ts";
import { RecordsReading } from "./records-reading.ts";
import type { SearchServer } from "./server.ts";
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
    const { filter } = this.#asked;
    const within = this.#within();
    const hasIgnored = await this.#hasIgnored(within);
    const wanted = allOf([within, translateFilter(filter, { hasIgnored })]);
    if (wanted.may === "none") return [];
    const query = containerOf(wanted.may);
    const counting = hasIgnored || !isExact(wanted) ? undefined : await this.#counting(query);
    if (counting !== undefined) return [this.#part(counting, 1)];
    return this.#readParts(query, isExact(wanted));
  }

  /** What is only counted need not be read; undefined when it is not, or has too many fields. */
  async #counting(query: estypes.QueryDslQueryContainer): Promise<PartReading | undefined> {
    const pit = this.#pit;
    const keys = countedBy(this.#asked);
    if (keys !== undefined) return new CountedReading({ pit, query, keys });
    if (!countsFields(this.#asked)) return undefined;
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
    const end: Moment = { ms: from.ms, ns: from.ns + 1 };
    return momentCompare(end, this.#range.to) < 0
      ? { from: this.#range.from, to: end }
      : this.#range;
  }

  async #hasIgnored(within: Narrowed): Promise<boolean> {
    const answer = await this.#pit.aggregate<SearchAnswer>(
      {
        size: 1,
        _source: false,
        track_total_hits: false,
        terminate_after: 1,
        query: { bool: { filter: [containerOf(within.may), hasIgnoredValues] } },
      },
      this.#signal,
    );
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
    const rows = await this.#count(query);
    if (rows === 0) return [];
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

  /** How many documents are to be read, counted no further than slices depend on it. */
  async #count(query: estypes.QueryDslQueryContainer): Promise<number> {
    const body = { query, track_total_hits: slicedRowsMin };
    const answer = await this.#pit.aggregate<SearchAnswer>(body, this.#signal);
    return answer.hits?.total?.value ?? 0;
  }

  #part(reading: PartReading, rows: number): Part {
    const { from, to } = this.#range;
    return { timeMin: from, timeMax: to, rows, bytes: 0, internal: false, ref: reading };
  }
}
