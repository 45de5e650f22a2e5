// Goal: the role of the evaluator may be lost at any time; whoever has it next goes on where the last one stood.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import test, { after, before } from "node:test";
import { ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import { steps } from "../../coordinator/src/client/multi.ts";
import { Service } from "../service.ts";
import { Receiver, until } from "./receiver.ts";
import { alertsOf, apply, ask, base, ruleOf } from "./rules.ts";

let service: Service;
let receiver: Receiver;
let client: ZooKeeperClient;
const role = "/logkeep/roles/evaluator";

before(async () => {
  service = await Service.start();
  receiver = await Receiver.open();
  client = new ZooKeeperClient({ connect: service.coordinator });
  const own = readFileSync(path.join(service.dataDir, "cluster-secret"), "utf8").trim();
  await client.addAuth("digest", `logkeep:${own}`);
});

after(async () => {
  await client.close();
  await receiver.close();
  await service.stop();
});

async function epoch(): Promise<number> {
  const { data } = await client.getData(role);
  return (JSON.parse(String(data)) as { epoch: number }).epoch;
}

const isEvaluated = async (): Promise<boolean> =>
  (await ask(service, `${base}/alerts`)).status === 200;

test("terms come and go, and each record is counted and each alert told once", async () => {
  const rule = { name: "lasting", query: "{service=s}" };
  await apply(service, ruleOf({ ...rule, keepFor: "1h" }, receiver.url));
  await service.ship([{ service: "s", _msg: "first" }]);
  await until(() => receiver.taken.length === 1, "it fires");
  for (let round = 0; round < 4; round++) {
    const before = await epoch();
    await client.delete(`${role}/holder`);
    // While nobody evaluates, or just before, or just after.
    await service.ship([{ service: "s", _msg: `round ${round}` }]);
    await until(async () => (await epoch()) > before, "there is another term");
    await until(isEvaluated, "rules are evaluated again");
    await service.ship([{ service: "s", _msg: `round ${round}` }]);
  }
  const isCounted = async (): Promise<boolean> => (await alertsOf(service))[0]?.count === 9;
  await until(isCounted, "all are counted");
  assert.equal(receiver.taken.length, 1);
  // Only now: on a busy machine the terms take longer than anybody wants to wait for its end.
  await apply(service, ruleOf({ ...rule, keepFor: "1s" }, receiver.url));
  await until(() => receiver.taken.length > 1, "it resolves");
  assert.deepEqual(
    receiver.taken.map(({ status, count }) => [status, count]),
    [
      ["firing", 1],
      ["resolved", 9],
    ],
  );
});

test("without an evaluator rules can be read and changed, and alerts say that there is none", async () => {
  // Somebody else has the role, and does not give it up.
  const { acl } = await client.getAcl(role);
  const before = await epoch();
  const taken = async (): Promise<boolean> => {
    await client.delete(`${role}/holder`).catch(() => undefined);
    const mine = Buffer.from("2/other/x");
    const state = Buffer.from(JSON.stringify({ epoch: before + 100, holder: "2/other/x" }));
    // At once, as every holder does: else the one before, which resigns now, takes this one's znode with it.
    return client
      .multi([
        steps.create(`${role}/holder`, mine, { mode: "ephemeral", acl }),
        steps.setData(role, state),
      ])
      .then(
        () => true,
        () => false,
      );
  };
  await until(taken, "the role is taken");
  await until(async () => !(await isEvaluated()), "nothing is evaluated");
  const { json } = await ask(service, `${base}/alerts`);
  assert.equal(json["code"], "alerts.unavailable");
  await apply(service, ruleOf({ name: "meanwhile", query: "{service=m}" }, receiver.url));
  const listed = await ask(service, `${base}/rules`);
  assert.equal((listed.json["rules"] as object[]).length, 2);
  await client.delete(`${role}/holder`);
  await until(isEvaluated, "rules are evaluated again");
  assert.ok((await epoch()) > before + 100);
  await service.ship([{ service: "m", _msg: "x" }]);
  await until(() => receiver.taken.some((each) => each.rule === "meanwhile"), "it fires");
});
