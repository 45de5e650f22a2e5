import assert from "node:assert/strict";
import test from "node:test";
import type { Block } from "../../kit/src/block.ts";
import { createFragment } from "../src/engine/fragment.ts";
import { parseQuery } from "../src/language/parse.ts";
import type { PlanMessage } from "../src/plan/plan.ts";
import { splitQuery } from "../src/plan/split.ts";
import type { Part } from "../src/source.ts";
import { ValuesColumn, valuesOf } from "../src/table/column.ts";
import { streamLabelsOf, TableBlock } from "../src/table/table-block.ts";

const rowCount = 100;
const range = { from: { ms: 0, ns: 0 }, to: { ms: 1_000, ns: 0 } };
const part: Part = {
  ...{ timeMin: range.from, timeMax: range.from, rows: rowCount, bytes: 1_000 },
  ...{ internal: false, ref: undefined },
};

/** Runs a query over one block, during whose first look at a column the query is cancelled. */
function askCancelled(text: string) {
  const cancelled = new SharedArrayBuffer(4);
  const plan: PlanMessage = {
    ...splitQuery(parseQuery(text), { range, limit: 10, after: undefined, oldestFirst: false })
      .worker,
    ...{ id: "q", memoryBytesMax: 1 << 20, cancelled },
  };
  let looks = 0;
  class Cancelling extends ValuesColumn {
    override values() {
      looks++;
      Atomics.store(new Int32Array(cancelled), 0, 1);
      return super.values();
    }
  }
  const texts = Array.from({ length: rowCount }, (_, row) => `["text ${row}"]`);
  const block: Block = new TableBlock({
    rowCount,
    columns: new Map([["a", new Cancelling("rows", valuesOf(texts))]]),
    times: { ms: new Float64Array(rowCount), ns: undefined },
    streams: { labels: [streamLabelsOf("{}")], codes: undefined },
    positions: new Float64Array(rowCount),
  });
  const message = createFragment(plan, { blocks: () => [block] }).run({
    ...{ part, after: undefined, floorMs: undefined },
  });
  return { message, looks };
}

const questions = [
  '* | format "<a>" as b',
  '* | format "<a>" as b | replace_regexp ("x+", "y") at b | stats count() n',
  '* | replace_regexp ("x+", "y") at a',
  "* | unroll by (a)",
  "* | unpack_syslog from a",
  'a:~"tex+t [0-9]*7"',
];

for (const text of questions) {
  test(`a query ends within a block: ${text}`, () => {
    const { message, looks } = askCancelled(text);
    assert.ok(looks > 0);
    assert.equal(message.kind === "failed" && message.code, "query.cancelled");
  });
}
