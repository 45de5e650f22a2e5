// Goal: whatever a process had acknowledged when it was killed is found exactly once by the next, and what it had
// not may be there once; what is sent again under its key is stored once.
// Method: rounds on one directory; each kills a child at a drawn moment and opens its directory here.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Prng } from "../../../kit/src/prng.ts";
import { temp } from "../log/temp.ts";
import { openRig } from "./rig.ts";

const rounds = Number(process.env["LOGKEEP_ROUNDS"] ?? 15);
const seed = Number(process.env["SEED"] ?? 1);
/** Of what a child acknowledges before it is killed: a machine on which most get no further than their start makes more rounds. */
const acknowledgedMin = rounds * 10;
const roundsMax = rounds * 20;
const child = fileURLToPath(new URL("kill-child.ts", import.meta.url));

/** Runs the child until a moment after it is ready; what it acknowledged. */
async function runAndKill(args: readonly string[], afterMs: number): Promise<string[]> {
  const started = spawn(process.execPath, [child, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let told = "";
  let isReady = false;
  started.stdout.on("data", (chunk: Buffer) => {
    told += chunk.toString();
    if (!isReady) setTimeout(() => started.kill("SIGKILL"), afterMs);
    isReady = true;
  });
  const [code, signal] = (await once(started, "close")) as [number | null, string | null];
  assert.deepEqual([code, signal], [null, "SIGKILL"], "the child lives until it is killed");
  return told.split("\n").slice(1, -1);
}

test(`${rounds} processes killed at drawn moments lose nothing they acknowledged`, async (t) => {
  const directory = temp(t);
  const random = new Prng(seed);
  const acknowledged = new Set<string>();
  let next = 1;
  for (let round = 0; round < rounds || acknowledged.size <= acknowledgedMin; round++) {
    assert.ok(round < roundsMax, `${acknowledged.size} records were acknowledged`);
    const args = [random.u32(), Math.max(1, next - 30), next].map(String);
    const told = await runAndKill([directory, ...args], 20 + random.below(250));
    for (const record of told) acknowledged.add(record);
    const rig = await openRig(directory, { logFileBytes: 64 * 1024 });
    const cut = rig.store.openCut("default", {
      from: { ms: 0, ns: 0 },
      to: { ms: Number.MAX_SAFE_INTEGER, ns: 0 },
    });
    assert.deepEqual(cut.missing, []);
    cut.release();
    const found = rig.read().map((record) => record.split("~", 1)[0]!);
    await rig.close();
    const once = new Set(found);
    assert.equal(once.size, found.length, `SEED=${seed} round ${round}: a record is there twice`);
    const lost = [...acknowledged].filter((record) => !once.has(record));
    assert.deepEqual(lost, [], `SEED=${seed} round ${round}`);
    // Those of the last moments are sent again: some are there, some are not.
    next = Math.max(next, ...found.map((record) => Number(record.split(".")[0]) + 1));
  }
});
