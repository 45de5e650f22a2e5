// Goal: a delete that was answered holds whenever the process is killed, while its files are rewritten or not, and no other
// record goes.
// Method: records of several users come and are sealed often; deletes hide one user at a time, noted once they are answered;
// SIGKILL at a random moment; after each restart every user is counted. The seed is printed; SEED=<n> draws the same moments.
import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { DeletesAnswer } from "../../api/src/deletes.ts";
import { Prng } from "../../kit/src/prng.ts";
import { Service, temporaryFolder } from "../service.ts";

const rounds = Number(process.env["LOGKEEP_ROUNDS"] ?? 4);
const users = ["ann", "ben", "cem", "dia"];

/** What of a user must be there; undefined while a delete or records of theirs were under way at a kill. */
type Expected = Map<string, number | undefined>;

/** Deletes that were answered. */
interface Answered {
  deletes: number;
}

async function shipUntilDead(
  service: Service,
  expected: Expected,
  answered: Answered,
  round: number,
): Promise<void> {
  for (let n = 0; ; n++) {
    const user = users[n % users.length] as string;
    const records = Array.from({ length: 40 }, (_, i) => {
      return { service: `s${i % 5}`, host: "h", user, _msg: `record ${round} ${n} ${i} of a test` };
    });
    const before = expected.get(user);
    try {
      expected.set(user, undefined);
      await service.ship(records);
      expected.set(user, before === undefined ? undefined : before + records.length);
    } catch {
      return;
    }
    // A delete counts what is there, so nothing comes for its user meanwhile.
    if (n % 25 !== 24) continue;
    const whose = users[((n / 25) % 4) | 0] as string;
    if (!(await deleted(service, expected, answered, whose))) return;
  }
}

async function deleted(
  service: Service,
  expected: Expected,
  answered: Answered,
  user: string,
): Promise<boolean> {
  expected.set(user, undefined);
  try {
    const response = await fetch(`${service.http}/api/v1/deletes`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ query: `user:=${user}` }),
    });
    await response.text();
    // It reached the deadline of a query: whether it holds is unknown.
    if (response.status === 504) return true;
    assert.equal(response.status, 202);
  } catch (thrown) {
    if (thrown instanceof assert.AssertionError) throw thrown;
    return false;
  }
  answered.deletes++;
  expected.set(user, 0);
  assert.equal(await service.count(`user:=${user}`).catch(() => 0), 0);
  return true;
}

test(`SIGKILL at ${rounds} random moments brings nothing back that was deleted, and takes nothing else`, async (t) => {
  const seed = Number(process.env["SEED"] ?? 20261121);
  t.diagnostic(`SEED=${seed}`);
  const prng = new Prng(seed);
  const dataDir = temporaryFolder();
  const expected: Expected = new Map(users.map((user) => [user, 0]));
  const env = { LOGKEEP_STORAGE_SEAL_AGE_MS: "1000", LOGKEEP_QUERY_TIMEOUT_MS: "1000" };
  const answered: Answered = { deletes: 0 };
  let checked = 0;
  for (let round = 0; round <= rounds; round++) {
    const service = await Service.start({ dataDir, env });
    t.after(() => service.kill());
    for (const user of users) {
      const count = await service.count(`user:=${user}`);
      const wanted = expected.get(user);
      if (wanted !== undefined) {
        assert.equal(count, wanted, `round ${round}, ${user}`);
        checked++;
      }
      expected.set(user, count);
    }
    if (round === rounds) {
      const answer = await (await fetch(`${service.http}/api/v1/deletes`)).json();
      assert.ok((answer as DeletesAnswer).deletes.length >= answered.deletes);
      await service.stop();
      break;
    }
    const before = answered.deletes;
    const shipping = shipUntilDead(service, expected, answered, round);
    await sleep(800 + prng.below(2500));
    // On a busy machine there is none yet.
    for (let tries = 0; answered.deletes === before && tries < 1000; tries++) await sleep(50);
    await service.kill();
    await shipping;
  }
  assert.ok(answered.deletes > 0);
  assert.ok(checked > rounds, `${checked} counts were sure`);
});
