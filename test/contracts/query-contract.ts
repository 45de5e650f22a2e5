import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { Row, Service } from "../service.ts";
import { filterCases } from "./filter-cases.ts";
import { pipeCases } from "./pipe-cases.ts";
import { manyCount, manyRange, newestFirst, wholeRange } from "./query-data.ts";
import { routeCases } from "./route-cases.ts";

// What every index answers: each case says its rows, which no index has computed.

/** Asks a service that has all records of the contract, and compares. */
export async function keepsQueryContract(t: TestContext, service: Service): Promise<void> {
  await t.test("filters find", async (t) => {
    for (const { filter, finds } of filterCases) {
      await t.test(filter.slice(0, 100), async () => {
        const rows = await service.search(`${filter} | fields n`, wholeRange);
        assert.equal(rows.map(({ n }) => n).join(" "), finds);
      });
    }
  });
  await t.test("pipes give", async (t) => {
    for (const { query, rows, isUnordered } of pipeCases) {
      await t.test(query, async () => {
        const found = await service.search(query, wholeRange);
        if (isUnordered === true) assert.deepEqual(sorted(found), sorted(rows));
        else assert.deepEqual(found, rows);
      });
    }
  });
  await t.test("routes answer", async (t) => {
    for (const { name, path, params, answer } of routeCases) {
      await t.test(name, async () => {
        const range = path === "context" ? {} : wholeRange;
        const search = new URLSearchParams({ ...range, ...params });
        const response = await fetch(`${service.http}/api/v1/${path}?${search}`);
        assert.equal(response.status, 200);
        assert.deepEqual(await response.json(), answer);
      });
    }
  });
  await t.test("a range holds its start and not its end", () => keepsRanges(service));
  for (const limit of [1, 3, 7, 24]) {
    await t.test(`cursors lead through all records, ${limit} at a time`, () =>
      leadsThrough(service, { query: "* | fields n", limit, expected: newestFirst }),
    );
  }
  await t.test("cursors lead through what a pattern finds", () =>
    leadsThrough(service, {
      query: "~`is full` | fields n",
      limit: 2,
      expected: ["23", "6", "5", "4", "3"],
    }),
  );
  await t.test("a cursor keeps the query's own offset and limit", () =>
    leadsThrough(service, {
      query: "* | fields n | offset 2 | limit 5",
      limit: 2,
      expected: newestFirst.slice(2, 7),
    }),
  );
  await t.test("many records", (t) => keepsMany(t, service));
}

function sorted(rows: readonly Row[]): string[] {
  return rows.map((row) => JSON.stringify(Object.entries(row).sort())).sort();
}

async function keepsRanges(service: Service): Promise<void> {
  const between = async (start: string, end: string): Promise<string> => {
    const rows = await service.search("* | fields n", { start, end });
    return rows.map(({ n }) => n).join(" ");
  };
  assert.equal(await between("2024-03-01T00:00:00Z", "2024-03-01T00:00:00.000000001Z"), "1");
  assert.equal(await between("2024-03-01T23:59:59.999999999Z", "2024-03-02T00:00:00Z"), "8");
  assert.equal(await between("2024-03-02T00:00:00Z", "2024-03-02T00:00:01Z"), "9");
  assert.equal(await between("2024-03-04T00:00:00Z", "2024-03-05T00:00:00Z"), "");
  assert.equal(await between("0", "2024-03-01T00:00:01Z"), "2 1");
}

interface Pages {
  readonly query: string;
  readonly limit: number;
  readonly expected: readonly string[];
  readonly range?: Readonly<Record<string, string>>;
}

/** Page by page by the cursor of each summary. */
async function leadsThrough(service: Service, pages: Pages): Promise<void> {
  const { query, limit, expected, range = wholeRange } = pages;
  const found: string[] = [];
  let cursor: string | undefined;
  do {
    const params = { ...range, limit: String(limit), summary: "1" };
    const rows: readonly (Row & { readonly _summary?: unknown })[] = await service.search(
      query,
      cursor === undefined ? params : { ...params, cursor },
    );
    const last = rows.at(-1) as unknown as { _summary: { cursor?: string; status: string } };
    assert.equal(last._summary.status, "complete");
    const page = rows.slice(0, -1).map(({ n }) => String(n));
    assert.ok(page.length <= limit, `at most ${limit} records on a page`);
    found.push(...page);
    assert.ok(found.length <= expected.length, "no more than there are");
    cursor = last._summary.cursor;
  } while (cursor !== undefined);
  assert.deepEqual(found, expected);
}

async function keepsMany(t: TestContext, service: Service): Promise<void> {
  const expected = Array.from({ length: manyCount }, (_, i) => String(manyCount - i));
  await t.test("come newest first, those of one time as they were stored", async () => {
    const rows = await service.search("* | fields n", manyRange);
    assert.deepEqual(
      rows.map(({ n }) => n),
      expected,
    );
  });
  await t.test("are led through by cursors within one time", () =>
    leadsThrough(service, { query: "* | fields n", limit: 1_700, expected, range: manyRange }),
  );
  await t.test("are counted", async () => {
    assert.equal(await service.count("*", manyRange), manyCount);
    assert.equal(await service.count('"of many"', manyRange), manyCount);
    assert.equal(await service.count("digit:=3", manyRange), manyCount / 10);
    assert.equal(await service.count("n:>6000", manyRange), manyCount / 2);
  });
  await t.test("are grouped, summed and sorted", async () => {
    const groups = await service.search(
      '"of many" | stats by (digit) count() c, max(n) m | sort by (digit) limit 2',
      manyRange,
    );
    assert.deepEqual(groups, [
      { digit: "0", c: "1200", m: "12000" },
      { digit: "1", c: "1200", m: "11991" },
    ]);
    const distinct = await service.search("* | uniq by (n) | stats count() c", manyRange);
    assert.deepEqual(distinct, [{ c: "12000" }]);
    const largest = await service.search("* | sort by (n desc) limit 2 | fields n", manyRange);
    assert.deepEqual(largest, [{ n: "12000" }, { n: "11999" }]);
  });
  await t.test("are found far down by a filter that nobody can narrow", async () => {
    const rows = await service.search("n:<3 | limit 5 | fields n", manyRange);
    assert.deepEqual(rows, [{ n: "2" }, { n: "1" }]);
  });
}
