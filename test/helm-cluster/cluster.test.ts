// Goal: what the chart renders for three pods is one cluster: they find each other, each takes and finds records, helm test passes,
// and a pod that is stopped as a kubelet stops it comes back with nothing lost.
// Method: the three containers are carried out as processes, with the rendered commands, arguments, variables, volumes, user and rights,
// each in a network and a root of its own; names lead to addresses as DNS has them. Nothing rendered is changed. What runs is this
// checkout: that the image's package does is shown with one pod.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { missingNetwork } from "../ensemble/network.ts";
import { missingHelm, type Rendered, render } from "../helm/chart.ts";
import { missingNamespaces } from "../helm/pod.ts";
import { Pods } from "./pods.ts";
import type { RunningPod } from "./running-pod.ts";

const skip = missingHelm() || missingNamespaces() || missingNetwork();

const replicas = 3;
let rendered: Rendered;
let pods: Pods;

before(async () => {
  if (skip !== false) return;
  rendered = await render({ replicas, drain: { endpointsSeconds: 1 } });
  pods = await Pods.make(replicas);
  await pods.use(rendered);
});

after(() => pods?.end());

const three = (): [RunningPod, RunningPod, RunningPod] =>
  pods.all as unknown as [RunningPod, RunningPod, RunningPod];

test("three pods that start at once become ready as one cluster, each with a vote", {
  skip,
}, async () => {
  for (const pod of pods.all) pod.start();
  await pods.ready();
  for (const pod of pods.all) {
    assert.ok(await pod.answers("startupProbe"));
    assert.ok(await pod.answers("livenessProbe"));
    await pods.until("live nodes with a vote", async () => {
      const { nodes, coordinator } = await pods.status(pod);
      const live = nodes.filter(({ state }) => state === "live").map(({ id }) => id);
      return live.join() === "1,2,3" && /^(leader|follower)$/.test(coordinator.state);
    });
  }
});

test("what one takes the others find, and helm test passes", { skip }, async () => {
  const [first] = three();
  await pods.ship(first, 0, 120);
  for (const pod of pods.all) await pods.finds(pod, 120);
  const { code, said } = await pods.run(rendered.find("Pod"));
  assert.equal(code, 0, said);
  assert.equal(said.match(/"_msg":"helm-test-/g)?.length, replicas, said);
});

test("a pod that is stopped as a kubelet stops it loses nothing, and the others are alive and ready meanwhile", {
  skip,
}, async () => {
  const [first, second, last] = three();
  await last.stop();
  await pods.ship(first, 120, 60);
  await pods.finds(second, 180);
  for (const pod of [first, second]) assert.ok(await pod.answers("livenessProbe"), pod.log);
  await pods.ready();
  last.start();
  await pods.ready();
  await pods.finds(last, 180);
});

test("a pod without a quorum stays alive, for it waits for the others", { skip }, async () => {
  const [first, second, last] = three();
  await Promise.all([second.kill(), last.kill()]);
  await pods.until("the loss of the quorum", async () => {
    const { coordinator } = await pods.status(first);
    return coordinator.availability?.state !== "led";
  });
  assert.ok(await first.answers("livenessProbe"), first.log);
  assert.ok(first.isRunning);
  for (const pod of [second, last]) pod.start();
  await pods.ready();
  for (const pod of [first, second])
    await pods.until("each record", async () => {
      await pods.finds(pod, 180);
      return true;
    });
});
