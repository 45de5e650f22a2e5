// Goal: what the chart renders for three pods is one cluster: they find each other, each takes and finds records, helm test passes,
// and a pod that is stopped as a kubelet stops it comes back with nothing lost.
// Method: the three containers are carried out as processes, with the rendered commands, arguments, variables, volumes, user and rights,
// each in a network and a root of its own; names lead to addresses as DNS has them. Nothing rendered is changed. What runs is this
// checkout: that the image's package does is shown with one pod.
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, realpathSync, symlinkSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ClusterAnswer } from "../../api/src/answers.ts";
import { missingNetwork, Network } from "../ensemble/network.ts";
import { at, missingHelm, type Rendered, render } from "../helm/chart.ts";
import { readImage } from "../helm/image.ts";
import { missingNamespaces, PodContainer, type PodSpec, Sandbox } from "../helm/pod.ts";
import { temporaryFolder } from "../service.ts";
import { root } from "../suites.ts";
import { endOf, RunningPod } from "./running-pod.ts";

const skip = missingHelm() || missingNamespaces() || missingNetwork();

const replicas = 3;
const image = readImage();
const sandboxes: Sandbox[] = [];
const pods: RunningPod[] = [];
let rendered: Rendered;
let network: Network;
let options: Omit<Parameters<typeof PodContainer.make>[2], "name" | "claims">;

before(async () => {
  if (skip !== false) return;
  rendered = await render({ replicas, drain: { endpointsSeconds: 1 } });
  network = await Network.make(replicas);
  options = { image, rendered, hosts: namesOf(rendered), ...checkout() };
  for (let ordinal = 0; ordinal < replicas; ordinal++) pods.push(await podOf(ordinal));
});

/** This checkout in the place of the installed package. */
function checkout(): Pick<typeof options, "installed" | "beside"> {
  const place = "/opt/checkout";
  const modules = path.join(root, "node_modules");
  const installed = temporaryFolder();
  chmodSync(installed, 0o755);
  mkdirSync(path.join(installed, "node_modules/.bin"), { recursive: true });
  const command = path.join(installed, "node_modules/.bin/logkeep");
  symlinkSync(path.join(place, "services/bin/logkeep"), command);
  return { installed, beside: { [place]: root, [`${place}/node_modules`]: realpathSync(modules) } };
}

after(async () => {
  for (const pod of pods) await pod.kill();
  for (const sandbox of sandboxes) sandbox.end();
  await network?.end();
});

/** The names of pods, of the headless Service, which is there before they are ready; and of the other, which leads to one of them. */
function namesOf(all: Rendered): Readonly<Record<string, string>> {
  const set = all.find("StatefulSet");
  const headless = all.find("Service", "-headless");
  assert.equal(at(set, "spec.serviceName"), headless.metadata.name);
  assert.equal(at(headless, "spec.publishNotReadyAddresses"), true);
  const names = Array.from({ length: replicas }, (_, ordinal) => [
    `${set.metadata.name}-${ordinal}.${headless.metadata.name}.logs.svc`,
    network.addressOf(ordinal + 1),
  ]);
  return { ...Object.fromEntries(names), [set.metadata.name]: network.addressOf(2) };
}

async function podOf(ordinal: number): Promise<RunningPod> {
  const sandbox = await Sandbox.make(network.within(ordinal + 1));
  sandboxes.push(sandbox);
  const set = rendered.find("StatefulSet");
  const spec = at(set, "spec.template.spec") as PodSpec;
  const name = `${set.metadata.name}-${ordinal}`;
  const claims = { data: temporaryFolder() };
  const container = await PodContainer.make(sandbox, spec, { ...options, name, claims });
  return new RunningPod(container, spec, network.addressOf(ordinal + 1));
}

function secretOf(end: string, key: string): string {
  return Buffer.from(String(at(rendered.find("Secret", end), `data.${key}`)), "base64").toString();
}

async function until(what: string, claim: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 90_000;
  while (!(await claim().catch(() => false))) {
    const logs = (): string => pods.map(({ log }) => log.slice(-3000)).join("\n---\n");
    if (performance.now() > endMs) throw new Error(`${what} did not come to be\n${logs()}`);
    await sleep(100);
  }
}

const authorization = (): string => `Bearer ${secretOf("-admin-key", "admin-key")}`;

async function ask(pod: RunningPod, place: string, init: RequestInit = {}): Promise<string> {
  const headers = { authorization: authorization(), "content-type": "application/x-ndjson" };
  const response = await fetch(`${pod.url}${place}`, { ...init, headers });
  const text = await response.text();
  assert.equal(response.status, 200, `${place}: ${text}`);
  return text;
}

async function ship(pod: RunningPod, from: number, count: number): Promise<void> {
  const line = (_: unknown, i: number): string =>
    `${JSON.stringify({ service: `s${(from + i) % 12}`, _msg: `piped ${from + i}` })}\n`;
  const body = Array.from({ length: count }, line).join("");
  const said = await ask(pod, "/api/v1/logs?stream=service", { method: "POST", body });
  assert.equal((JSON.parse(said) as { accepted: number }).accepted, count);
}

/** Each record once; an answer that lacks some is none. */
async function found(pod: RunningPod): Promise<readonly string[]> {
  const params = "query=piped&start=0&limit=0&partial=deny&timeout=60s";
  const said = await ask(pod, `/api/v1/query?${params}`);
  const rows = said.split("\n").filter((line) => line !== "");
  return rows.map((row) => (JSON.parse(row) as { _msg: string })._msg).sort();
}

const messages = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, i) => `piped ${i}`).sort();

test("three pods that start at once become ready as one cluster, each with a vote", {
  skip,
}, async () => {
  for (const pod of pods) pod.start();
  await until("ready pods", async () => {
    const ready = await Promise.all(pods.map((pod) => pod.answers("readinessProbe")));
    return ready.every(Boolean);
  });
  for (const pod of pods) {
    assert.ok(await pod.answers("startupProbe"));
    assert.ok(await pod.answers("livenessProbe"));
    await until("live nodes with a vote", async () => {
      const { nodes, coordinator } = JSON.parse(await ask(pod, "/api/v1/cluster")) as ClusterAnswer;
      const live = nodes.filter(({ state }) => state === "live").map(({ id }) => id);
      return live.join() === "1,2,3" && /^(leader|follower)$/.test(coordinator.state);
    });
  }
});

test("what one takes the others find, and helm test passes", { skip }, async (context) => {
  await ship(pods[0] as RunningPod, 0, 120);
  for (const pod of pods) assert.deepEqual(await found(pod), messages(120));
  const hook = at(rendered.find("Pod"), "spec") as PodSpec;
  const sandbox = await Sandbox.make(network.within(1));
  context.after(() => sandbox.end());
  const container = await PodContainer.make(sandbox, hook, { ...options, claims: {} });
  const passed = await endOf(container.start());
  assert.equal(passed.code, 0, passed.said);
  assert.equal(passed.said.match(/"_msg":"helm-test-/g)?.length, replicas, passed.said);
});

test("a pod that is stopped as a kubelet stops it loses nothing, and the others are alive and ready meanwhile", {
  skip,
}, async () => {
  const [first, second, last] = pods as [RunningPod, RunningPod, RunningPod];
  await until("two copies", async () => {
    const { shards } = JSON.parse(await ask(first, "/api/v1/cluster")) as ClusterAnswer;
    return (shards.single ?? 0) === 0;
  });
  await last.stop();
  await ship(first, 120, 60);
  assert.deepEqual(await found(second), messages(180));
  for (const pod of [first, second]) {
    assert.ok(await pod.answers("livenessProbe"), pod.log);
    await until("a ready pod", () => pod.answers("readinessProbe"));
  }
  last.start();
  await until("the pod again", () => last.answers("readinessProbe"));
  assert.deepEqual(await found(last), messages(180));
});

test("a pod without a quorum stays alive, for it waits for the others", { skip }, async () => {
  const [first, second, last] = pods as [RunningPod, RunningPod, RunningPod];
  await Promise.all([second.kill(), last.kill()]);
  await until("the loss of the quorum", async () => {
    const { coordinator } = JSON.parse(await ask(first, "/api/v1/cluster")) as ClusterAnswer;
    return coordinator.availability?.state !== "led";
  });
  assert.ok(await first.answers("livenessProbe"), first.log);
  assert.ok(first.isRunning);
  for (const pod of [second, last]) pod.start();
  await until("all pods again", async () => {
    const ready = await Promise.all(pods.map((pod) => pod.answers("readinessProbe")));
    return ready.every(Boolean);
  });
  await until("each record", async () => (await found(second)).length === 180);
  assert.deepEqual(await found(first), messages(180));
});
