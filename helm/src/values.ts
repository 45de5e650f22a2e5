import { z } from "zod";
import * as k from "./kubernetes.ts";

// The values of the chart: form, default and one sentence each. values.yaml, values.schema.json and the table of
// the chart's README are printed from here. `config` is a stand-in: print.ts puts the service's own settings there.

/** Where the container finds what the chart mounts; templates and tests use the same. */
export const mountPaths = {
  data: "/data",
  config: "/etc/logkeep",
  key: "/etc/logkeep-key",
} as const;

/** Where a pod of several finds the secret that they share. */
export const clusterSecretPath = "/etc/logkeep-cluster";

/** A setting that is the chart's, for one pod and for several. */
export interface FixedSetting {
  readonly one: unknown;
  readonly several: unknown;
}

/** The file may name them with these values alone; flags give them. */
export const fixedSettings: Readonly<Record<string, FixedSetting>> = {
  "data.dir": same(mountPaths.data),
  "http.listen": same("0.0.0.0:7070"),
  // Nobody but the pod itself has to reach these where there is no other.
  "coordinator.listen": { one: "127.0.0.1:2181", several: "0.0.0.0:2181" },
  "peer.listen": { one: "127.0.0.1:7071", several: "0.0.0.0:7071" },
  "auth.adminKeyFile": same(`${mountPaths.key}/admin-key`),
  "auth.insecureListen": same(false),
  // Every pod has all roles.
  roles: same("all"),
};

function same(value: unknown): FixedSetting {
  return { one: value, several: value };
}

function text(description: string, preset = "") {
  return z.string().default(preset).describe(description);
}

function flag(preset: boolean, description: string) {
  return z.boolean().default(preset).describe(description);
}

function texts(description: string) {
  return k.texts.default({}).describe(description);
}

function objects(description: string) {
  return k.objects.default([]).describe(description);
}

interface Range {
  readonly min: number;
  readonly max: number;
}

function integer(preset: number, { min, max }: Range, description: string) {
  return z.int().min(min).max(max).default(preset).describe(description);
}

const image = z.strictObject({
  repository: z
    .string()
    .min(1)
    .regex(/^[a-z0-9][-a-z0-9._/:]*$/)
    .default("logkeep")
    .describe("Where the image is, with its registry; build it from the Containerfile."),
  tag: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{0,128}$/)
    .default("")
    .describe("The image's tag; by default the chart's `appVersion`."),
  digest: z
    .string()
    .regex(/^(sha256:[0-9a-f]{64})?$/)
    .default("")
    .describe("The image's digest, as `sha256:…`; it overrides the tag."),
  pullPolicy: z
    .enum(["Always", "IfNotPresent", "Never"])
    .default("IfNotPresent")
    .describe("When a node fetches the image."),
  pullSecrets: z
    .array(z.strictObject({ name: k.objectNameOrNone.min(1) }))
    .default([])
    .describe("Secrets for the image's registry, as `[{name: …}]`."),
});

const auth = z.strictObject({
  existingSecret: k.objectNameOrNone
    .default("")
    .describe(
      "A Secret that holds the admin key; by default the chart makes one at the first install and keeps it.",
    ),
  existingSecretKey: k.secretKey
    .default("admin-key")
    .describe("The key within `existingSecret` under which the token lies."),
});

const cluster = z.strictObject({
  existingSecret: k.objectNameOrNone
    .default("")
    .describe(
      "A Secret that holds what the pods prove themselves to each other with; by default the chart makes one for several pods, and keeps it.",
    ),
  existingSecretKey: k.secretKey
    .default("secret")
    .describe("The key within `existingSecret` under which it lies."),
});

const drain = z.strictObject({
  endpointsSeconds: integer(
    3,
    { min: 0, max: 300 },
    "With several pods: time in which Services forget a pod that is to stop, while it still serves.",
  ),
  copiesSeconds: integer(
    30,
    { min: 1, max: 3000 },
    "With several pods: how long one that is to stop waits at most until every record is on two disks and all nodes are live, so that one stops after the other.",
  ),
});

const service = z.strictObject({
  type: z
    .enum(["ClusterIP", "NodePort", "LoadBalancer"])
    .default("ClusterIP")
    .describe("The Service's type."),
  port: integer(7070, { min: 1, max: 65_535 }, "The Service's port."),
  nodePort: integer(
    0,
    { min: 0, max: 65_535 },
    "The port on each node, for `NodePort` and `LoadBalancer`; 0: any.",
  ),
  annotations: texts("The Service's annotations."),
  labels: texts("Further labels of the Service."),
  loadBalancerClass: text("Which load balancer is to serve it."),
  loadBalancerSourceRanges: z
    .array(z.string().regex(/^[0-9a-fA-F.:]+\/[0-9]{1,3}$/))
    .default([])
    .describe("Networks that a load balancer lets in."),
});

const ingress = z
  .strictObject({
    enabled: flag(false, "Makes an Ingress."),
    className: text("The Ingress's class; by default the cluster's."),
    hosts: z
      .array(k.host)
      .default([])
      .describe(
        "Names under which the service is reached, all of it at `/`; the first one is `http.publicUrl`.",
      ),
    tls: z
      .array(z.strictObject({ secretName: k.objectNameOrNone.min(1), hosts: z.array(k.host) }))
      .default([])
      .describe("Certificates, as `[{secretName: …, hosts: […]}]`."),
    annotations: texts("The Ingress's annotations."),
    labels: texts("Further labels of the Ingress."),
  })
  .meta({
    if: { properties: { enabled: { const: true } }, required: ["enabled"] },
    // biome-ignore lint/suspicious/noThenProperty: the word of JSON Schema
    then: { properties: { hosts: { minItems: 1 } } },
  });

const persistence = z.strictObject({
  enabled: flag(
    true,
    "Keeps the data on a volume, one for each pod; without it the data goes with the pod.",
  ),
  size: k.diskSize.default("50Gi").describe("The size of each volume."),
  storageClass: text("The volume's class; by default the cluster's, `-` is none."),
  accessModes: z
    .array(z.enum(["ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany"]))
    .min(1)
    .max(1)
    .default(["ReadWriteOnce"])
    .describe("A volume's access mode; one pod writes to it."),
  annotations: texts("The claim's annotations."),
  labels: texts("Further labels of the claim."),
  existingClaim: k.objectNameOrNone
    .default("")
    .describe("A claim to use, for one pod; by default the StatefulSet makes one for each."),
  retention: z
    .strictObject({
      whenDeleted: z
        .enum(["Retain", "Delete"])
        .default("Retain")
        .describe("What becomes of the claim when the release is uninstalled."),
      whenScaled: z
        .enum(["Retain", "Delete"])
        .default("Retain")
        .describe("What becomes of it when the StatefulSet is scaled down, to 0 too."),
    })
    .prefault({}),
});

const serviceAccount = z.strictObject({
  create: flag(true, "Makes a ServiceAccount; its token is not mounted."),
  name: k.objectNameOrNone
    .default("")
    .describe("Its name; by default the release's, or `default` where none is made."),
  annotations: texts("Its annotations."),
});

interface ProbePresets {
  readonly period: number;
  readonly failures: number;
}

function probe({ period, failures }: ProbePresets, means: string) {
  return z
    .strictObject({
      periodSeconds: integer(period, { min: 1, max: 3600 }, `Seconds between two ${means} probes.`),
      timeoutSeconds: integer(5, { min: 1, max: 3600 }, "Seconds that an answer may take."),
      failureThreshold: integer(
        failures,
        { min: 1, max: 100_000 },
        "Failures in a row before it counts.",
      ),
    })
    .prefault({});
}

const serviceMonitor = z.strictObject({
  enabled: flag(false, "Makes a ServiceMonitor for the Prometheus Operator."),
  interval: z
    .string()
    .regex(/^([0-9]+(ms|s|m|h))?$/)
    .default("30s")
    .describe("Time between two scrapes."),
  scrapeTimeout: z
    .string()
    .regex(/^([0-9]+(ms|s|m|h))?$/)
    .default("")
    .describe("Time that a scrape may take; by default Prometheus's."),
  existingSecret: k.objectNameOrNone
    .default("")
    .describe("A Secret that holds a key of scope `read`; by default the admin key is used."),
  existingSecretKey: k.secretKey.default("key").describe("The key within it."),
  labels: texts("Further labels, by which a Prometheus selects it."),
  relabelings: objects("Relabelings before the scrape."),
  metricRelabelings: objects("Relabelings of what was scraped."),
});

const podDisruptionBudget = z.strictObject({
  enabled: flag(true, "Makes a PodDisruptionBudget where it says anything."),
  maxUnavailable: integer(
    1,
    { min: 0, max: 1 },
    "Pods that a drain of Kubernetes' nodes may take away at a time; 0: it waits until the pod is deleted by hand.",
  ),
});

const networkPolicy = z.strictObject({
  enabled: flag(false, "Makes a NetworkPolicy for the HTTP port."),
  betweenPods: flag(
    true,
    "With several pods: makes one by which nobody but they reaches the ports that they have for each other.",
  ),
  from: objects(
    "Who may reach the HTTP port, as NetworkPolicy peers; none: all pods of the namespace.",
  ),
  egress: objects(
    "Egress rules; none: all egress is open. Several pods may reach each other and ask for names in any case.",
  ),
});

/** The values a user may give. */
export const valuesSchema = z.strictObject({
  image: image.prefault({}),
  nameOverride: k.nameOrNone.default("").describe("Stands for the chart's name in names."),
  fullnameOverride: k.nameOrNone.default("").describe("Stands for the whole name of all objects."),
  replicas: integer(
    1,
    { min: 1, max: 255 },
    "Pods: 1, or several as one cluster. 3 keep going when one is lost.",
  ),
  voters: z
    .literal([0, 1, 3, 5])
    .default(0)
    .describe(
      "How many pods, from the first on, have a vote in the coordinator: 1, 3 or 5, which 0, 1 or 2 may be lost of; 0: 3 where there are three pods, else 1. docs/kubernetes.md tells how it is raised.",
    ),
  cluster: cluster.prefault({}),
  config: z
    .record(z.string(), z.unknown())
    // A container without a CPU limit counts all cores of its node, and each worker takes memory.
    .default({ storage: { workers: 2 } })
    .describe(
      "Settings of the service, as in a settings file; see docs/configuration.md. `storage.workers` are threads; without it there is one for each core of the node but one.",
    ),
  auth: auth.prefault({}),
  service: service.prefault({}),
  ingress: ingress.prefault({}),
  persistence: persistence.prefault({}),
  resources: k.resources
    .default({ requests: { cpu: "500m", memory: "1Gi" }, limits: { memory: "2Gi" } })
    .describe("What the container asks for and may use; docs/kubernetes.md has a table."),
  drain: drain.prefault({}),
  terminationGracePeriodSeconds: integer(
    60,
    { min: 30, max: 3600 },
    "Time to stop, `drain` included; the service ends within 15 s.",
  ),
  startupProbe: probe({ period: 2, failures: 900 }, "startup"),
  livenessProbe: probe({ period: 10, failures: 6 }, "liveness"),
  readinessProbe: probe({ period: 5, failures: 2 }, "readiness"),
  podSecurityContext: k.podSecurityContext
    .default({
      runAsNonRoot: true,
      runAsUser: 10001,
      runAsGroup: 10001,
      fsGroup: 10001,
      fsGroupChangePolicy: "OnRootMismatch",
      seccompProfile: { type: "RuntimeDefault" },
    })
    .describe("The pod's security context; the default fits Pod Security's `restricted`."),
  securityContext: k.containerSecurityContext
    .default({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    })
    .describe("The container's security context."),
  serviceAccount: serviceAccount.prefault({}),
  updateStrategy: z
    .enum(["RollingUpdate", "OnDelete"])
    .default("RollingUpdate")
    .describe(
      "How a change reaches the pods: `RollingUpdate`, one after the other, or as they are deleted.",
    ),
  labels: texts("Further labels of all objects."),
  podLabels: texts("Further labels of the pods."),
  podAnnotations: texts("The pods' annotations."),
  nodeSelector: texts("Labels of nodes that may run the pods."),
  tolerations: objects("Taints that the pods bear."),
  affinity: k.object
    .default({})
    .describe("The pods' affinity; by default several go to different nodes where they can."),
  topologySpreadConstraints: objects(
    "The pods' topology spread; by default several go to different zones where they can.",
  ),
  priorityClassName: text("The pods' priority class."),
  extraEnv: z
    .array(k.envVar)
    .default([])
    .describe("Further variables, as for secret settings: `LOGKEEP_…` from a Secret."),
  extraEnvFrom: objects("ConfigMaps and Secrets whose entries become variables."),
  extraVolumes: objects("Further volumes of the pods."),
  extraVolumeMounts: objects("Where the container has them."),
  extraContainers: objects("Further containers of the pods."),
  serviceMonitor: serviceMonitor.prefault({}),
  podDisruptionBudget: podDisruptionBudget.prefault({}),
  networkPolicy: networkPolicy.prefault({}),
  global: k.object
    .default({})
    .describe("What Helm hands to every chart of a release; nothing here reads it."),
});
