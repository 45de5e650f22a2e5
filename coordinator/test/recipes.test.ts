import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { ZooKeeperClient } from "../src/client/client.ts";
import { steps } from "../src/client/multi.ts";
import { ensurePath } from "../src/recipes/ensure-path.ts";
import { PersistentEphemeral } from "../src/recipes/persistent-ephemeral.ts";
import { RoleElection, type RoleTerm } from "../src/recipes/role-election.ts";
import { CuttableProxy, openServer, type TestServer } from "./client-server.ts";

let server: TestServer;
let client: ZooKeeperClient;

before(async () => {
  server = await openServer();
  const connect = server.address + server.chroot;
  client = new ZooKeeperClient({ connect, sessionTimeoutMs: 20_000 });
});

after(async () => {
  await client.close();
  await server.close();
});

async function until(claim: () => boolean | Promise<boolean>): Promise<void> {
  for (let waited = 0; !(await claim()); waited += 5) {
    assert.ok(waited < 30_000, "it did not come to be");
    await sleep(5);
  }
}

test("ensurePath makes what is missing and leaves what is there", async () => {
  assert.equal(await ensurePath(client, "/p/q/r", { data: Buffer.from("x") }), true);
  assert.deepEqual((await client.getData("/p/q/r")).data, Buffer.from("x"));
  assert.equal((await client.getData("/p/q")).data, null);
  assert.equal(await ensurePath(client, "/p/q/r", { data: Buffer.from("y") }), false);
  assert.deepEqual((await client.getData("/p/q/r")).data, Buffer.from("x"));
  assert.equal(await ensurePath(client, "/"), false);
});

test("a persistent ephemeral comes back after deletion and after its session expired", async () => {
  const proxy = await CuttableProxy.open(server.address);
  const other = new ZooKeeperClient({
    connect: proxy.address + server.chroot,
    sessionTimeoutMs: 1_000,
  });
  const ephemeral = new PersistentEphemeral({ client: other, path: "/pe", data: Buffer.from("x") });
  await ephemeral.made;
  const first = await client.exists("/pe");
  await client.delete("/pe");
  await until(async () => (await client.exists("/pe")) !== null);
  proxy.cut("down");
  await until(async () => (await client.exists("/pe")) === null);
  proxy.up();
  await until(async () => (await client.exists("/pe")) !== null);
  const last = await client.exists("/pe");
  assert.notEqual(last?.ephemeralOwner, first?.ephemeralOwner);
  await ephemeral.close();
  assert.equal(await client.exists("/pe"), null);
  await other.close();
  await proxy.close();
});

interface Candidate {
  readonly election: RoleElection;
  readonly terms: RoleTerm[];
}

function candidate(from: ZooKeeperClient, path: string, holder: string): Candidate {
  const terms: RoleTerm[] = [];
  const election = new RoleElection({
    client: from,
    path,
    holder,
    replaces: (other) => other.split("/")[0] === holder.split("/")[0],
    run: async (term) => {
      terms.push(term);
      await new Promise((resolve) => term.signal.addEventListener("abort", resolve));
    },
  });
  return { election, terms };
}

test("one candidate holds a role, the next follows with a higher epoch, and the first is fenced", async () => {
  const path = "/roles/folder";
  const a = candidate(client, path, "a/1");
  await until(() => a.terms.length === 1);
  const b = candidate(client, path, "b/1");
  await sleep(50);
  assert.equal(b.terms.length, 0);
  const [first] = a.terms as [RoleTerm];
  await client.multi(first.guard([steps.create("/work-1")]));
  await a.election.close();
  assert.ok(first.signal.aborted);
  await until(() => b.terms.length === 1);
  assert.equal(b.terms[0]?.epoch, first.epoch + 1);
  await assert.rejects(client.multi(first.guard([steps.create("/work-2")])), {
    code: "BADVERSION",
    index: 0,
  });
  await b.election.close();
});

test("a holder whose session expired loses its term and may be elected again", async () => {
  const path = "/roles/evaluator";
  const proxy = await CuttableProxy.open(server.address);
  const other = new ZooKeeperClient({
    connect: proxy.address + server.chroot,
    sessionTimeoutMs: 1_000,
  });
  const a = candidate(other, path, "a/1");
  await until(() => a.terms.length === 1);
  const b = candidate(client, path, "b/1");
  proxy.cut("down");
  await until(() => b.terms.length === 1);
  assert.equal(a.terms[0]?.signal.aborted, false, "the holder cannot know yet");
  proxy.up();
  await until(() => a.terms[0]?.signal.aborted === true);
  await b.election.close();
  await until(() => a.terms.length === 2);
  assert.deepEqual([...a.terms, ...b.terms].map(({ epoch }) => epoch).toSorted(), [1, 2, 3]);
  await a.election.close();
  await other.close();
  await proxy.close();
});

test("a later incarnation does not wait for the session of the one that died", async () => {
  const path = "/roles/source";
  const other = new ZooKeeperClient({ connect: server.address + server.chroot });
  const dead = candidate(other, path, "a/1");
  await until(() => dead.terms.length === 1);
  const heir = candidate(client, path, "a/2");
  await until(() => heir.terms.length === 1);
  await until(() => dead.terms[0]?.signal.aborted === true);
  await Promise.all([dead.election.close(), other.close()]);
  await heir.election.close();
});

test("a candidate that is closed while it is elected does no work and leaves the role to others", async () => {
  const path = "/roles/closed-early";
  let closing: Promise<void> | undefined;
  let works = 0;
  class Closing extends ZooKeeperClient {
    override multi(
      ...given: Parameters<ZooKeeperClient["multi"]>
    ): ReturnType<ZooKeeperClient["multi"]> {
      closing ??= election.close();
      return super.multi(...given);
    }
  }
  const other = new Closing({ connect: server.address + server.chroot });
  const election = new RoleElection({
    client: other,
    path,
    holder: "a/1",
    run: async ({ signal }) => {
      works++;
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
  });
  await until(() => closing !== undefined);
  await closing;
  assert.equal(works, 0);
  assert.equal(await client.exists(`${path}/holder`), null);
  const next = candidate(client, path, "b/1");
  await until(() => next.terms.length === 1);
  assert.equal(next.terms[0]?.epoch, 2);
  await next.election.close();
  await other.close();
});
