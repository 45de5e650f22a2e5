// Goal: a node alone becomes an ensemble of three with its records, and one of three does not go on alone by mistake.
// Method: real processes; first the new members follow without a vote, then all are restarted with one.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ClusterAnswer } from "../../api/src/answers.ts";
import { Service, type ServiceOptions, temporaryFolder } from "../service.ts";
import { run } from "./command.ts";
import { freePorts, secret } from "./nodes.ts";

const running = new Map<number, Service>();
const folders = [1, 2, 3].map(() => temporaryFolder());
const ports = await freePorts(12);

after(() => Promise.all([...running.values()].map((service) => service.kill())));

/** `--ensemble` of all three, with a vote or not. */
function members(observers: readonly number[]): string {
  const text = (id: number): string => {
    const [peer, election] = ports.slice(id * 2 - 2);
    const role = observers.includes(id) ? ":observer" : "";
    return `${id}=127.0.0.1:${peer}:${election}${role}`;
  };
  return [1, 2, 3].map(text).join(",");
}

function optionsOf(id: number, ensemble: string | undefined): ServiceOptions {
  const peer = ["--peer", `127.0.0.1:${ports[5 + id]}`, "--node-id", String(id)];
  return {
    dataDir: folders[id - 1] as string,
    args: [...peer, ...(ensemble === undefined ? [] : ["--ensemble", ensemble])],
    env: { LOGKEEP_CLUSTER_SECRET: secret },
    readyTimeoutMs: 90_000,
  };
}

async function start(id: number, ensemble?: string): Promise<Service> {
  const service = await Service.start(optionsOf(id, ensemble));
  running.set(id, service);
  return service;
}

const node = (id: number): Service => running.get(id) as Service;

async function until(what: string, claim: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 90_000;
  while (!(await claim().catch(() => false))) {
    if (performance.now() > endMs) {
      const logs = [...running].map(([id, { log }]) => `--- node ${id}\n${log.slice(-4000)}`);
      throw new Error(`${what} did not come to be\n${logs.join("\n")}`);
    }
    await sleep(100);
  }
}

async function mode(id: number): Promise<string> {
  const response = await fetch(`${node(id).http}/api/v1/cluster`);
  return ((await response.json()) as ClusterAnswer).coordinator.state;
}

async function ship(id: number, count: number): Promise<void> {
  const records = Array.from({ length: count }, (_, i) => ({
    ...{ service: `s${i % 20}`, host: "h", _msg: `grown ${i}` },
  }));
  assert.equal((await node(id).ship(records)).accepted, count);
}

const found = (id: number): Promise<number> =>
  node(id).count("grown", { partial: "deny", timeout: "60s" });

test("a node alone leads two new members without a vote, which take over what it has", async () => {
  await start(1);
  await ship(1, 100);
  assert.equal(await node(1).stop(), 0);
  await Promise.all([1, 2, 3].map((id) => start(id, members([2, 3]))));
  await until("two observers", async () => {
    const modes = await Promise.all([1, 2, 3].map(mode));
    return modes.join() === "leader,observer,observer";
  });
  await until("each record", async () => (await found(3)) === 100);
});

test("with a vote each they are an ensemble of which any member may die", async () => {
  for (const id of [1, 2, 3]) assert.equal(await node(id).stop(), 0);
  await Promise.all([1, 2, 3].map((id) => start(id, members([]))));
  await ship(2, 100);
  await until("each record", async () => (await found(1)) === 200);
  await node(1).kill();
  await until("a quorum of the others", async () => {
    const modes = await Promise.all([2, 3].map(mode));
    return modes.toSorted().join() === "follower,leader";
  });
});

test("a member of three does not start alone, and says how it may", async () => {
  const { dataDir, args = [] } = optionsOf(1, undefined);
  const free = ["--http", "127.0.0.1:0", "--coordinator", "127.0.0.1:0"];
  const { code, said } = await run(["start", "--data", dataDir as string, ...args, ...free]);
  assert.equal(code, 1, said);
  assert.match(said, /is a member of an ensemble with 2 and 3: start it with --ensemble/);
  await start(1, members([]));
  await until("each record", async () => (await found(1)) === 200);
});
