import assert from "node:assert/strict";
import test from "node:test";
import { QueryGate } from "../src/http/query-gate.ts";

const forever = new AbortController().signal;

/** Takes the gate's one place, and gives what lets it go. */
function held(gate: QueryGate, tenant = "holder"): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  void gate.run(forever, () => promise, tenant);
  return resolve;
}

test("places go round the tenants that wait", async () => {
  const gate = new QueryGate(1);
  const release = held(gate);
  const order: string[] = [];
  const ask = (name: string, tenant: string) =>
    gate.run(forever, async () => void order.push(name), tenant);
  const asked = [ask("a1", "a"), ask("a2", "a"), ask("a3", "a"), ask("b1", "b"), ask("c1", "c")];
  assert.equal(gate.waiting, 5);
  release();
  await Promise.all(asked);
  assert.deepEqual(order, ["a1", "b1", "c1", "a2", "a3"]);
  assert.equal(gate.running, 0);
  assert.equal(gate.waiting, 0);
});

test("a full line turns the next away, and a tenant with many questions leaves others room", async () => {
  const gate = new QueryGate(1, 8);
  const release = held(gate);
  const wait = (tenant: string) => gate.run(forever, async () => tenant, tenant);
  const waiting = ["a", "a", "a", "a"].map(wait);
  const share = { waitingMax: 4, tenant: "a" };
  await assert.rejects(wait("a"), { code: "query.busy", fields: share });
  waiting.push(...["b", "b", "c", "c"].map(wait));
  await assert.rejects(wait("d"), { code: "query.busy", fields: { waitingMax: 8 } });
  release();
  assert.deepEqual((await Promise.all(waiting)).sort().join(""), "aaaabbcc");
});

test("who leaves the line keeps nobody's place", async () => {
  const gate = new QueryGate(1);
  const release = held(gate);
  const gone = new AbortController();
  const left = gate.run(gone.signal, async () => "left", "a");
  const stays = gate.run(forever, async () => "stays", "b");
  gone.abort();
  await assert.rejects(left, { code: "query.cancelled" });
  assert.equal(gate.waiting, 1);
  release();
  assert.equal(await stays, "stays");
  assert.equal(gate.running, 0);
});
