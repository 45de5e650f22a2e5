import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../../kit/src/prng.ts";
import { KeptAnswers } from "../src/engine/kept-answers.ts";
import { collectAnswer } from "../src/engine/questions.ts";
import { parseQuery } from "../src/language/parse.ts";
import { FinishingPool, LocalPool, storeOf, type TestRecord } from "./engine-blocks.ts";

const allTime = { from: { ms: 0, ns: 0 }, to: { ms: 4e12, ns: 0 } };

/** Records of which each has a group of its own, four times over. */
function manyGroups(count: number): TestRecord[] {
  return Array.from({ length: count }, (_, i) => ({
    time: { ms: 1_700_000_000_000 + i, ns: 0 },
    stream: "{}",
    shard: i % 3,
    position: i,
    fields: { group: `a group of some name ${i % (count / 4)}`, took: String(i % 97) },
  }));
}

for (const text of [
  "* | stats by (group) count() n, max(took) m | sort by (n desc, group) limit 20",
  "* | stats by (group) count() n, sum(took) s | filter s:>180 | stats count() groups",
  "* | sort by (took desc, group) limit 9000 | stats by (took) count() n | sort by (took)",
  "* | uniq by (group) with hits as n | sort by (group) offset 7990",
  "* | sort by (took desc, group)",
]) {
  test(`workers merge ${text} to the same rows`, async () => {
    const store = storeOf(manyGroups(32_000), new Prng(5));
    const query = parseQuery(text);
    const pool = new FinishingPool(store);
    const asked = { source: store, tenant: "t", query, range: allTime };
    const { rows } = await collectAnswer({ ...asked, pool });
    const expected = await collectAnswer({ ...asked, pool: new LocalPool(store) });
    assert.deepEqual(rows, expected.rows);
    assert.ok(rows.length > 0);
    assert.equal(pool.finished, 1);
    // What was moved to a worker is nothing that was kept.
    const kept = new KeptAnswers(pool, 1 << 24);
    for (let time = 0; time < 2; time++) {
      assert.deepEqual((await collectAnswer({ ...asked, pool: kept })).rows, rows);
    }
  });
}

test("what a worker meets while merging fails the query", async () => {
  const store = storeOf(manyGroups(32_000), new Prng(5));
  const pool = new FinishingPool(store);
  const finish = () =>
    Promise.resolve({
      kind: "failed" as const,
      code: "query.memory" as const,
      message: "too much",
      fields: {},
    });
  const query = parseQuery("* | stats by (group) count() n");
  const failing = { size: pool.size, run: pool.run.bind(pool), finish };
  const asked = collectAnswer({ source: store, tenant: "t", query, range: allTime, pool: failing });
  await assert.rejects(asked, { code: "query.memory" });
  assert.equal(store.counts.released, store.counts.opened);
});
