import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import type { ZooKeeperClient } from "../src/client/client.ts";
import { steps } from "../src/client/multi.ts";
import { LeaderElection, type LeaderTerm } from "../src/recipes/leader-election.ts";
import { expire, sessionTimeoutMs, until, world } from "./recipes-given.ts";

const path = "/elections/one";

interface Standing {
  readonly election: LeaderElection;
  readonly terms: LeaderTerm[];
}

function stand(client: ZooKeeperClient, id: string): Standing {
  const terms: LeaderTerm[] = [];
  const election = new LeaderElection({
    client,
    path,
    id,
    lead: async (term) => {
      terms.push(term);
      await new Promise((resolve) => term.signal.addEventListener("abort", resolve));
    },
  });
  return { election, terms };
}

test("the oldest candidate leads, and its successor follows with a greater token", async (context) => {
  const { client, party } = await world(context);
  const a = stand(client, "a");
  await until(() => a.terms.length === 1);
  const b = stand((await party()).client, "b");
  await until(async () => (await a.election.candidates()).length === 2);
  const c = stand((await party()).client, "c");
  await until(async () => (await a.election.candidates()).length === 3);
  assert.deepEqual(
    (await c.election.candidates()).map(({ id }) => id),
    ["a", "b", "c"],
  );
  assert.deepEqual(await b.election.leader(), { id: "a", token: a.terms[0]?.token });
  await client.multi(a.terms[0]!.guard([steps.create("/by-a")]));
  await a.election.close();
  await until(() => b.terms.length === 1);
  assert.ok(b.terms[0]!.token > a.terms[0]!.token);
  await sleep(20);
  assert.equal(c.terms.length, 0);
  await assert.rejects(client.multi(a.terms[0]!.guard([steps.create("/late")])), {
    code: "NONODE",
  });
  await Promise.all([b.election.close(), c.election.close()]);
  assert.equal(await c.election.leader(), undefined);
});

test("a leader whose session expires has lost its term and stands again, last", async (context) => {
  const { client, party } = await world(context);
  const cut = await party(sessionTimeoutMs);
  const a = stand(cut.client, "a");
  await until(() => a.terms.length === 1);
  const b = stand(client, "b");
  await until(async () => (await b.election.candidates()).length === 2);
  await expire(cut, client);
  await until(() => b.terms.length === 1);
  assert.ok(a.terms[0]!.signal.aborted);
  cut.proxy.up();
  await until(async () => (await b.election.candidates()).length === 2);
  assert.deepEqual(
    (await b.election.candidates()).map(({ id }) => id),
    ["b", "a"],
  );
  await b.election.close();
  await until(() => a.terms.length === 2);
  assert.ok(a.terms[1]!.token > b.terms[0]!.token);
  await a.election.close();
});

test("what the work throws is told, and the candidate stands again", async (context) => {
  const { client } = await world(context);
  const failures: unknown[] = [];
  let terms = 0;
  const election = new LeaderElection({
    client,
    path,
    id: "a",
    lead: () => {
      terms++;
      return Promise.reject(new Error("no"));
    },
    onFailure: (thrown) => failures.push((thrown as Error).message),
  });
  await until(() => terms === 2);
  assert.deepEqual(failures.slice(0, 1), ["no"]);
  await election.close();
  assert.deepEqual((await client.getChildren(path)).children, []);
});
