// Appends, seals and merges until it is killed; tells on stdout what was acknowledged, a line a record.
import { writeSync } from "node:fs";
import { Prng } from "../../../kit/src/prng.ts";
import { routerKey } from "../../src/shard/dedupe-key.ts";
import { openRig } from "./rig.ts";

const [directory, seed, resendFrom, sendFrom] = process.argv.slice(2);
const random = new Prng(Number(seed));
const rig = await openRig(String(directory), {
  ...{ arenaSlabs: 4, logFileBytes: 64 * 1024, logBytesMax: 1024 * 1024 },
  segments: { mergeWidth: 3, replacedKeepMs: 0 },
});
writeSync(1, "ready\n");

/** The same sequence is the same records in the same shard, so that it can be sent again. */
async function send(sequence: number): Promise<void> {
  const draw = new Prng(sequence);
  const shard = draw.below(3);
  const records = Array.from({ length: 1 + draw.below(3) }, (_, i) => {
    return `${sequence}.${i}`.padEnd(10 + draw.below(2_000), "~");
  });
  await rig.append(records, { shard, dedupeKey: routerKey(new Uint8Array(8), sequence) });
  // Straight to the pipe: what is told is told, whatever becomes of this process.
  writeSync(1, records.map((record) => `${record.split("~", 1)[0]}\n`).join(""));
}

for (let sequence = Number(resendFrom); sequence < Number(sendFrom); sequence++)
  await send(sequence);
let next = Number(sendFrom);
const lane = async (): Promise<void> => {
  for (;;) await send(next++);
};
const upkeep = async (): Promise<void> => {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, random.below(20)));
    await (random.chance(0.7) ? rig.store.seal() : rig.store.merge());
  }
};
await Promise.all([lane(), lane(), lane(), lane(), upkeep()]);
