// What is rendered for several pods; test/helm-cluster runs it.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import test from "node:test";
import { parseEnsemble, votersOf } from "../../config/src/ensemble.ts";
import { type ApiServer, startApiServer } from "./api-server.ts";
import { at, type Manifest, missingHelm, type Rendered, render, type Values } from "./chart.ts";

const skip = missingHelm();

/** What the container's command becomes as the pod of an ordinal: the arguments of `logkeep`. */
function commandOf(rendered: Rendered, ordinal: number, zone = ""): readonly string[] {
  const container = at(rendered.find("StatefulSet"), "spec.template.spec.containers.0");
  const command = at(container, "command") as readonly string[];
  const args = at(container, "args") as readonly string[];
  const [program = "", ...rest] = [...command, ...args];
  // Names are not asked for, and what would be started is shown.
  const script = rest.map((text) =>
    text.replace("getent hosts", "true").replace("exec logkeep", "printf '%s\\n'"),
  );
  const env = { PATH: process.env["PATH"], POD_NAME: `logs-logkeep-${ordinal}`, POD_ZONE: zone };
  const ran = spawnSync(program, script, { env, timeout: 180_000 });
  assert.equal(ran.status, 0, String(ran.stderr));
  return String(ran.stdout).trimEnd().split("\n");
}

function after(args: readonly string[], flag: string): string | undefined {
  return args.includes(flag) ? args[args.indexOf(flag) + 1] : undefined;
}

const hostOf = (ordinal: number): string =>
  `logs-logkeep-${ordinal}.logs-logkeep-headless.logs.svc`;

test("the pods of three have the numbers of their ordinals, and one list of members", {
  skip,
}, async () => {
  const rendered = await render({ replicas: 3 });
  const all = [0, 1, 2].map((ordinal) => commandOf(rendered, ordinal, "west"));
  for (const [ordinal, args] of all.entries()) {
    assert.equal(args[0], "start");
    assert.equal(after(args, "--node-id"), String(ordinal + 1));
    assert.ok(args.includes(`node.host=${hostOf(ordinal)}`), args.join(" "));
    assert.equal(after(args, "--ensemble"), after(all[0] ?? [], "--ensemble"));
    assert.equal(after(args, "--join"), undefined);
    assert.equal(after(args, "--zone"), "west");
    assert.equal(after(args, "--secret-file"), "/etc/logkeep-cluster/secret");
  }
  const list = after(all[0] ?? [], "--ensemble")?.split(",") ?? [];
  assert.deepEqual(votersOf(list), [1, 2, 3]);
  assert.deepEqual(
    parseEnsemble(list).map(({ host }) => host),
    [0, 1, 2].map(hostOf),
  );
  assert.equal(after(commandOf(rendered, 0), "--zone"), undefined);
});

/** Pods and votes, and what follows: voters, those that follow, how many of the pods join. */
const shapes: readonly {
  readonly values: Values;
  readonly members: string;
  readonly joining: number;
}[] = [
  { values: { replicas: 2 }, members: "1", joining: 1 },
  { values: { replicas: 4 }, members: "1 2 3", joining: 1 },
  { values: { replicas: 4, voters: 1 }, members: "1 2:observer 3:observer", joining: 1 },
  { values: { replicas: 5, voters: 5 }, members: "1 2 3 4 5", joining: 0 },
  { values: { replicas: 2, voters: 3 }, members: "1 2 3", joining: 0 },
];

for (const { values, members, joining } of shapes) {
  test(`${JSON.stringify(values)} makes members ${members}, and ${joining} that join by them`, {
    skip,
  }, async () => {
    const rendered = await render(values);
    const all = Array.from({ length: Number(values["replicas"]) }, (_, ordinal) =>
      commandOf(rendered, ordinal),
    );
    const list = parseEnsemble(after(all[0] ?? [], "--ensemble")?.split(",") ?? []);
    const told = list.map(({ id, role }) => (role === "observer" ? `${id}:observer` : `${id}`));
    assert.equal(told.join(" "), members);
    const joins = all.filter((args) => after(args, "--join") !== undefined);
    assert.equal(joins.length, joining);
    for (const args of joins) {
      assert.equal(after(args, "--ensemble"), undefined);
      assert.equal(after(args, "--join"), list.map(({ host }) => `${host}:7071`).join());
    }
  });
}

test("a further pod changes nothing of those that are there, so none of them restarts", {
  skip,
}, async () => {
  const templateOf = async (replicas: number): Promise<unknown> =>
    at((await render({ replicas })).find("StatefulSet"), "spec.template");
  assert.deepEqual(await templateOf(4), await templateOf(3));
});

test("several pods go to different nodes and zones where they can, and one at a time is taken away", {
  skip,
}, async () => {
  const [one, several] = [await render(), await render({ replicas: 3 })];
  const spec = at(several.find("StatefulSet"), "spec.template.spec");
  const labels = at(several.find("StatefulSet"), "spec.selector.matchLabels");
  const preferred =
    "affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution.0.podAffinityTerm";
  assert.equal(at(spec, `${preferred}.topologyKey`), "kubernetes.io/hostname");
  assert.deepEqual(at(spec, `${preferred}.labelSelector.matchLabels`), labels);
  assert.equal(at(spec, "topologySpreadConstraints.0.whenUnsatisfiable"), "ScheduleAnyway");
  assert.deepEqual(at(spec, "topologySpreadConstraints.0.labelSelector.matchLabels"), labels);
  assert.equal(at(several.find("PodDisruptionBudget"), "spec.maxUnavailable"), 1);
  assert.equal(at(several.find("StatefulSet"), "spec.podManagementPolicy"), "Parallel");
  assert.equal(at(several.find("StatefulSet"), "spec.updateStrategy.type"), "RollingUpdate");
  const alone = at(one.find("StatefulSet"), "spec.template.spec");
  for (const field of ["affinity", "topologySpreadConstraints", "containers.0.lifecycle"])
    assert.equal(at(alone, field), undefined);
  assert.throws(() => one.find("PodDisruptionBudget"));
  const own = { nodeAffinity: {} };
  const given = await render({ replicas: 3, affinity: own });
  assert.deepEqual(at(given.find("StatefulSet"), "spec.template.spec.affinity"), own);
});

test("ports between pods are in the headless Service, and for pods of the StatefulSet alone", {
  skip,
}, async () => {
  const rendered = await render({
    replicas: 3,
    networkPolicy: { enabled: true, from: [{ podSelector: {} }], egress: [{}] },
  });
  const ports = at(
    rendered.find("StatefulSet"),
    "spec.template.spec.containers.0.ports",
  ) as readonly { name: string }[];
  const named = at(rendered.find("Service", "-headless"), "spec.ports") as readonly object[];
  assert.deepEqual(
    named.map((each) => at(each, "name")),
    ports.map(({ name }) => name),
  );
  assert.equal((at(rendered.find("Service", "-logkeep"), "spec.ports") as object[]).length, 1);
  const policy = rendered.find("NetworkPolicy");
  const labels = at(rendered.find("StatefulSet"), "spec.selector.matchLabels");
  const between = at(policy, "spec.ingress.1.ports") as readonly object[];
  assert.deepEqual(
    between.map((each) => at(each, "port")),
    ["peer", "coordinator", "quorum", "election"],
  );
  assert.deepEqual(at(policy, "spec.ingress.1.from"), [{ podSelector: { matchLabels: labels } }]);
  assert.deepEqual(at(policy, "spec.egress.1.to"), [{ podSelector: { matchLabels: labels } }]);
  assert.equal(at(policy, "spec.egress.2.ports.0.port"), 53);
  // Without being asked for, it leaves HTTP open.
  const preset = (await render({ replicas: 3 })).find("NetworkPolicy");
  assert.deepEqual(at(preset, "spec.ingress.0"), { ports: [{ port: "http", protocol: "TCP" }] });
  assert.deepEqual(at(preset, "spec.ingress.1"), at(policy, "spec.ingress.1"));
  assert.deepEqual(at(preset, "spec.policyTypes"), ["Ingress"]);
  const none = await render({ replicas: 3, networkPolicy: { betweenPods: false } });
  assert.throws(() => none.find("NetworkPolicy"));
});

async function withApiServer(
  use: (api: ApiServer, args: string[]) => Promise<void>,
): Promise<void> {
  const api = await startApiServer();
  const args = ["--dry-run=server", "--kubeconfig", api.kubeconfig, "--namespace", "logs"];
  await use(api, args).finally(() => api.close());
}

test("the pods' secret is drawn once, is kept by upgrades, and outlives the release as the volumes do", {
  skip,
}, async () => {
  await withApiServer(async (api, args) => {
    const name = "logs-logkeep-cluster-secret";
    const secretOf = (rendered: Rendered): string =>
      String(at(rendered.find("Secret", "-cluster-secret"), "data.secret"));
    const installed = await render({ replicas: 3 }, args);
    assert.match(Buffer.from(secretOf(installed), "base64").toString(), /^[0-9a-f]{64}$/);
    const { annotations } = installed.find("Secret", "-cluster-secret").metadata;
    assert.equal(annotations?.["helm.sh/resource-policy"], "keep");
    api.secrets.set(`logs/${name}`, { secret: secretOf(installed) });
    const upgraded = await render({ replicas: 4 }, [...args, "--is-upgrade"]);
    assert.equal(secretOf(upgraded), secretOf(installed));
    const cluster = { existingSecret: "mine", existingSecretKey: "hex" };
    for (const replicas of [1, 3]) {
      const own = await render({ replicas, cluster }, args);
      assert.throws(() => own.find("Secret", "-cluster-secret"));
      const volumes = at(own.find("StatefulSet"), "spec.template.spec.volumes") as object[];
      const { secret } = volumes.find((each) => at(each, "name") === "cluster-secret") as {
        secret: object;
      };
      assert.equal(at(secret, "secretName"), "mine");
      assert.deepEqual(at(secret, "items"), [{ key: "hex", path: "secret" }]);
    }
    // One pod keeps its own beside its data, as before there were several.
    assert.doesNotMatch((await render({}, args)).text, /cluster-secret|--secret-file/);
  });
});

const cluster = { existingSecret: "mine" };

/** What was rendered, with so many pods still there, and is to become another: what Helm says against it, or nothing. */
const growths: readonly {
  readonly from: Values;
  readonly pods: number;
  readonly to: Values;
  readonly refused?: string;
}[] = [
  { from: { replicas: 3 }, pods: 3, to: { replicas: 3, config: { log: { level: "debug" } } } },
  { from: { replicas: 3 }, pods: 3, to: { replicas: 7 } },
  {
    from: {},
    pods: 0,
    to: { replicas: 3 },
    refused: "voters: logs-logkeep has 1 and cannot go to 3 at once: begin with --set voters=1",
  },
  {
    from: {},
    pods: 0,
    to: { replicas: 3, voters: 1 },
    refused: "cluster.existingSecret: the pods to come need the secret that logs-logkeep-0 has",
  },
  {
    from: {},
    pods: 1,
    to: { replicas: 3, voters: 1, cluster },
    refused: "kubectl scale -n logs statefulset/logs-logkeep --replicas 0",
  },
  { from: {}, pods: 0, to: { replicas: 3, voters: 1, cluster } },
  {
    from: { replicas: 3, voters: 1 },
    pods: 3,
    to: { replicas: 2, voters: 3 },
    refused: "needs all pods stopped",
  },
  {
    from: { replicas: 3, voters: 1 },
    pods: 0,
    to: { replicas: 3, voters: 3 },
    refused: "--set voters=3,replicas=2, wait until they are ready, then --set replicas=3",
  },
  { from: { replicas: 3, voters: 1 }, pods: 0, to: { replicas: 2, voters: 3 } },
  { from: { replicas: 2, voters: 3 }, pods: 2, to: { replicas: 3 } },
  {
    from: { replicas: 3 },
    pods: 3,
    to: { replicas: 5, voters: 5 },
    refused: "needs all pods stopped",
  },
  { from: { replicas: 3 }, pods: 0, to: { replicas: 5, voters: 5 } },
  {
    from: { replicas: 3 },
    pods: 0,
    to: {},
    refused: "voters: logs-logkeep has 3 and cannot have 1: voters never become fewer",
  },
  {
    from: { replicas: 5, voters: 5 },
    pods: 0,
    to: { replicas: 5 },
    refused: "voters: logs-logkeep has 5 and cannot have 3",
  },
];

const sets = new Map<string, Promise<Rendered>>();

async function setOf(values: Values): Promise<Manifest> {
  const name = JSON.stringify(values);
  if (!sets.has(name)) sets.set(name, render(values));
  return (await (sets.get(name) as Promise<Rendered>)).find("StatefulSet");
}

for (const { from, pods, to, refused } of growths) {
  const how = refused === undefined ? "may become" : "may not become";
  test(`${JSON.stringify(from)} with ${pods} pods ${how} ${JSON.stringify(to)}`, {
    skip,
  }, async () => {
    await withApiServer(async (api, args) => {
      const set = await setOf(from);
      api.statefulSets.set("logs/logs-logkeep", { ...set, status: { replicas: pods } });
      const upgrade = render(to, [...args, "--is-upgrade"]);
      if (refused === undefined) await upgrade;
      else
        await assert.rejects(upgrade, (error: Error) => {
          assert.ok(error.message.includes(refused), error.message);
          return true;
        });
    });
  });
}

test("a release of before there were several pods counts as one pod", { skip }, async () => {
  await withApiServer(async (api, args) => {
    const { metadata, ...set } = (await render()).find("StatefulSet");
    const { annotations: _, ...plain } = metadata;
    const before = { ...set, metadata: plain, status: { replicas: 1 } } as never;
    api.statefulSets.set("logs/logs-logkeep", before);
    await render({}, [...args, "--is-upgrade"]);
    await assert.rejects(render({ replicas: 3 }, [...args, "--is-upgrade"]), /has 1 and cannot/);
  });
});
