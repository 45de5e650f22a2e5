import { Buffer } from "node:buffer";
import { deflateSync, gzipSync, zstdCompressSync } from "node:zlib";

/** One hostile request over HTTP and the status it must get. */
export interface HostileCase {
  readonly name: string;
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  readonly status: number;
  /** Must stand in the answer. */
  readonly says?: RegExp;
}

const logs = "/api/v1/logs";
const ndjson = { "content-type": "application/x-ndjson" };
const json = { "content-type": "application/json" };
const good = '{"service":"hostile","host":"h","_msg":"fine"}\n';
const deep = (depth: number): string => `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;
const zeros = Buffer.alloc(512 * 1024 * 1024);
const manyFields = (count: number): string =>
  JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, i) => [`f${i}`, "v"])));

function ship(
  name: string,
  body: string | Buffer,
  status: number,
  headers: Record<string, string> = {},
  says?: RegExp,
): HostileCase {
  const base = {
    name,
    method: "POST",
    path: logs,
    headers: { ...ndjson, ...headers },
    body,
    status,
  };
  return says === undefined ? base : { ...base, says };
}

function ask(name: string, query: string, status: number, more = "", says?: RegExp): HostileCase {
  const path = `/api/v1/query?query=${encodeURIComponent(query)}${more}`;
  return says === undefined ? { name, path, status } : { name, path, status, says };
}

const formType = "application/x-www-form-urlencoded";

function form(
  name: string,
  body: string | Buffer,
  status: number,
  headers: Record<string, string> = {},
): HostileCase {
  const path = "/api/v1/query";
  return {
    name,
    method: "POST",
    path,
    headers: { "content-type": formType, ...headers },
    body,
    status,
  };
}

/** Bodies that cannot be read, or only in part. */
const bodies: readonly HostileCase[] = [
  ship("truncated gzip", gzipSync(good.repeat(1000)).subarray(0, 60), 400, {
    "content-encoding": "gzip",
  }),
  ship("gzip that is none", "not gzip at all", 400, { "content-encoding": "gzip" }),
  ship("gzip bomb", gzipSync(zeros), 413, { "content-encoding": "gzip" }),
  ship("zstd bomb", zstdCompressSync(zeros), 413, { "content-encoding": "zstd" }),
  ship("deflate bomb", deflateSync(zeros), 413, { "content-encoding": "deflate" }),
  ship("truncated zstd", zstdCompressSync(Buffer.from(good.repeat(1000))).subarray(0, 40), 400, {
    "content-encoding": "zstd",
  }),
  ship("unknown encoding", good, 415, { "content-encoding": "br" }),
  ship("two encodings", good, 415, { "content-encoding": "gzip, gzip" }),
  ship("unknown content type", good, 415, { "content-type": "image/png" }),
  ship("empty body", "", 200, {}, /"accepted":0/),
  ship("only blank lines", "\n\n\n", 200, {}, /"accepted":0/),
  ship("deep JSON", `${deep(10_000)}\n`, 400),
  ship("deep array", `{"a":${"[".repeat(50_000)}${"]".repeat(50_000)}}\n`, 400),
  ship("NaN", '{"a":NaN}\n', 400),
  ship("Infinity", '{"a":-Infinity}\n', 400),
  ship("a bare word", "hello\n", 400),
  ship("an array as a line", "[1,2]\n", 400),
  ship("a number as a line", "7\n", 400),
  ship("null as a line", "null\n", 400),
  ship(
    "invalid UTF-8",
    Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xff, 0xfe, 0xc0]), Buffer.from('"}\n')]),
    400,
  ),
  ship(
    "overlong UTF-8",
    Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xc0, 0xaf]), Buffer.from('"}\n')]),
    400,
  ),
  ship("a control character in a text", '{"a":"x\u0001y"}\n', 400),
  ship("an unfinished text", '{"a":"x\n', 400),
  ship("a bad escape", '{"a":"\\q"}\n', 400),
  ship("two objects in a line", '{"a":1}{"b":2}\n', 400),
  ship("a trailing comma", '{"a":1,}\n', 400),
  ship("a key without quotes", "{a:1}\n", 400),
  ship("a leading zero", '{"a":01}\n', 400),
  ship("a line longer than a record may be", `{"_msg":"${"x".repeat(2 * 1024 * 1024)}"}\n`, 413),
  ship("an ancient time", '{"_time":"0001-01-01T00:00:00Z","_msg":"x"}\n', 400),
  ship("a time far ahead", '{"_time":"9999-12-31T23:59:59Z","_msg":"x"}\n', 400),
  ship("a time that is no time", '{"_time":"yesterday","_msg":"x"}\n', 400),
  ship("an object as a time is a field like others", '{"_time":{"a":1},"_msg":"x"}\n', 200),
  ship("10,001 fields", `${manyFields(10_001)}\n`, 200),
  ship("a field name of 100 kB goes to the overflow field", `{"${"n".repeat(100_000)}":1}\n`, 200),
  ship(
    "__proto__ is a name like others",
    '{"__proto__":{"polluted":"yes"},"constructor":"c","service":"hostile"}\n',
    200,
  ),
  ship("good beside bad", `${good}{"a":NaN}\n${good}`, 200, {}, /"accepted":2,"rejected":1/),
  ship("JSON that is none", "{", 400, json),
  ship(
    "a JSON array with a number in it",
    `[${good.trim()},7]`,
    200,
    json,
    /"accepted":1,"rejected":1/,
  ),
  ship("a bad tenant", good, 400, { "x-logkeep-tenant": "../../etc" }),
  ship("a tenant of 10 kB", good, 400, { "x-logkeep-tenant": "t".repeat(10_000) }),
  ship("an idempotency key of 8 kB", good, 400, { "idempotency-key": "k".repeat(8000) }),
  ship("a key that is none", good, 401, { authorization: "Bearer nonsense" }),
];

/** Other protocols, each with its own form of no. */
const protocols: readonly HostileCase[] = [
  {
    name: "Loki: a number as time",
    method: "POST",
    path: "/loki/api/v1/push",
    headers: json,
    body: '{"streams":[{"stream":{"a":"b"},"values":[[1700000000000000000,"x"]]}]}',
    status: 400,
  },
  {
    name: "Loki: no JSON",
    method: "POST",
    path: "/loki/api/v1/push",
    headers: json,
    body: "{{{",
    status: 400,
  },
  {
    name: "Loki: streams of another type",
    method: "POST",
    path: "/loki/api/v1/push",
    headers: json,
    body: '{"streams":7}',
    status: 400,
  },
  {
    name: "Loki: labels of another type",
    method: "POST",
    path: "/loki/api/v1/push",
    headers: json,
    body: '{"streams":[{"stream":{"a":{"b":1}},"values":[["1","x"]]}]}',
    status: 400,
  },
  {
    name: "OTLP: truncated protobuf",
    method: "POST",
    path: "/v1/logs",
    headers: { "content-type": "application/x-protobuf" },
    body: Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]),
    status: 400,
  },
  {
    name: "OTLP: random bytes",
    method: "POST",
    path: "/v1/logs",
    headers: { "content-type": "application/x-protobuf" },
    body: Buffer.from("ffffffffffffffff", "hex"),
    status: 400,
  },
  {
    name: "OTLP: JSON of another shape",
    method: "POST",
    path: "/v1/logs",
    headers: json,
    body: '{"resourceLogs":"x"}',
    status: 400,
  },
  {
    name: "OTLP: another content type",
    method: "POST",
    path: "/v1/logs",
    headers: { "content-type": "text/xml" },
    body: "<x/>",
    status: 415,
  },
  {
    name: "bulk: no action line",
    method: "POST",
    path: "/_bulk",
    headers: ndjson,
    body: "garbage\n{}\n",
    status: 400,
  },
  {
    name: "bulk: an unknown action",
    method: "POST",
    path: "/_bulk",
    headers: ndjson,
    body: '{"explode":{}}\n{}\n',
    status: 400,
  },
  {
    name: "bulk: a bad document beside a good one",
    method: "POST",
    path: "/_bulk",
    headers: ndjson,
    body: `{"create":{"_index":"i"}}\n{"a":NaN}\n{"create":{"_index":"i"}}\n${good}`,
    status: 200,
    says: /"errors":true/,
  },
];

/** Questions that cannot be answered. */
const questions: readonly HostileCase[] = [
  ask("an unknown pipe", "* | explode", 400, "", /explode/),
  ask("an unknown function", "* | stats foo() x", 400, "", /foo/),
  ask("an unclosed quote", '"abc', 400),
  ask("an unclosed bracket", "(a or (b", 400),
  ask("10,000 brackets", "(".repeat(10_000), 400),
  ask("a query longer than headers may be", `a${" or b".repeat(4000)}`, 431),
  form("a form with a query of 128 kB", `query=${"a or ".repeat(25_000)}b`, 400),
  form("a form of 1 MiB", `query=${"a".repeat(1024 * 1024)}`, 413),
  form("a form in an unknown charset", "query=a", 415, {
    "content-type": `${formType}; charset=x-none`,
  }),
  form("a form that is a bomb", gzipSync(zeros.subarray(0, 64 * 1024 * 1024)), 413, {
    "content-encoding": "gzip",
  }),
  form("a form that is no gzip", "query=a", 400, { "content-encoding": "gzip" }),
  ask("a regex that cannot be compiled", '~"(unclosed"', 400),
  ask("a regex with a backreference", '~"(a)\\\\1"', 400),
  ask("a regex with look-ahead", '~"(?=a)b"', 400),
  ask("a regex that repeats a million times", '~"(a{1000}){1000}"', 400),
  ask("a catastrophic regex is answered in time", '~"(a+)+$" | stats count() n', 200),
  ask("a limit below zero", "*", 400, "&limit=-1"),
  ask("a limit that is no number", "*", 400, "&limit=ten"),
  ask("a time that is no time", "*", 400, "&start=yesterday"),
  ask("an end before its start", "*", 400, "&start=2026-01-02T00:00:00Z&end=2026-01-01T00:00:00Z"),
  ask("a time-out that is none", "*", 400, "&timeout=never"),
  ask("no query at all", "", 400),
  {
    name: "a histogram of a billion buckets",
    path: "/api/v1/histogram?query=*&start=0&step=1ms",
    status: 400,
  },
  {
    name: "a field name with a bad escape",
    path: "/api/v1/fields/%E0%A4%A/values?query=*",
    status: 400,
  },
  { name: "a tail of a wrong query", path: "/api/v1/tail?query=%28", status: 400 },
  {
    name: "a tail from a wrong id",
    path: "/api/v1/tail?query=*",
    headers: { "last-event-id": "!!!" },
    status: 400,
  },
  { name: "a path that is not there", path: "/api/v1/nothing", status: 404 },
  { name: "a path that climbs", path: "/ui/../../../../etc/passwd", status: 404 },
  { name: "an encoded path that climbs", path: "/ui/%2e%2e/%2e%2e/%2e%2e/etc/passwd", status: 404 },
  {
    name: "a Host of somebody else",
    path: "/api/v1/query?query=*",
    headers: { host: "evil.example" },
    status: 421,
  },
  {
    name: "an Origin of somebody else",
    method: "POST",
    path: logs,
    headers: { ...ndjson, origin: "https://evil.example" },
    body: good,
    status: 421,
  },
];

export const hostileCases: readonly HostileCase[] = [...bodies, ...protocols, ...questions];
export const goodLine = good;
