import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import type { SegmentChange } from "../../src/shard/sealed.ts";
import { closeAfter, temp } from "../log/temp.ts";
import { openRig } from "./rig.ts";

const dayMs = 24 * 60 * 60 * 1000;

test("who follows segments is told of seals and drops, and finds what lies in them", async (t) => {
  let now = Date.now();
  const clock = { now: () => now, monotonicMs: () => performance.now() };
  const retention = { defaultMs: 7 * dayMs, bytesMax: 1 << 30 };
  const rig = await openRig(temp(t), { clock, retention });
  closeAfter(t, () => rig.close());
  const changes: SegmentChange[] = [];
  const stop = rig.store.onSegments((change) => changes.push(change));
  assert.deepEqual(rig.store.sealed(0)?.segments, []);

  const { position } = (await rig.append(["a", "b"])) as { position: number };
  assert.equal(changes.length, 0);
  await rig.store.seal();
  assert.deepEqual(changes.splice(0), [{ kind: "sealed", shard: 0 }]);
  const sealed = rig.store.sealed(0);
  assert.equal(sealed?.through, position);
  assert.deepEqual(
    sealed.segments.map(({ rows, positionThrough }) => [rows, positionThrough]),
    [[2, position]],
  );

  const uuid = sealed.segments[0]?.uuid ?? "";
  const pinned = rig.store.pinSegment(0, uuid);
  now += 30 * dayMs;
  await rig.store.retain();
  assert.deepEqual(
    changes.map((change) => change.kind === "dropped" && change.segments.map((s) => s.uuid)),
    [[uuid]],
  );
  assert.equal(rig.store.pinSegment(0, uuid), undefined);
  assert.equal(existsSync(pinned?.path ?? ""), true, "a pinned file stays");
  pinned?.release();
  pinned?.release();
  assert.equal(existsSync(pinned?.path ?? ""), false);

  stop();
  await rig.append(["c"]);
  await rig.store.seal();
  assert.equal(changes.length, 1);
});
