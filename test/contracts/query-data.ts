/** Records that the contract of queries is about. `n` names each; what is expected is written with it. */
export interface ContractRecord {
  readonly _time: string;
  readonly _msg: string;
  readonly n: string;
  readonly [field: string]: string;
}

/** Fields that form a record's stream. */
export const streamFields = "service,host";

/** A range that holds all records. */
export const wholeRange = { start: "2024-03-01T00:00:00Z", end: "2024-03-05T00:00:00Z" } as const;

/** A word of 9,000 letters, and words of 10,003 together: more than an index takes as one value. */
export const longWord: string = "a".repeat(9_000);
export const longText: string = `${"word ".repeat(2_000)}end`;

const api1 = { service: "api", host: "web-1" };
const api2 = { service: "api", host: "web-2" };
const db1 = { service: "db", host: "db-1" };
const db2 = { service: "db", host: "db-2" };
const web = { service: "web", host: "web-9" };
const text = { service: "text", host: "t" };
const odd = { service: 'a "b", host="x"', host: "o\\1" };

/** Shipped in one request. */
export const records: readonly ContractRecord[] = [
  {
    n: "1",
    _time: "2024-03-01T00:00:00Z",
    ...api1,
    level: "info",
    _msg: "service started",
    port: "8080",
  },
  {
    n: "2",
    _time: "2024-03-01T00:00:00.000000001Z",
    ...api1,
    level: "info",
    _msg: "listening on 0.0.0.0:8080",
    took: "5ms",
  },
  {
    n: "3",
    _time: "2024-03-01T06:00:00.123456789Z",
    ...api2,
    level: "error",
    _msg: "disk is full",
    path: "/var/log/app",
    bytes: "1024",
    ip: "10.0.0.1",
  },
  {
    n: "4",
    _time: "2024-03-01T06:00:00.12345679Z",
    ...api2,
    level: "warn",
    _msg: "disk, is full?",
    bytes: "2KiB",
    ip: "10.1.2.3",
  },
  {
    n: "5",
    _time: "2024-03-01T12:00:00Z",
    ...db1,
    level: "error",
    _msg: "disk-is full",
    bytes: "-5",
  },
  {
    n: "6",
    _time: "2024-03-01T12:00:00Z",
    ...db1,
    level: "Error",
    _msg: "Disk is fuller",
    bytes: "1e3",
  },
  { n: "7", _time: "2024-03-01T12:00:00Z", ...db2, level: "", _msg: "errors: none", bytes: "many" },
  {
    n: "8",
    _time: "2024-03-01T23:59:59.999999999Z",
    ...web,
    _msg: "GET /api/v1/items?id=7 HTTP/1.1",
    "http.status": "200",
    took: "12ms",
    user: "ann",
  },
  {
    n: "9",
    _time: "2024-03-02T00:00:00Z",
    ...web,
    _msg: "POST /api/v1/items HTTP/1.1",
    "http.status": "500",
    took: "2s",
    user: "bob",
  },
  {
    n: "10",
    _time: "2024-03-02T00:00:01Z",
    ...web,
    _msg: "GET /health HTTP/1.1",
    "http.status": "204",
    took: "300us",
    user: "ann",
  },
  { n: "11", _time: "2024-03-02T01:00:00Z", ...text, _msg: "Überlauf im Süden", lang: "de" },
  { n: "12", _time: "2024-03-02T01:00:01Z", ...text, _msg: "ошибка диска", lang: "ru" },
  { n: "13", _time: "2024-03-02T01:00:02Z", ...text, _msg: "磁盘 已满", lang: "zh" },
  { n: "14", _time: "2024-03-02T01:00:03Z", ...text, _msg: "smile 😀 ok", lang: "😀" },
  { n: "15", _time: "2024-03-02T01:00:04Z", ...text, _msg: "\u212aelvin scale", lang: "İ" },
  { n: "16", _time: "2024-03-02T01:00:05Z", ...text, _msg: "long one", blob: longWord },
  { n: "17", _time: "2024-03-02T01:00:06Z", ...text, _msg: "long two", blob: longText },
  { n: "18", _time: "2024-03-02T01:00:07Z", ...text, _msg: "--- !!! ---", blob: "..." },
  {
    n: "19",
    _time: "2024-03-02T01:00:08Z",
    ...text,
    _msg: "names",
    "a b": "x",
    "http.request.method": "GET",
    "level.exact": "trap",
    _id: "own",
    "record.x": "y",
  },
  { n: "20", _time: "2024-03-02T01:00:09Z", ...text, _msg: 'line one\nline two\t"quoted" \\ back' },
  {
    n: "21",
    _time: "2024-03-02T01:00:10Z",
    ...text,
    _msg: "snake_case and kebab-case v1.2",
    bytes: "0x1f",
    ip: "192.168.1.255",
  },
  { n: "22", _time: "2024-03-03T00:00:00Z", ...odd, _msg: "odd stream", level: "debug" },
];

/** Shipped after those: of the time and stream of records 5 and 6, and so behind them. */
export const laterRecords: readonly ContractRecord[] = [
  {
    n: "23",
    _time: "2024-03-01T12:00:00Z",
    ...db1,
    level: "error",
    _msg: "disk is full again",
    bytes: "7",
  },
  {
    n: "24",
    _time: "2024-03-03T12:00:00Z",
    ...api1,
    level: "info",
    _msg: "service stopped",
    port: "8081",
  },
];

/** All of them as they are answered: newest first, of one time by stream, then the one that was stored later. */
export const newestFirst: readonly string[] = [
  ..."24 22 21 20 19 18 17 16 15 14 13 12 11 10 9 8 23 6 5 7 4 3 2 1".split(" "),
];

/** How many of the many there are: more than one page, in groups of one time that are none. */
export const manyCount = 12_000;

/** Of the many, so many have one time. */
export const manyPerTime = 3_000;

/** Many records of one stream on a day of their own; the later ones are the newer, or were stored later. */
export function manyRecords(): ContractRecord[] {
  return Array.from({ length: manyCount }, (_, i) => {
    const second = String(Math.floor(i / manyPerTime)).padStart(2, "0");
    return {
      n: String(i + 1),
      _time: `2024-03-06T00:00:${second}Z`,
      service: "many",
      host: "m",
      _msg: `number ${i + 1} of many`,
      digit: String((i + 1) % 10),
    };
  });
}

export const manyRange = { start: "2024-03-06T00:00:00Z", end: "2024-03-07T00:00:00Z" } as const;
