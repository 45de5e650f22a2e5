import assert from "node:assert/strict";
import test from "node:test";

import { Prng } from "../../kit/src/prng.ts";
import { DataSlab } from "../src/tree/data-slab.ts";
import { slabDataMax } from "../src/tree/limits.ts";

test("what was put into a place of the slab stays there, through any order of takes and frees", () => {
  const prng = new Prng(9);
  const slab = new DataSlab();
  const kept: { readonly ref: number; readonly data: Buffer }[] = [];
  const stays = ({ ref, data }: (typeof kept)[number]) => {
    assert.equal(slab.isFit(ref, data.length), data.length <= slabDataMax);
    if (data.length === 0) return;
    const from = slab.offsetOf(ref);
    assert(data.equals(slab.bufferOf(ref).subarray(from, from + data.length)));
  };
  for (let i = 0; i < 20_000; i++) {
    if (kept.length > 0 && prng.chance(0.48)) {
      const [one] = kept.splice(prng.below(kept.length), 1) as [(typeof kept)[number]];
      stays(one);
      slab.free(one.ref);
      continue;
    }
    const length = prng.chance(0.02) ? slabDataMax + prng.below(5000) : prng.below(200);
    const data = Buffer.alloc(length, prng.below(256));
    const ref = slab.take(length);
    if (length > 0) slab.bufferOf(ref).set(data, slab.offsetOf(ref));
    kept.push({ ref, data });
  }
  kept.forEach(stays);
});

test("memory goes back once what filled it is freed", () => {
  const slab = new DataSlab();
  const fill = () => Array.from({ length: 50_000 }, () => slab.take(100));
  const refs = fill();
  const full = slab.bytesReserved;
  for (const ref of refs) slab.free(ref);
  assert(slab.bytesReserved < full / 10, `${slab.bytesReserved} of ${full} bytes are still held`);
  fill();
  assert.equal(slab.bytesReserved, full);
});
