/** The service's REST interface, as the console uses it. */

export type Row = Readonly<Record<string, string>>;

export interface Problem {
  readonly detail: string;
  readonly code: string;
  readonly status: number;
  readonly column?: number;
  readonly line?: number;
  readonly suggestion?: string;
  /** Of a rule that is not valid: which of its fields, and what about it. */
  readonly field?: string;
  readonly reason?: string;
}

/** What the service answered instead of data. */
export class ApiError extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

export interface Range {
  readonly start: string;
  readonly end: string;
}

export interface Histogram {
  readonly start: string;
  readonly stepMs: number;
  readonly series: readonly {
    readonly value?: string;
    readonly total: number;
    readonly counts: readonly number[];
  }[];
}

export interface Found {
  readonly rows: readonly Row[];
  readonly partial: boolean;
  readonly cursor: string | undefined;
  readonly tookMs: number | undefined;
}

const keyName = "logkeep.key";

/** The key of this tab; a closed tab forgets it. */
export function setKey(key: string): void {
  sessionStorage.setItem(keyName, key);
}

function headers(): Record<string, string> {
  const key = sessionStorage.getItem(keyName);
  return key === null ? {} : { Authorization: `Bearer ${key}` };
}

async function get(
  path: string,
  params: Record<string, string>,
  signal: AbortSignal,
): Promise<Response> {
  return call(`${path}?${new URLSearchParams(params)}`, { signal });
}

/** Asks with the tab's key. Rejects with an `ApiError` when the service says no. */
export async function call(path: string, init: RequestInit): Promise<Response> {
  const more = (init.headers ?? {}) as Record<string, string>;
  const response = await fetch(path, { ...init, headers: { ...headers(), ...more } });
  if (response.ok) return response;
  throw new ApiError(await problemOf(response));
}

/** A failure of any kind, as what is shown of it. */
export function shownProblem(thrown: unknown): Problem {
  if (thrown instanceof ApiError) return thrown.problem;
  return { code: "network", status: 0, detail: "The service cannot be reached." };
}

async function problemOf(response: Response): Promise<Problem> {
  const text = await response.text();
  try {
    return { code: "unknown", ...(JSON.parse(text) as object), status: response.status } as Problem;
  } catch {
    return { code: "unknown", status: response.status, detail: text || response.statusText };
  }
}

export async function search(
  query: string,
  range: Range,
  { limit, cursor, signal }: { limit: number; cursor?: string; signal: AbortSignal },
): Promise<Found> {
  const params = {
    query,
    ...range,
    limit: String(limit),
    summary: "1",
    ...(cursor ? { cursor } : {}),
  };
  const lines = (await (await get("/api/v1/query", params, signal)).text()).split("\n");
  const rows: Row[] = [];
  let summary: { status?: string; cursor?: string; took_ms?: number } = {};
  for (const line of lines) {
    if (line === "") continue;
    const row = JSON.parse(line) as Row & { _summary?: object };
    if (row._summary === undefined) rows.push(row);
    else summary = row._summary;
  }
  return {
    rows,
    partial: summary.status !== "complete",
    cursor: summary.cursor,
    tookMs: summary.took_ms,
  };
}

export async function histogram(
  query: string,
  range: Range,
  signal: AbortSignal,
): Promise<Histogram> {
  const params = { query, ...range, buckets: "80", by: "level" };
  return (await (await get("/api/v1/histogram", params, signal)).json()) as Histogram;
}

export interface Counted {
  readonly name: string;
  readonly count: number;
}

export async function fields(query: string, range: Range, signal: AbortSignal): Promise<Counted[]> {
  const answer = await get("/api/v1/fields", { query, ...range }, signal);
  return ((await answer.json()) as { fields: Counted[] }).fields;
}

export async function fieldValues(
  name: string,
  query: string,
  range: Range,
  signal: AbortSignal,
): Promise<Counted[]> {
  const path = `/api/v1/fields/${encodeURIComponent(name)}/values`;
  const answer = (await (await get(path, { query, ...range, limit: "10" }, signal)).json()) as {
    values: { value: string; count: number }[];
  };
  return answer.values.map(({ value, count }) => ({ name: value, count }));
}

/** Follows matching records until the signal ends it; goes on after a break without a gap. */
export async function tail(
  query: string,
  take: (rows: Row[], dropped: number) => void,
  signal: AbortSignal,
): Promise<void> {
  let lastId = "";
  while (!signal.aborted) {
    try {
      const more: Record<string, string> = lastId === "" ? {} : { "Last-Event-ID": lastId };
      const response = await fetch(`/api/v1/tail?${new URLSearchParams({ query })}`, {
        headers: { ...headers(), ...more, Accept: "text/event-stream" },
        signal,
      });
      if (!response.ok || response.body === null) throw new ApiError(await problemOf(response));
      for await (const batch of events(response.body)) {
        const rows: Row[] = [];
        let dropped = 0;
        for (const event of batch) {
          if (event.id !== "") lastId = event.id;
          if (event.kind === "record") rows.push(JSON.parse(event.data) as Row);
          if (event.kind === "dropped")
            dropped += Number((JSON.parse(event.data) as { dropped: number }).dropped);
        }
        take(rows, dropped);
      }
    } catch (thrown) {
      if (signal.aborted) return;
      if (thrown instanceof ApiError && thrown.problem.status < 500) throw thrown;
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

interface ServerEvent {
  readonly kind: string;
  readonly id: string;
  readonly data: string;
}

/** Server-Sent Events of a body, all of a chunk together. */
async function* events(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent[]> {
  const reader = body
    .pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)
    .getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const parts = (text + value).split("\n\n");
    text = parts.pop() ?? "";
    yield parts.map(eventOf);
  }
}

function eventOf(text: string): ServerEvent {
  const found: Record<string, string[]> = {};
  for (const line of text.split("\n")) {
    const at = line.indexOf(":");
    if (at <= 0) continue;
    const name = line.slice(0, at);
    found[name] ??= [];
    found[name].push(line.slice(at + 1).replace(/^ /, ""));
  }
  const first = (name: string): string => found[name]?.[0] ?? "";
  return { kind: first("event"), id: first("id"), data: (found["data"] ?? []).join("\n") };
}
