import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { silentLogger } from "../../../kit/src/logger.ts";
import { nodeDisk } from "../../src/log/disk.ts";
import { HeldSegments } from "../../src/replication/held-segments.ts";
import { ArenaOwner } from "../../src/shard/arena.ts";
import { slabBytes } from "../../src/shard/limits.ts";
import { PlainSegments } from "../shard/plain-segments.ts";

interface Rig {
  readonly directory: string;
  readonly held: HeldSegments;
  /** What was told: revisions held. */
  readonly told: number[];
}

async function withHeld(act: (rig: Rig) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "logkeep-held-segments-"));
  const told: number[] = [];
  const held = new HeldSegments({
    ...{ shard: 0, directory, disk: nodeDisk, logger: silentLogger, keepMs: 0 },
    source: { read: (_replica, _part, signal) => endOf(signal) },
    work: new PlainSegments(new ArenaOwner(slabBytes)),
    isNeeded: () => false,
    onHeld: (revision) => told.push(revision),
    onFailed: (revision) => assert.fail(`revision ${revision} failed`),
  });
  try {
    await act({ directory, held, told });
  } finally {
    await held.stop();
    rmSync(directory, { recursive: true });
  }
}

/** A peer that never answers. */
function endOf(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}

async function until(isTrue: () => boolean): Promise<void> {
  for (const end = performance.now() + 30_000; !isTrue() && performance.now() < end; )
    await sleep(5);
}

const order = { from: "1/disk", isWhole: false, add: [] };

test("an order that comes in the turn in which the one before ends is carried out", async () => {
  await withHeld(async ({ directory, held, told }) => {
    for (const file of ["1-a", "1-b"]) writeFileSync(join(directory, file), "sealed");
    held.hold({ ...order, revision: 1, remove: ["a"] });
    held.hold({ ...order, revision: 2, remove: ["b"] });
    await until(() => told.length === 2 && !existsSync(join(directory, "1-b")));
    assert.deepEqual(told, [1, 2]);
    assert.equal(existsSync(join(directory, "1-b")), false);
  });
});

test("an order that comes while those before are given up is carried out after that", async () => {
  await withHeld(async ({ held, told }) => {
    const ref = { uuid: "c", detail: { kind: "segment", file: "1-c", bytes: 4 } };
    held.hold({ ...order, revision: 1, add: [], remove: [] });
    held.hold({ ...order, revision: 2, add: [ref], remove: [] });
    const forgotten = held.forget();
    held.hold({ ...order, revision: 3, remove: [] });
    await forgotten;
    await until(() => told.length === 2);
    assert.deepEqual(told, [1, 3]);
  });
});
