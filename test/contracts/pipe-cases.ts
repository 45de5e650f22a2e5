/** A query with pipes, and its rows. */
export interface PipeCase {
  readonly query: string;
  readonly rows: readonly Readonly<Record<string, string>>[];
  /** The order of the rows says nothing. */
  readonly isUnordered?: boolean;
}

const newest = (...numbers: readonly string[]) => numbers.map((n) => ({ n }));

export const pipeCases: readonly PipeCase[] = [
  // Records, and how many of them.
  { query: "* | limit 3 | fields n", rows: newest("24", "22", "21") },
  { query: "* | sort by (_time desc) limit 2 | fields n", rows: newest("24", "22") },
  { query: "disk | sort by (_time desc) offset 1 limit 2 | fields n", rows: newest("5", "4") },
  { query: "* | offset 21 | fields n", rows: newest("3", "2", "1") },
  { query: "disk | offset 1 | limit 2 | fields n", rows: newest("5", "4") },
  { query: "~`is full` | limit 2 | fields n", rows: newest("23", "6") },
  { query: "* | fields n | limit 3", rows: newest("24", "22", "21") },
  { query: "disk | fields n | offset 1 | limit 2", rows: newest("5", "4") },
  { query: "~`is full` | fields n | offset 3", rows: newest("4", "3") },
  { query: "* | limit 0", rows: [] },
  { query: "* | sort by (_time) limit 4 | fields n", rows: newest("1", "2", "3", "4") },
  { query: "disk | sort by (_time) offset 1 limit 2 | fields n", rows: newest("4", "23") },
  { query: "disk | sort by (bytes desc) | fields n", rows: newest("4", "3", "23", "5") },
  { query: "bytes:* | sort by (n) limit 3 | fields n", rows: newest("3", "4", "5") },
  {
    query: "level:warn",
    rows: [
      {
        _time: "2024-03-01T06:00:00.123456790Z",
        _stream: '{host="web-2",service="api"}',
        _msg: "disk, is full?",
        n: "4",
        service: "api",
        host: "web-2",
        level: "warn",
        bytes: "2KiB",
        ip: "10.1.2.3",
      },
    ],
  },
  {
    query: "names",
    rows: [
      {
        _time: "2024-03-02T01:00:08Z",
        _stream: '{host="t",service="text"}',
        _msg: "names",
        n: "19",
        service: "text",
        host: "t",
        "a b": "x",
        "http.request.method": "GET",
        "level.exact": "trap",
        _id: "own",
        "record.x": "y",
      },
    ],
  },
  // Counts.
  { query: "* | stats count() hits", rows: [{ hits: "24" }] },
  { query: "disk | stats count() hits", rows: [{ hits: "4" }] },
  { query: '"is full" | stats count() hits', rows: [{ hits: "4" }] },
  { query: "nothing_has_this | stats count() hits", rows: [{ hits: "0" }] },
  { query: "!level:error | count() hits", rows: [{ hits: "21" }] },
  {
    query: "{service=~`api|db`} | stats by (level) count() hits | sort by (level)",
    rows: [
      { level: "", hits: "1" },
      { level: "Error", hits: "1" },
      { level: "error", hits: "3" },
      { level: "info", hits: "3" },
      { level: "warn", hits: "1" },
    ],
  },
  {
    query: '{service="api" or service="db"} | stats by (level, service) count() a, count() b',
    isUnordered: true,
    rows: [
      { level: "", service: "db", a: "1", b: "1" },
      { level: "Error", service: "db", a: "1", b: "1" },
      { level: "error", service: "db", a: "2", b: "2" },
      { level: "error", service: "api", a: "1", b: "1" },
      { level: "info", service: "api", a: "3", b: "3" },
      { level: "warn", service: "api", a: "1", b: "1" },
    ],
  },
  {
    query: "* | stats by (_time:1d) count() hits | sort by (_time)",
    rows: [
      { _time: "2024-03-01T00:00:00Z", hits: "9" },
      { _time: "2024-03-02T00:00:00Z", hits: "13" },
      { _time: "2024-03-03T00:00:00Z", hits: "2" },
    ],
  },
  {
    query: "* | stats by (_time:12h offset 6h) count() hits | sort by (_time)",
    rows: [
      { _time: "2024-02-29T18:00:00Z", hits: "2" },
      { _time: "2024-03-01T06:00:00Z", hits: "6" },
      { _time: "2024-03-01T18:00:00Z", hits: "14" },
      { _time: "2024-03-02T18:00:00Z", hits: "1" },
      { _time: "2024-03-03T06:00:00Z", hits: "1" },
    ],
  },
  {
    query: "_time:2024-03-02T00 | stats by (_time:1ms) count() hits | sort by (_time)",
    rows: [
      { _time: "2024-03-02T00:00:00Z", hits: "1" },
      { _time: "2024-03-02T00:00:01Z", hits: "1" },
    ],
  },
  {
    query: "_time:2024-03-01T06 | stats by (_time:10ns) count() hits | sort by (_time)",
    rows: [
      { _time: "2024-03-01T06:00:00.123456780Z", hits: "1" },
      { _time: "2024-03-01T06:00:00.123456790Z", hits: "1" },
    ],
  },
  {
    query: "* | stats by (_time:month) count() hits",
    rows: [{ _time: "2024-03-01T00:00:00Z", hits: "24" }],
  },
  {
    query: "* | stats by (_stream) count() hits | sort by (hits desc, _stream) limit 3",
    rows: [
      { _stream: '{host="t",service="text"}', hits: "11" },
      { _stream: '{host="db-1",service="db"}', hits: "3" },
      { _stream: '{host="web-1",service="api"}', hits: "3" },
    ],
  },
  // Other functions.
  {
    query:
      "bytes:>0 | stats sum(bytes) s, max(bytes) m, min(bytes) l, count(bytes) c, count_uniq(host) u",
    rows: [{ s: "4110", m: "1024", l: "7", c: "5", u: "3" }],
  },
  {
    query:
      "level:* | stats count() all, count() if (level:error) errors, count_empty(bytes) without",
    rows: [{ all: "9", errors: "3", without: "4" }],
  },
  {
    query:
      "http.status:* | stats avg(http.status) a, median(http.status) m, quantile(1, http.status) q",
    rows: [{ a: "301.3333333333333", m: "204", q: "500" }],
  },
  { query: "user:* | stats uniq_values(user) u", rows: [{ u: '["ann","bob"]' }] },
  {
    query: "took:* | stats by (user) count() c | sort by (c desc, user)",
    rows: [
      { user: "ann", c: "2" },
      { user: "", c: "1" },
      { user: "bob", c: "1" },
    ],
  },
  {
    query: "bytes:>=-5 bytes:<50 | stats by (bytes:10) count() c | sort by (bytes)",
    rows: [
      { bytes: "-10", c: "1" },
      { bytes: "0", c: "1" },
      { bytes: "0x1f", c: "1" },
    ],
  },
  // Distinct values.
  {
    query: "* | top 2 by (level)",
    rows: [
      { level: "", hits: "15" },
      { level: "error", hits: "3" },
    ],
  },
  {
    query: "level:* | top 2 by (service, level) hits as n",
    rows: [
      { service: "api", level: "info", n: "3" },
      { service: "db", level: "error", n: "2" },
    ],
  },
  {
    query: "* | uniq by (user)",
    isUnordered: true,
    rows: [{ user: "ann" }, { user: "bob" }],
  },
  {
    query: "disk | uniq by (host) with hits",
    isUnordered: true,
    rows: [
      { host: "web-2", hits: "2" },
      { host: "db-1", hits: "2" },
    ],
  },
  {
    query: "* | field_values level limit 2",
    rows: [
      { level: "error", hits: "3" },
      { level: "info", hits: "3" },
    ],
  },
  {
    query: "* | field_values blob | fields hits",
    rows: [{ hits: "1" }, { hits: "1" }, { hits: "1" }],
  },
  {
    query: "level:warn | field_names | sort by (name)",
    rows: "_msg _stream _time bytes host ip level n service"
      .split(" ")
      .map((name) => ({ name, hits: "1" })),
  },
  // Pipes over rows.
  { query: "user:bob | fields user, http.*", rows: [{ user: "bob", "http.status": "500" }] },
  {
    query: "user:ann | math http.status / 2 as half | sort by (half) | fields half",
    rows: [{ half: "100" }, { half: "102" }],
  },
  {
    query:
      '{service="web"} | extract "<verb> <path> HTTP" | stats by (verb) count() c | sort by (verb)',
    rows: [
      { verb: "GET", c: "2" },
      { verb: "POST", c: "1" },
    ],
  },
  {
    query: "took:* | rename took as t | filter t:>10ms | fields n",
    rows: newest("9", "8"),
  },
  {
    query: "* | filter _time:2024-03-03 | stats count() c",
    rows: [{ c: "2" }],
  },
  {
    query: "level:warn | copy ip as a | delete ip, _*, n, h*, s* | fields a, ip, level",
    rows: [{ a: "10.1.2.3", level: "warn" }],
  },
];
