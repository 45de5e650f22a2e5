// Goal: a rule counts each stored record once, however often and whenever the service is killed.
// Method: shippers ship until SIGKILL, round by round, seals and merges in between; SEED=<n> replays the moments. In the end the count of
// each alert is what a query counts, and each was told once.
import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Prng } from "../../kit/src/prng.ts";
import { Service, temporaryFolder } from "../service.ts";
import { Receiver, until } from "./receiver.ts";
import { alertsOf, apply, ruleOf } from "./rules.ts";

const rounds = Number(process.env["LOGKEEP_SOAK_ROUNDS"] ?? 6);
const shippers = 4;
// Seals so often that kills and reading again meet them, too.
const env = { LOGKEEP_STORAGE_SEAL_AGE_MS: "1000" };

async function shipUntilDead(
  service: Service,
  number: number,
  isOver: () => boolean,
): Promise<void> {
  for (let n = 0; !isOver(); n++) {
    const records = Array.from({ length: 1 + (n % 50) }, (_, i) => ({
      service: `s${(n + i) % 3}`,
      level: i % 2 === 0 ? "error" : "info",
      _msg: `record ${n}.${i} of ${number}`,
    }));
    // Killed while it was under way: what is stored of it is what the query finds.
    await service.ship(records).catch(() => undefined);
  }
}

test(`match rules count each record once through ${rounds} SIGKILLs`, async (context) => {
  const seed = Number(process.env["SEED"] ?? 20261121);
  context.diagnostic(`SEED=${seed}`);
  const prng = new Prng(seed);
  const dataDir = temporaryFolder();
  const receiver = await Receiver.open();
  context.after(() => receiver.close());
  const rules = ["s0", "s1", "s2"].map((service) =>
    ruleOf(
      { name: service, query: `{service="${service}"} level:error`, keepFor: "1h" },
      receiver.url,
    ),
  );
  let service = await Service.start({ dataDir, env });
  context.after(() => service.kill());
  await apply(service, ...rules);
  for (let round = 0; round < rounds; round++) {
    let over = false;
    const running = Array.from({ length: shippers }, (_, i) =>
      shipUntilDead(service, i, () => over),
    );
    await sleep(200 + prng.below(1500));
    over = true;
    await service.kill();
    await Promise.all(running);
    service = await Service.start({ dataDir, env });
  }
  const stored = await service.search("level:error | stats by (service) count() n");
  const wanted = Object.fromEntries(stored.map((row) => [row["service"], Number(row["n"])]));
  const counted = async (): Promise<Record<string, number>> =>
    Object.fromEntries((await alertsOf(service)).map(({ rule, count }) => [rule, count]));
  const isCaughtUp = async (): Promise<boolean> => {
    const counts = await counted();
    return Object.entries<number>(wanted).every(([rule, n]) => (counts[rule] ?? 0) >= n);
  };
  await until(isCaughtUp, "all are counted");
  assert.deepEqual(await counted(), wanted);
  context.diagnostic(`counted ${JSON.stringify(wanted)}`);
  assert.ok(stored.length > 0);
  await until(() => receiver.keys.size === stored.length, "each was told");
  assert.ok(receiver.taken.every(({ status }) => status === "firing"));
  assert.equal(await service.stop(), 0);
});
