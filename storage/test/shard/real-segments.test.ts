import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { Prng } from "../../../kit/src/prng.ts";
import { openBatch } from "../../src/format/batch.ts";
import { mergeSegments } from "../../src/segment/merge.ts";
import { openSegment, verifySegment } from "../../src/segment/reader.ts";
import { rewriteSegment } from "../../src/segment/rewrite.ts";
import { scrubSegment } from "../../src/segment/scrub.ts";
import { sealSegment } from "../../src/segment/writer.ts";
import { type ArenaOwner, ArenaWriter } from "../../src/shard/arena.ts";
import type { CutPart } from "../../src/shard/cut.ts";
import type { SegmentWork } from "../../src/shard/segment-work.ts";
import { batchOf, recordsOf, type TestRecord } from "../format/records.ts";
import { temp } from "../log/temp.ts";
import { always, openRig, type Rig } from "./rig.ts";

/** The work as a worker does it, here in this thread. */
function workOn(arena: () => ArenaOwner): SegmentWork {
  return {
    async seal(job) {
      const batches = job.batches.map(({ offset, length, position }) => {
        return { bytes: arena().view(offset, length), position };
      });
      const { bytes, rows } = sealSegment({ ...job, batches });
      verifySegment(job.path);
      return { bytes, rows };
    },
    async merge(job) {
      const { bytes, rows } = mergeSegments(job);
      verifySegment(job.path);
      return { bytes, rows };
    },
    async verify({ path }) {
      verifySegment(path);
    },
    async scrub(job) {
      return scrubSegment(job);
    },
    /** Here a filter is a part of a record's JSON. */
    async rewrite(job) {
      const rowsRemoved = job.tombstones.map(() => 0);
      const result = rewriteSegment({
        ...job,
        keep(partition, block) {
          const positions = block.positions();
          const stay = recordsOf(block).flatMap((record, row) => {
            const by = job.tombstones.findIndex(
              ({ filter, position, tenant }) =>
                tenant === partition.tenant &&
                positions[row]! < position &&
                JSON.stringify(record).includes(filter),
            );
            if (by >= 0) rowsRemoved[by]!++;
            return by < 0 ? [row] : [];
          });
          return Uint32Array.from(stay);
        },
      });
      const file = result.kind === "written" ? result.file : undefined;
      if (file !== undefined) verifySegment(job.path);
      return { rowsRemoved, file };
    },
  };
}

/** Without what the part's deletions hide. */
function recordsOfPart(part: CutPart, arena: ArenaOwner): TestRecord[] {
  return storedOfPart(part, arena).filter((record) => {
    return !part.deletions.some(
      ({ filter, position }) =>
        record.position < position && JSON.stringify(record).includes(filter),
    );
  });
}

function storedOfPart({ ref }: CutPart, arena: ArenaOwner): TestRecord[] {
  if (ref.kind === "memory") {
    return ref.batches.flatMap(({ offset, length, position }) =>
      recordsOf(openBatch(arena.view(offset, length), 0, length, position)),
    );
  }
  const segment = openSegment(ref.path);
  try {
    const found: TestRecord[] = [];
    for (const block of segment.blocks({ tenant: ref.tenant })) {
      const { class: its, internal } = segment.partitionOf(block);
      if (its === ref.class && internal === ref.internal) found.push(...recordsOf(block));
    }
    return found;
  } finally {
    segment.close();
  }
}

function readAll(rig: Rig, tenant: string): string[] {
  const cut = rig.store.openCut(tenant, always);
  const records = cut.parts.flatMap((part) =>
    recordsOfPart(part, rig.arena).map((record) => JSON.stringify([part.shard, record])),
  );
  cut.release();
  return records.sort();
}

test("records come back equal from batches, sealed, merged and rewritten segments, over restarts", async (t) => {
  const directory = temp(t);
  const random = new Prng(7);
  let arena: ArenaOwner | undefined;
  const options = { work: workOn(() => arena!), segments: { mergeWidth: 2, replacedKeepMs: 0 } };
  const expected = new Map<string, string[]>([
    ["red", []],
    ["blue", []],
  ]);
  let merges = 0;
  let rewrites = 0;
  for (let restart = 0; restart < 3; restart++) {
    const rig = await openRig(directory, options);
    arena = rig.arena;
    const writer = new ArenaWriter(arena.buffers, 1);
    for (let step = 0; step < 12; step++) {
      const shard = random.below(3);
      const tenant = random.pick(["red", "blue"]);
      const retentionClass = random.pick(["default", "short"]);
      const records = Array.from({ length: 1 + random.below(50) }, (_, i) => ({
        // In the order in which they are read back, since they are compared as text.
        ...{ ms: 1_700_000_000_000 + random.below(1_000), ns: random.below(2) * 500 },
        ...{ stream: `{service="${random.pick(["api", "web"])}"}`, position: 0 },
        fields: { _msg: `request ${restart}/${step}/${i}`, status: String(200 + random.below(4)) },
      }));
      const bytes = batchOf(records, { tenant, retentionClass, receiptMs: 1_700_000_000_500 });
      const room = writer.reserve(bytes.length)!;
      room.view.set(bytes);
      writer.commit(bytes.length);
      const times = records.map(({ ms }) => ms);
      const part = {
        ...{ shard, tenant, class: retentionClass, internal: false, rows: records.length },
        ...{ offset: room.offset, length: bytes.length, bodyCrc: crc32(bytes) },
        timeMin: { ms: Math.min(...times), ns: 0 },
        timeMax: { ms: Math.max(...times), ns: 999_999 },
      };
      const [stored] = await rig.store.append([part]);
      assert.ok(stored?.kind === "committed");
      const { position } = stored;
      const placed = records.map((record) => JSON.stringify([shard, { ...record, position }]));
      expected.get(tenant)!.push(...placed);
      if (random.chance(0.15)) {
        const filter = `"status":"${200 + random.below(4)}"`;
        const range = { from: { ms: 0, ns: 0 }, to: { ms: 1_700_000_001_000, ns: 0 } };
        const facts = { createdMs: 0, author: "", rowsHidden: 0 };
        const id = `${restart}/${step}`;
        await rig.store.addTombstone({ id, tenant, filter, ...range, ...facts });
        const left = expected.get(tenant)!.filter((text) => !text.includes(filter));
        expected.set(tenant, left);
      }
      if (random.chance(0.3)) await rig.store.seal();
      if (random.chance(0.2)) await rig.store.merge();
      for (const [name, all] of expected) assert.deepEqual(readAll(rig, name), all.sort());
    }
    assert.equal(rig.store.status().counts.maintenanceFailures, 0);
    const { counts } = rig.store.status();
    merges += counts.merges;
    rewrites += counts.rewrites;
    await rig.close();
  }
  assert.ok(merges > 0 && rewrites > 0);
});
