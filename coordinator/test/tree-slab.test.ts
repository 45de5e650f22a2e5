import assert from "node:assert/strict";
import test from "node:test";

import { Prng } from "../../kit/src/prng.ts";
import { DataSlab } from "../src/tree/data-slab.ts";
import { slabDataMax } from "../src/tree/limits.ts";

test("the slab gives back what was put in, through any order of puts and frees", () => {
  const prng = new Prng(9);
  const slab = new DataSlab();
  const kept: { readonly ref: number; readonly data: Buffer | null }[] = [];
  for (let i = 0; i < 20_000; i++) {
    if (kept.length > 0 && prng.chance(0.48)) {
      const [{ ref, data }] = kept.splice(prng.below(kept.length), 1) as [(typeof kept)[number]];
      assert.deepEqual(bytesOf(slab.get(ref, data?.length ?? 0)), bytesOf(data));
      slab.free(ref);
      continue;
    }
    const length = prng.chance(0.02) ? slabDataMax + prng.below(5000) : prng.below(200);
    const data = prng.chance(0.05) ? null : Buffer.alloc(length, prng.below(256));
    kept.push({ ref: slab.put(data), data });
  }
  for (const { ref, data } of kept) {
    assert.deepEqual(bytesOf(slab.get(ref, data?.length ?? 0)), bytesOf(data));
  }
});

test("memory goes back once what filled it is freed", () => {
  const slab = new DataSlab();
  const fill = () => Array.from({ length: 50_000 }, () => slab.put(Buffer.alloc(100)));
  const refs = fill();
  const full = slab.bytesReserved;
  for (const ref of refs) slab.free(ref);
  assert(slab.bytesReserved < full / 10, `${slab.bytesReserved} of ${full} bytes are still held`);
  fill();
  assert.equal(slab.bytesReserved, full);
});

function bytesOf(data: Uint8Array | null): string | null {
  return data === null ? null : Buffer.from(data).toString("hex");
}
