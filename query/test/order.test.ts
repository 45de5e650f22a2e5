import assert from "node:assert/strict";
import test from "node:test";
import { orderedRows } from "../src/table/order.ts";
import { View } from "../src/table/view.ts";
import { memoryBlock } from "./memory-block.ts";

const count = 1000;

test("rows of equal times come by stream, the later position first, and a view is asked once for either", () => {
  const block = memoryBlock(
    Array.from({ length: count }, (_, i) => ({
      _time: "2026-01-01T00:00:00Z",
      _stream: `{a="${(i * 7) % 10}"}`,
      _msg: String(i),
    })),
  );
  const asked = { streams: 0, positions: 0 };
  const positions = Float64Array.from({ length: count }, (_, i) => i);
  const counted = {
    streams: () => {
      asked.streams++;
      return block.streams();
    },
    positions: () => {
      asked.positions++;
      return positions;
    },
  };
  const view = View.records(
    new Proxy(block, { get: (of, name) => Reflect.get(name in counted ? counted : of, name) }),
  );
  const rows = Uint32Array.from({ length: count }, (_, i) => i);
  const viewOf = new Uint32Array(count);
  const order = orderedRows({ views: [view], viewOf, rows }, { kind: "newest" });
  const expected = [...rows].sort((a, b) => ((a * 7) % 10) - ((b * 7) % 10) || b - a);
  assert.deepEqual([...order], expected);
  assert.deepEqual(asked, { streams: 1, positions: 1 });
});
