import type { Block, Column, StreamLabels, Streams, Times } from "../../../../kit/src/block.ts";
import { ServiceError } from "../../../../kit/src/errors.ts";
import { ValuesBuilder, ValuesColumn } from "../../../../query/src/table/column.ts";
import { TableBlock } from "../../../../query/src/table/table-block.ts";
import { parseTime } from "../../../../query/src/table/time-text.ts";
import { streamLabels } from "../../../../storage/src/format/stream-labels.ts";
import { documentFields, recordField } from "../field-name.ts";
import { parseAnswer } from "./parse-answer.ts";

/** Where a next page goes on: the last document's place in the order that was asked for. */
export type PageEnd = readonly (string | number)[];

/** A page of documents as it was answered. */
export interface HitsPage {
  /** Undefined when the page is empty. */
  readonly block: Block | undefined;
  readonly rows: number;
  readonly end: PageEnd | undefined;
  /** What the page may be without, in words. */
  readonly trouble: string | undefined;
  /** Under which id the point in time goes on. */
  readonly pit: string | undefined;
}

type Source = Readonly<Record<string, unknown>>;

/** The members of an answer that are read here. */
export interface SearchAnswer {
  readonly pit_id?: string;
  readonly timed_out?: boolean;
  readonly _shards?: {
    readonly total?: number;
    readonly failed?: number;
    readonly failures?: readonly {
      readonly index?: string;
      readonly reason?: { readonly reason?: string };
    }[];
  };
  readonly hits?: {
    readonly total?: { readonly value: number };
    readonly hits?: readonly { readonly _source?: Source; readonly sort?: PageEnd }[];
  };
}

/** Reads a page from the bytes of an answer, whose documents come newest first or in the order of storing. Throws `index.unavailable` for what is none. */
export function readPage(bytes: Uint8Array, isNewestFirst: boolean): HitsPage {
  const answer = parseAnswer<SearchAnswer>(bytes);
  const hits = answer.hits?.hits;
  if (hits === undefined) throw new ServiceError("index.unavailable", "the answer has no records");
  const sources = hits.map(({ _source }) => _source ?? {});
  // Of rows that are equal in time, stream and position the last of a block is the newest.
  if (isNewestFirst) sources.reverse();
  const block = sources.length === 0 ? undefined : blockOf(sources);
  return {
    block,
    rows: hits.length,
    end: hits.at(-1)?.sort,
    trouble: troubleOf(answer),
    pit: answer.pit_id,
  };
}

/** What an answer is without, if some shards did not give theirs. */
export function troubleOf({ timed_out, _shards }: SearchAnswer): string | undefined {
  const failed = _shards?.failed ?? 0;
  if (failed > 0) {
    const first = _shards?.failures?.[0];
    const which = first?.index === undefined ? "" : `, index=${first.index}`;
    const why = first?.reason?.reason === undefined ? "" : `, reason=${first.reason.reason}`;
    const text = `${failed} of ${_shards?.total ?? failed} shards of Elasticsearch failed`;
    return (text + which + why).slice(0, 300);
  }
  return timed_out === true ? "Elasticsearch ran out of time" : undefined;
}

/** Documents as the records that they were made of. */
export function blockOf(sources: readonly Source[]): Block {
  return new TableBlock({
    rowCount: sources.length,
    columns: columnsOf(sources),
    times: timesOf(sources),
    streams: streamsOf(sources),
    positions: Float64Array.from(sources, (source) => Number(source[documentFields.position] ?? 0)),
  });
}

function columnsOf(sources: readonly Source[]): Map<string, Column> {
  const builders = new Map<string, { readonly values: ValuesBuilder; count: number }>();
  for (const [row, source] of sources.entries()) {
    for (const [name, value] of Object.entries(source)) {
      if (typeof value !== "string" || value === "") continue;
      const builder = builders.get(name) ?? { values: new ValuesBuilder(sources.length), count: 0 };
      builders.set(name, builder);
      // A name that an object has twice after all.
      if (builder.count > row) continue;
      fill(builder, row);
      builder.values.pushText(value);
      builder.count++;
    }
  }
  const columns = new Map<string, Column>();
  for (const [name, builder] of builders) {
    const field = recordField(name);
    if (field === undefined) continue;
    fill(builder, sources.length);
    columns.set(field, new ValuesColumn("rows", builder.values.finish()));
  }
  return columns;
}

/** Rows up to this one that lack the field have the empty value. */
function fill(builder: { readonly values: ValuesBuilder; count: number }, row: number): void {
  for (; builder.count < row; builder.count++) builder.values.pushText("");
}

/** From the text that says the time exactly; what is indexed may have been brought nearer. */
function timesOf(sources: readonly Source[]): Times {
  const ms = new Float64Array(sources.length);
  const ns = new Uint32Array(sources.length);
  for (const [row, source] of sources.entries()) {
    const moment = parseTime(textOf(source, documentFields.time));
    if (moment === undefined) {
      throw new ServiceError("index.unavailable", "a document has no time of ours", {
        time: textOf(source, documentFields.time).slice(0, 100),
      });
    }
    ms[row] = moment.ms;
    ns[row] = moment.ns;
  }
  return { ms, ns };
}

function streamsOf(sources: readonly Source[]): Streams {
  const numbers = new Map<string, number>();
  const labels: StreamLabels[] = [];
  const codes = new Uint32Array(sources.length);
  for (const [row, source] of sources.entries()) {
    const text = textOf(source, documentFields.stream) || "{}";
    let number = numbers.get(text);
    if (number === undefined) {
      number = labels.push(streamLabels(text)) - 1;
      numbers.set(text, number);
    }
    codes[row] = number;
  }
  return { labels, codes };
}

function textOf(source: Source, name: string): string {
  const value = source[name];
  return typeof value === "string" ? value : "";
}
