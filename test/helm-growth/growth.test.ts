// Goal: the steps by which docs/kubernetes.md goes from one pod to three with a vote, and on to five, keep every record.
// Method: as in test/helm-cluster; between the steps all pods are stopped as a kubelet stops them, each keeps its claim.
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { missingNetwork } from "../ensemble/network.ts";
import { missingHelm, type Rendered, render, type Values } from "../helm/chart.ts";
import { missingNamespaces } from "../helm/pod.ts";
import { Pods } from "../helm-cluster/pods.ts";

const skip = missingHelm() || missingNamespaces() || missingNetwork();

let pods: Pods;
let shipped = 0;
/** The admin key and the secret are what the first rendering and the first pod made. */
const kept: { key?: string; secret?: string } = {};

before(async () => {
  if (skip === false) pods = await Pods.make(5);
});

after(() => pods?.end());

/** As kubectl scale does with none left. */
async function stopAll(): Promise<void> {
  await Promise.all(pods.all.map((pod) => pod.stop()));
}

/** As helm upgrade does with pods that it starts. */
async function become(values: Values): Promise<void> {
  await pods.use(await renderKept(values));
  for (const pod of pods.all) if (!pod.isRunning) pod.start();
  await pods.ready();
}

async function renderKept(values: Values): Promise<Rendered> {
  const rendered = await render({ drain: { endpointsSeconds: 0, copiesSeconds: 5 }, ...values });
  const find = (kind: string, end = ""): ReturnType<Rendered["find"]> => {
    if (kind !== "Secret") return rendered.find(kind, end);
    const metadata = { name: end };
    const data = { "admin-key": kept.key, secret: kept.secret };
    return { apiVersion: "v1", kind, metadata, data };
  };
  const made = rendered.find("Secret", "-admin-key") as unknown as { data: Record<string, string> };
  kept.key ??= made.data["admin-key"] as string;
  return { ...rendered, find };
}

async function shipMore(): Promise<void> {
  for (const pod of pods.all) {
    await pods.ship(pod, shipped, 50);
    shipped += 50;
  }
  await allFound();
}

async function allFound(): Promise<void> {
  for (const pod of pods.all)
    await pods.until("each record", async () => {
      await pods.finds(pod, shipped);
      return true;
    });
}

async function modes(): Promise<string> {
  const all = await Promise.all(pods.all.map(async (pod) => pods.status(pod)));
  return all.map(({ coordinator }) => coordinator.state).join();
}

const cluster = { existingSecret: "logs-secret" };

test("one pod becomes one voter and two that follow it", { skip }, async () => {
  await become({});
  await shipMore();
  const secret = readFileSync(path.join(pods.claimOf(0), "cluster-secret"));
  kept.secret = secret.toString("base64");
  await stopAll();
  await become({ replicas: 3, voters: 1, cluster });
  await pods.until("two observers", async () => (await modes()) === "leader,observer,observer");
  await allFound();
  await shipMore();
});

test("two of three votes lead, the first pod among them, and the third comes to them", {
  skip,
}, async () => {
  await stopAll();
  await become({ replicas: 2, voters: 3, cluster });
  await allFound();
  await become({ replicas: 3, voters: 3, cluster });
  await allFound();
  await pods.until("three votes", async () => !/observer|looking/.test(await modes()));
  await shipMore();
});

test("three votes become five", { skip }, async () => {
  await stopAll();
  await become({ replicas: 5, voters: 5, cluster });
  await pods.until("five votes", async () => !/observer|looking/.test(await modes()));
  await allFound();
  await shipMore();
});
