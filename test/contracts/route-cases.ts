/** A request and the whole of its answer. */
export interface RouteCase {
  readonly name: string;
  /** Below `/api/v1/`. */
  readonly path: string;
  readonly params: Readonly<Record<string, string>>;
  readonly answer: unknown;
}

const db1 = '{host="db-1",service="db"}';
const dayMs = 86_400_000;

const record = (n: string, _msg: string, rest: Readonly<Record<string, string>>) => ({
  _time: "2024-03-01T12:00:00Z",
  _stream: db1,
  _msg,
  n,
  service: "db",
  host: "db-1",
  ...rest,
});

export const routeCases: readonly RouteCase[] = [
  {
    name: "a histogram counts records by time",
    path: "histogram",
    params: { query: "*", step: "1d" },
    answer: {
      start: "2024-03-01T00:00:00Z",
      end: "2024-03-05T00:00:00Z",
      stepMs: dayMs,
      series: [{ total: 24, counts: [9, 13, 2, 0] }],
    },
  },
  {
    name: "a histogram of what words find",
    path: "histogram",
    params: { query: '"is full"', step: "1d" },
    answer: {
      start: "2024-03-01T00:00:00Z",
      end: "2024-03-05T00:00:00Z",
      stepMs: dayMs,
      series: [{ total: 4, counts: [4, 0, 0, 0] }],
    },
  },
  {
    name: "a histogram by a field",
    path: "histogram",
    params: { query: "level:*", step: "2d", by: "level" },
    answer: {
      start: "2024-02-29T00:00:00Z",
      end: "2024-03-06T00:00:00Z",
      stepMs: 2 * dayMs,
      by: "level",
      series: [
        { value: "error", total: 3, counts: [3, 0, 0] },
        { value: "info", total: 3, counts: [2, 1, 0] },
        { value: "Error", total: 1, counts: [1, 0, 0] },
        { value: "debug", total: 1, counts: [0, 1, 0] },
        { value: "warn", total: 1, counts: [1, 0, 0] },
      ],
    },
  },
  {
    name: "fields and how many records have each",
    path: "fields",
    params: { query: "user:*" },
    answer: {
      fields: [
        ..."_msg _stream _time host http.status n service took user"
          .split(" ")
          .map((name) => ({ name, count: 3 })),
      ],
    },
  },
  {
    name: "values of a field",
    path: "fields/level/values",
    params: { query: "*", limit: "3" },
    answer: {
      values: [
        { value: "error", count: 3 },
        { value: "info", count: 3 },
        { value: "Error", count: 1 },
      ],
    },
  },
  {
    name: "values of a field whose name has dots",
    path: "fields/http.status/values",
    params: { query: "~`GET|POST`" },
    answer: {
      values: [
        { value: "200", count: 1 },
        { value: "204", count: 1 },
        { value: "500", count: 1 },
      ],
    },
  },
  {
    name: "streams and how many records each has",
    path: "streams",
    params: { query: "disk" },
    answer: {
      streams: [
        { stream: db1, count: 2 },
        { stream: '{host="web-2",service="api"}', count: 2 },
      ],
    },
  },
  {
    name: "what stands around a record in its stream",
    path: "context",
    params: {
      time: "2024-03-02T01:00:01Z",
      stream: '{host="t",service="text"}',
      before: "2",
      after: "1",
    },
    answer: {
      before: [
        {
          _time: "2024-03-02T01:00:00Z",
          _stream: '{host="t",service="text"}',
          _msg: "Überlauf im Süden",
          n: "11",
          service: "text",
          host: "t",
          lang: "de",
        },
      ],
      record: {
        _time: "2024-03-02T01:00:01Z",
        _stream: '{host="t",service="text"}',
        _msg: "ошибка диска",
        n: "12",
        service: "text",
        host: "t",
        lang: "ru",
      },
      after: [
        {
          _time: "2024-03-02T01:00:02Z",
          _stream: '{host="t",service="text"}',
          _msg: "磁盘 已满",
          n: "13",
          service: "text",
          host: "t",
          lang: "zh",
        },
      ],
    },
  },
  {
    name: "records of one time stand around each other as they were stored",
    path: "context",
    params: {
      time: "2024-03-01T12:00:00Z",
      stream: db1,
      msg: "Disk is fuller",
      before: "5",
      after: "5",
    },
    answer: {
      before: [record("5", "disk-is full", { level: "error", bytes: "-5" })],
      record: record("6", "Disk is fuller", { level: "Error", bytes: "1e3" }),
      after: [record("23", "disk is full again", { level: "error", bytes: "7" })],
    },
  },
];
