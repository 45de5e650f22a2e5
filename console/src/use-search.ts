import { useEffect, useState } from "preact/hooks";
import {
  type Counted,
  type Found,
  fields,
  type Histogram,
  histogram,
  type Problem,
  type Range,
  type Row,
  search,
  shownProblem,
  tail,
} from "./api.ts";
import { filterOf } from "./query-text.ts";

export const pageRows = 200;
const tailRowsMax = 1000;

export interface SearchState {
  readonly found: Found | undefined;
  readonly chart: Histogram | undefined;
  readonly fields: readonly Counted[];
  readonly problem: Problem | undefined;
  readonly isBusy: boolean;
  readonly dropped: number;
}

const nothing: SearchState = {
  found: undefined,
  chart: undefined,
  fields: [],
  problem: undefined,
  isBusy: false,
  dropped: 0,
};

/** What was asked; a new object asks again. */
export interface Asked {
  readonly query: string;
  readonly range: Range;
  readonly isTailing: boolean;
}

/** Asks, and keeps what came back; a newer question ends the older one. */
export function useSearch(asked: Asked | undefined): [SearchState, () => void] {
  const [state, setState] = useState<SearchState>(nothing);
  useEffect(() => {
    if (asked === undefined) return;
    const abort = new AbortController();
    const { query, range, isTailing } = asked;
    const fail = (thrown: unknown): void => {
      if (abort.signal.aborted) return;
      setState((was) => ({ ...was, isBusy: false, problem: shownProblem(thrown) }));
    };
    if (isTailing) {
      setState({
        ...nothing,
        found: { rows: [], partial: false, cursor: undefined, tookMs: undefined },
      });
      tail(
        query,
        (rows, dropped) => setState((was) => withTail(was, rows, dropped)),
        abort.signal,
      ).catch(fail);
      return () => abort.abort();
    }
    setState((was) => ({ ...was, isBusy: true, problem: undefined, dropped: 0 }));
    const filter = query === "" ? "*" : query;
    search(filter, range, { limit: pageRows, signal: abort.signal })
      .then((found) => setState((was) => ({ ...was, found, isBusy: false })))
      .catch(fail);
    const plain = filterOf(filter);
    histogram(plain, range, abort.signal).then(
      (chart) => setState((was) => ({ ...was, chart })),
      fail,
    );
    fields(plain, range, abort.signal).then(
      (found) => setState((was) => ({ ...was, fields: found })),
      fail,
    );
    return () => abort.abort();
  }, [asked]);

  const more = (): void => {
    const { found } = state;
    if (asked === undefined || found?.cursor === undefined) return;
    const signal = new AbortController().signal;
    search(asked.query, asked.range, { limit: pageRows, cursor: found.cursor, signal }).then(
      (next) =>
        setState((was) => ({
          ...was,
          found: { ...next, rows: [...(was.found?.rows ?? []), ...next.rows] },
        })),
      (thrown: unknown) => setState((was) => ({ ...was, problem: shownProblem(thrown) })),
    );
  };
  return [state, more];
}

function withTail(was: SearchState, rows: readonly Row[], dropped: number): SearchState {
  const all = [...[...rows].reverse(), ...(was.found?.rows ?? [])].slice(0, tailRowsMax);
  return {
    ...was,
    dropped: was.dropped + dropped,
    found: { rows: all, partial: false, cursor: undefined, tookMs: undefined },
  };
}
