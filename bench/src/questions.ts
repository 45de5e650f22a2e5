export interface Question {
  readonly name: string;
  readonly query: string;
  readonly limit: string;
}

/** What people ask of logs, from a rare word to totals over everything. */
export const questions: readonly Question[] = [
  { name: "common word, 100 rows", query: "error", limit: "100" },
  { name: "common word, count", query: "error | stats count() n", limit: "0" },
  { name: "phrase, count", query: '"connection refused" | stats count() n', limit: "0" },
  { name: "substring, count", query: '~"imeou" | stats count() n', limit: "0" },
  { name: "regex, count", query: '~"user=[0-9]+7 " | stats count() n', limit: "0" },
  { name: "not a word, count", query: "!error | stats count() n", limit: "0" },
  { name: "count by level", query: "* | stats by (level) count() n", limit: "0" },
  { name: "5-minute histogram", query: "* | stats by (_time:5m) count() n", limit: "0" },
  {
    name: "top 10 hosts",
    query: "* | stats by (host) count() n | sort by (n desc) limit 10",
    limit: "0",
  },
  { name: "status at least 500", query: "status:>=500 | stats count() n", limit: "0" },
  { name: "last 100", query: "*", limit: "100" },
  { name: "count all", query: "* | stats count() n", limit: "0" },
];
