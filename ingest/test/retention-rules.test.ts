// Goal: a record gets the retention class of the first rule that matches it, by its stream and fields.
// Method: bodies are decoded under rules and the class of each stored batch is read; what a rule matches is compared
// with what the same filter finds in the batch as it is stored without rules.
import assert from "node:assert/strict";
import { test } from "node:test";
import { compileFilter } from "../../query/src/filter/compile.ts";
import { RowSet } from "../../query/src/filter/row-set.ts";
import { parseFilter } from "../../query/src/language/parse.ts";
import { openBatch } from "../../storage/src/format/batch.ts";
import type { RetentionRule } from "../src/retention/rules.ts";
import { TestDecoder } from "./decoding.ts";

function rule(filter: string, retentionClass: string, tenant?: string): RetentionRule {
  return { tenant, filter: parseFilter(filter), retentionClass };
}

const records = Array.from({ length: 60 }, (_, i) => ({
  service: ["api", "web", "db"][i % 3],
  level: ["debug", "info", "error", ""][i % 4],
  status: [200, 404, 503, "12ms", "10.0.0.7"][i % 5],
  other: [200, 404][i % 2],
  _msg: [`disk is full on sd${i}`, "request took 12 ms", 'Überlauf "x"\n'][i % 3],
  n: i,
}));
const body = records.map((record) => JSON.stringify(record)).join("\n");
const asked = { streamFields: ["service"] };

/** The numbers `n` of the records stored in each class. */
function classesOf(rules: readonly RetentionRule[], tenant = "default"): Map<string, number[]> {
  const decoder = new TestDecoder({ retention: rules, shardCount: 2 });
  const found = new Map<string, number[]>();
  const { result } = decoder.run("json-lines", body, asked, { tenant });
  for (const part of result.parts) {
    const batch = openBatch(decoder.owner.view(part.offset, part.length), 0, part.length, 1);
    const column = batch.column("n");
    assert.ok(column !== undefined);
    const { bytes, offsets } = column.values();
    const numbers = found.get(part.class) ?? [];
    found.set(part.class, numbers);
    for (let row = 0; row < batch.rowCount; row++) {
      const at = column.layout === "const" ? 0 : (column.codes?.[row] ?? row);
      numbers.push(Number(bytes.toString("utf8", offsets[at], offsets[at + 1])));
    }
  }
  for (const numbers of found.values()) numbers.sort((a, b) => a - b);
  return found;
}

function wanted(matches: (n: number) => boolean): number[] {
  return records.map((_, n) => n).filter(matches);
}

test("without rules every record is of the default class", () => {
  assert.deepEqual([...classesOf([]).keys()], ["default"]);
});

test("the first rule that matches decides, and what none matches is of the default class", () => {
  const found = classesOf([
    rule('{service="db"} level:error', "90d"),
    rule('{service="db"}', "1d"),
    rule("level:debug", "3d"),
  ]);
  const isDb = (n: number) => n % 3 === 2;
  assert.deepEqual(
    found.get("90d"),
    wanted((n) => isDb(n) && n % 4 === 2),
  );
  assert.deepEqual(
    found.get("1d"),
    wanted((n) => isDb(n) && n % 4 !== 2),
  );
  assert.deepEqual(
    found.get("3d"),
    wanted((n) => !isDb(n) && n % 4 === 0),
  );
  assert.deepEqual(
    found.get("default"),
    wanted((n) => !isDb(n) && n % 4 !== 0),
  );
});

test("a rule of a tenant concerns no other", () => {
  const rules = [rule("*", "2d", "acme")];
  assert.deepEqual([...classesOf(rules, "acme").keys()], ["2d"]);
  assert.deepEqual([...classesOf(rules, "other").keys()], ["default"]);
});

const filters = [
  "full",
  '"took 12"',
  "tak*",
  "*ull*",
  '~"sd[0-4]$"',
  "level:=debug",
  "level:deb*",
  "level:*",
  'level:""',
  "!level:error",
  "level:in(debug, info)",
  "status:>=404",
  "status:>5ms",
  "status:range[200, 404]",
  "status:ipv4_range(10.0.0.0/8)",
  "status:eq_field(other)",
  "status:lt_field(n)",
  "_msg:len_range(0, 17)",
  "_msg:seq(disk, on)",
  "_msg:contains_any(took, Überlauf)",
  "i(DISK)",
  "absent:x",
  'absent:""',
  'level:error or {service=~"a.+"} !status:404',
  '({service="api"} or {service="db"}) level:debug',
];

for (const filter of filters) {
  test(`a rule matches what the filter finds: ${filter}`, () => {
    const decoder = new TestDecoder();
    const { result } = decoder.run("json-lines", body, asked);
    const compiled = compileFilter(parseFilter(filter));
    const matching: number[] = [];
    for (const part of result.parts) {
      const batch = openBatch(decoder.owner.view(part.offset, part.length), 0, part.length, 1);
      const rows = new RowSet(batch.rowCount);
      compiled.narrow(batch, rows);
      // One shard and one class: rows are in the order of the body.
      matching.push(...rows.rows());
    }
    assert.deepEqual(classesOf([rule(filter, "2d")]).get("2d") ?? [], matching);
  });
}

test("a request of a key has other part keys under other rules, and the same under the same", () => {
  const keysOf = (rules: readonly RetentionRule[]): string[] => {
    const job = { idempotencyKey: "k" };
    const { result } = new TestDecoder({ retention: rules }).run("json-lines", body, asked, job);
    return result.parts.map(({ dedupeKey }) => Buffer.from(dedupeKey ?? []).toString("hex"));
  };
  const rules = [rule("level:debug", "3d")];
  assert.deepEqual(keysOf(rules), keysOf(rules));
  assert.equal(new Set(keysOf(rules)).size, 2);
  assert.deepEqual(
    keysOf(rules).filter((key) => keysOf([]).includes(key)),
    [],
  );
});
