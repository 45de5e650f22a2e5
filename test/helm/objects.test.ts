import assert from "node:assert/strict";
import test from "node:test";
import { z } from "zod";
import { loadSettings } from "../../config/src/load.ts";
import { fixedSettings, mountPaths } from "../../helm/src/values.ts";
import { at, type Manifest, missingHelm, type Rendered, render } from "./chart.ts";
import { valueSets } from "./value-sets.ts";

const skip = missingHelm();

interface Named {
  readonly name: string;
}

function podOf(rendered: Rendered): Readonly<Record<string, unknown>> {
  return at(rendered.find("StatefulSet"), "spec.template.spec") as Readonly<
    Record<string, unknown>
  >;
}

function containerOf(rendered: Rendered): Readonly<Record<string, unknown>> {
  const containers = podOf(rendered)["containers"] as readonly Readonly<Record<string, unknown>>[];
  return containers[0] ?? {};
}

function argsOf(rendered: Rendered): readonly string[] {
  return containerOf(rendered)["args"] as readonly string[];
}

/** The volume of a name. */
function volumeOf(rendered: Rendered, name: string): object | undefined {
  return (podOf(rendered)["volumes"] as readonly Named[]).find((each) => each.name === name);
}

test("both pods fit Pod Security's restricted level, on a root that is read-only", {
  skip,
}, async () => {
  const rendered = await render();
  for (const pod of [podOf(rendered), at(rendered.find("Pod"), "spec")]) {
    const security = at(pod, "securityContext") as Readonly<Record<string, unknown>>;
    assert.equal(security["runAsNonRoot"], true);
    assert.equal(security["runAsUser"], 10001);
    assert.equal(security["fsGroup"], 10001);
    assert.deepEqual(security["seccompProfile"], { type: "RuntimeDefault" });
    assert.equal(at(pod, "automountServiceAccountToken"), false);
    assert.deepEqual(at(pod, "containers.0.securityContext"), {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
    for (const field of ["hostNetwork", "hostPID", "hostIPC"])
      assert.equal(at(pod, field), undefined);
  }
});

test("the settings that are the chart's are flags, and lie where things are mounted", {
  skip,
}, async () => {
  const rendered = await render();
  const args = argsOf(rendered).join(" ");
  const flags: Readonly<Record<string, string>> = {
    "data.dir": "--data ",
    "http.listen": "--http ",
    "coordinator.listen": "--coordinator ",
    "peer.listen": "--peer ",
    roles: "--roles ",
  };
  const several = argsOf(await render({ replicas: 3 })).join(" ");
  for (const [path, value] of Object.entries(fixedSettings)) {
    const flag = flags[path] ?? `--set ${path}=`;
    assert.ok(args.includes(`${flag}${value.one}`), `${path} in ${args}`);
    assert.ok(several.includes(`${flag}${value.several}`), `${path} in ${several}`);
  }
  const mounts = containerOf(rendered)["volumeMounts"] as readonly { mountPath: string }[];
  assert.deepEqual(
    mounts.map(({ mountPath }) => mountPath).sort(),
    [...Object.values(mountPaths), "/tmp"].sort(),
  );
});

test("the settings under config load as they were given, and a change of them rolls the pod", {
  skip,
}, async () => {
  const config = {
    http: { bodyMaxBytes: 67_108_864 },
    storage: { retention: { days: 2.5, maxBytes: "40GiB" }, workers: 3 },
    query: { timeoutMs: "45s" },
  };
  const [plain, same, set] = [
    await render(),
    await render({ labels: {} }),
    await render({ config }),
  ];
  const text = textOf(set.find("ConfigMap"));
  const { settings } = loadSettings({ file: { name: "logkeep.yaml", text } });
  assert.equal(settings.http.bodyMaxBytes, 67_108_864);
  assert.equal(settings.storage.retention.maxBytes, 40 * 1024 ** 3);
  assert.equal(settings.storage.retention.days, 2.5);
  assert.equal(settings.query.timeoutMs, 45_000);
  assert.notEqual(checksumOf(set), checksumOf(plain));
  assert.equal(checksumOf(same), checksumOf(plain));
  // A container counts the cores of its whole node.
  const preset = { name: "logkeep.yaml", text: textOf(plain.find("ConfigMap")) };
  assert.equal(loadSettings({ file: preset }).settings.storage.workers, 2);
  const none = await render({ config: null });
  loadSettings({ file: { name: "logkeep.yaml", text: textOf(none.find("ConfigMap")) } });
});

function textOf(map: Manifest): string {
  return (map["data"] as Readonly<Record<string, string>>)["logkeep.yaml"] ?? "";
}

function checksumOf(rendered: Rendered): string {
  const annotations = at(rendered.find("StatefulSet"), "spec.template.metadata.annotations");
  const sum = (annotations as Readonly<Record<string, string>>)["checksum/config"] ?? "";
  assert.match(sum, /^[0-9a-f]{64}$/);
  return sum;
}

test("the data lies on a claim of the StatefulSet, on one that is there, or goes with the pod", {
  skip,
}, async () => {
  const [own, existing, none] = [
    await render(),
    await render({ persistence: { existingClaim: "old-data" } }),
    await render({ persistence: { enabled: false } }),
  ];
  const claim = at(own.find("StatefulSet"), "spec.volumeClaimTemplates.0");
  assert.equal(at(claim, "metadata.name"), "data");
  assert.equal(at(claim, "spec.resources.requests.storage"), "50Gi");
  assert.equal(at(claim, "spec.storageClassName"), undefined);
  assert.equal(volumeOf(own, "data"), undefined);
  assert.deepEqual(at(volumeOf(existing, "data"), "persistentVolumeClaim"), {
    claimName: "old-data",
  });
  assert.deepEqual(at(volumeOf(none, "data"), "emptyDir"), {});
  for (const each of [existing, none]) {
    assert.equal(at(each.find("StatefulSet"), "spec.volumeClaimTemplates"), undefined);
  }
});

test("the first host of the ingress is http.publicUrl, unless that is set", { skip }, async () => {
  const ingress = { enabled: true, hosts: ["logs.example.com", "l.example.com"] };
  const tls = [{ secretName: "tls", hosts: ["logs.example.com"] }];
  const urlOf = (rendered: Rendered): string | undefined =>
    argsOf(rendered).find((each) => each.startsWith("http.publicUrl="));
  assert.equal(urlOf(await render()), undefined);
  const open = await render({ ingress });
  assert.equal(urlOf(open), "http.publicUrl=http://logs.example.com");
  const closed = await render({ ingress: { ...ingress, tls } });
  assert.equal(urlOf(closed), "http.publicUrl=https://logs.example.com");
  const backend = at(closed.find("Ingress"), "spec.rules.1.http.paths.0.backend.service");
  assert.deepEqual(backend, { name: "logs-logkeep", port: { name: "http" } });
  const set = await render({ ingress, config: { http: { publicUrl: "https://x.example.com" } } });
  assert.equal(urlOf(set), undefined);
});

test("every selector meets the pod, and the ServiceMonitor meets one Service", {
  skip,
}, async () => {
  const sets = { serviceMonitor: { enabled: true }, podDisruptionBudget: { maxUnavailable: 0 } };
  const rendered = await render({ ...sets, networkPolicy: { enabled: true }, labels: { a: "b" } });
  const labels = at(rendered.find("StatefulSet"), "spec.template.metadata.labels");
  const services = rendered.manifests.filter(({ kind }) => kind === "Service");
  const selectors = [
    at(rendered.find("StatefulSet"), "spec.selector.matchLabels"),
    at(rendered.find("PodDisruptionBudget"), "spec.selector.matchLabels"),
    at(rendered.find("NetworkPolicy"), "spec.podSelector.matchLabels"),
    ...services.map((each) => at(each, "spec.selector")),
  ];
  assert.equal(selectors.length, 5);
  for (const selector of selectors) assert.ok(meets(selector, labels), JSON.stringify(selector));
  // The pod of helm test must not get the service's requests.
  assert.ok(!meets(selectors[0], rendered.find("Pod").metadata.labels));
  const monitored = at(rendered.find("ServiceMonitor"), "spec.selector.matchLabels");
  const met = services.filter(({ metadata }) => meets(monitored, metadata.labels));
  assert.deepEqual(
    met.map(({ metadata }) => metadata.name),
    ["logs-logkeep"],
  );
});

function meets(selector: unknown, labels: unknown): boolean {
  return Object.entries(selector as object).every(
    ([name, value]) => (labels as Readonly<Record<string, string>>)[name] === value,
  );
}

test("labels that are given never replace the chart's own", { skip }, async () => {
  const name = { "app.kubernetes.io/name": "other", extra: "yes" };
  const rendered = await render({ labels: name, podLabels: name, service: { labels: name } });
  for (const { metadata } of rendered.manifests) {
    assert.equal(metadata.labels?.["app.kubernetes.io/name"], "logkeep");
    assert.equal(metadata.labels?.["extra"], "yes");
  }
});

test("the pod of helm test passes a NetworkPolicy that lets others in", { skip }, async () => {
  const from = [{ namespaceSelector: { matchLabels: { team: "ops" } } }];
  const rendered = await render({ networkPolicy: { enabled: true, from } });
  const peers = at(rendered.find("NetworkPolicy"), "spec.ingress.0.from") as readonly object[];
  assert.equal(peers.length, 2);
  const selector = at(peers[1], "podSelector.matchLabels");
  assert.ok(meets(selector, rendered.find("Pod").metadata.labels));
});

/** What the custom resource of the Prometheus Operator has, as far as the chart uses it. */
const serviceMonitorSchema = z.strictObject({
  apiVersion: z.literal("monitoring.coreos.com/v1"),
  kind: z.literal("ServiceMonitor"),
  metadata: z.strictObject({
    name: z.string(),
    namespace: z.string(),
    labels: z.record(z.string(), z.string()),
  }),
  spec: z.strictObject({
    namespaceSelector: z.strictObject({ matchNames: z.array(z.string()) }),
    selector: z.strictObject({ matchLabels: z.record(z.string(), z.string()) }),
    endpoints: z
      .array(
        z.strictObject({
          port: z.literal("http"),
          path: z.literal("/metrics"),
          interval: z.string().optional(),
          scrapeTimeout: z.string().optional(),
          authorization: z.strictObject({
            type: z.literal("Bearer"),
            credentials: z.strictObject({ name: z.string(), key: z.string() }),
          }),
          relabelings: z.array(z.record(z.string(), z.unknown())).optional(),
          metricRelabelings: z.array(z.record(z.string(), z.unknown())).optional(),
        }),
      )
      .length(1),
  }),
});

test("the ServiceMonitor has the form of its kind, and the key that metrics need", {
  skip,
}, async () => {
  const plain = await render({ serviceMonitor: { enabled: true } });
  const { spec } = serviceMonitorSchema.parse(plain.find("ServiceMonitor"));
  assert.deepEqual(spec.endpoints[0]?.authorization.credentials, {
    name: plain.find("Secret").metadata.name,
    key: "admin-key",
  });
  const own = await render(valueSets["a ServiceMonitor with a key of its own"]);
  const parsed = serviceMonitorSchema.parse(own.find("ServiceMonitor"));
  assert.equal(parsed.metadata.labels["release"], "prometheus");
  assert.deepEqual(parsed.spec.endpoints[0]?.authorization.credentials, {
    name: "logs-read-key",
    key: "token",
  });
});
