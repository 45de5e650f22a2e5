// Goal: what was acknowledged is there, exactly once, whenever the process is killed.
// Method: senders with keys ship numbered records and note each acknowledgement; SIGKILL at a random moment; after
// the restart every noted record is counted. The seed is printed; SEED=<n> draws the same moments.
import assert from "node:assert/strict";
import test from "node:test";
import { Prng } from "../../kit/src/prng.ts";
import { Service, temporaryFolder } from "../service.ts";

const rounds = Number(process.env["LOGKEEP_ROUNDS"] ?? 15);
const senders = 4;
const batchRecords = 50;

interface Noted {
  /** Acknowledged record numbers. */
  readonly acked: Set<number>;
  next: number;
}

async function sendUntilDead(service: Service, noted: Noted, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const first = noted.next;
    noted.next += batchRecords;
    const records = Array.from({ length: batchRecords }, (_, i) => ({
      service: `s${(first + i) % 7}`,
      host: `h${(first + i) % 5}`,
      n: String(first + i),
      _msg: `record ${first + i} of a test`,
    }));
    try {
      await service.ship(records, { headers: { "Idempotency-Key": `batch-${first}` } });
      for (let i = 0; i < batchRecords; i++) noted.acked.add(first + i);
    } catch {
      // Killed while it was under way: the outcome is unknown, and so it is not noted.
      return;
    }
  }
}

/** How often each number is found. */
async function found(service: Service): Promise<Map<number, number>> {
  const counts = new Map<number, number>();
  for (const row of await service.search("n:* | fields n")) {
    const n = Number(row["n"]);
    counts.set(n, (counts.get(n) ?? 0) + 1);
  }
  return counts;
}

test(`SIGKILL at ${rounds} random moments loses nothing acknowledged and doubles nothing`, async (t) => {
  const seed = Number(process.env["SEED"] ?? 20261121);
  t.diagnostic(`SEED=${seed}`);
  const prng = new Prng(seed);
  const dataDir = temporaryFolder();
  const noted: Noted = { acked: new Set(), next: 0 };
  // Seals so often that kills meet them, too.
  const env = { LOGKEEP_STORAGE_SEAL_AGE_MS: "1000" };
  for (let round = 0; round < rounds; round++) {
    const service = await Service.start({ dataDir, env });
    let over = false;
    const running = Array.from({ length: senders }, () =>
      sendUntilDead(service, noted, () => over),
    );
    await new Promise((resolve) => setTimeout(resolve, 100 + prng.below(1500)));
    await service.kill();
    over = true;
    await Promise.all(running);
  }
  const service = await Service.start({ dataDir, env });
  const counts = await found(service);
  const lost = [...noted.acked].filter((n) => !counts.has(n));
  const doubled = [...counts].filter(([, times]) => times > 1).map(([n]) => n);
  t.diagnostic(`${noted.acked.size} acknowledged, ${counts.size} found`);
  assert.ok(noted.acked.size > 0);
  assert.deepEqual({ lost, doubled }, { lost: [], doubled: [] });
  assert.equal(await service.stop(), 0);
});
