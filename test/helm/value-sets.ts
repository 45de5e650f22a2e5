import type { Values } from "./chart.ts";

/** What users switch on, a set each; all must render what Kubernetes takes. */
export const valueSets: Readonly<Record<string, Values>> = {
  defaults: {},
  "an ingress with TLS": {
    ingress: {
      enabled: true,
      className: "nginx",
      hosts: ["logs.example.com", "*.logs.example.com"],
      tls: [{ secretName: "logs-tls", hosts: ["logs.example.com", "*.logs.example.com"] }],
      annotations: { "nginx.ingress.kubernetes.io/proxy-body-size": "64m" },
      labels: { exposed: "yes" },
    },
  },
  "a ServiceMonitor with a key of its own": {
    serviceMonitor: {
      enabled: true,
      interval: "15s",
      scrapeTimeout: "10s",
      existingSecret: "logs-read-key",
      existingSecretKey: "token",
      labels: { release: "prometheus" },
      relabelings: [{ sourceLabels: ["__meta_kubernetes_pod_node_name"], targetLabel: "node" }],
      metricRelabelings: [{ action: "labeldrop", regex: "pod" }],
    },
  },
  "a Secret and a claim that are there": {
    auth: { existingSecret: "my-key", existingSecretKey: "token" },
    persistence: { existingClaim: "old-data" },
    serviceAccount: { create: false },
    serviceMonitor: { enabled: true },
  },
  "all that is extra": {
    image: {
      repository: "images.example.com:5000/ops/logkeep",
      digest: `sha256:${"0".repeat(64)}`,
      pullPolicy: "Always",
      pullSecrets: [{ name: "images" }],
    },
    nameOverride: "lk",
    labels: { team: "ops" },
    podLabels: { team: "pods", tier: "logs" },
    podAnnotations: { "example.com/scrape": "no" },
    config: {
      http: { bodyMaxBytes: 67108864, publicUrl: "https://logs.example.com" },
      storage: { retention: { days: 2.5, maxBytes: "40GiB" }, workers: 3 },
      sources: [
        {
          name: "orders",
          stream: ["service"],
          kafka: {
            brokers: ["kafka:9092"],
            topic: "orders",
            sasl: {
              mechanism: "plain",
              username: "logs",
              passwordFile: "/etc/kafka/password",
            },
          },
        },
      ],
    },
    service: {
      type: "LoadBalancer",
      port: 80,
      nodePort: 30707,
      loadBalancerClass: "example.com/internal",
      loadBalancerSourceRanges: ["10.0.0.0/8", "fd00::/8"],
      annotations: { "example.com/internal": "true" },
      labels: { team: "edge" },
    },
    persistence: {
      size: "1.5Ti",
      storageClass: "fast",
      accessModes: ["ReadWriteOncePod"],
      annotations: { "example.com/backup": "daily" },
      labels: { tier: "logs" },
      retention: { whenDeleted: "Delete", whenScaled: "Retain" },
    },
    resources: { requests: { cpu: 2, memory: "4Gi" }, limits: { cpu: "4", memory: "4Gi" } },
    terminationGracePeriodSeconds: 60,
    startupProbe: { failureThreshold: 1800 },
    serviceAccount: { name: "logs", annotations: { "example.com/role": "logs" } },
    updateStrategy: "OnDelete",
    nodeSelector: { disk: "ssd" },
    tolerations: [{ key: "logs", operator: "Exists", effect: "NoSchedule" }],
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [
            { matchExpressions: [{ key: "zone", operator: "In", values: ["a"] }] },
          ],
        },
      },
    },
    topologySpreadConstraints: [
      { maxSkew: 1, topologyKey: "zone", whenUnsatisfiable: "ScheduleAnyway" },
    ],
    priorityClassName: "high",
    extraEnv: [
      {
        name: "LOGKEEP_ELASTICSEARCH_API_KEY",
        valueFrom: { secretKeyRef: { name: "elasticsearch", key: "api-key" } },
      },
      { name: "NODE_OPTIONS", value: "--max-old-space-size=1024" },
    ],
    extraEnvFrom: [{ secretRef: { name: "more" } }],
    extraVolumes: [{ name: "kafka", secret: { secretName: "kafka" } }],
    extraVolumeMounts: [{ name: "kafka", mountPath: "/etc/kafka", readOnly: true }],
    extraContainers: [{ name: "proxy", image: "proxy:1", args: ["--port", "8443"] }],
  },
  "a NetworkPolicy and a PodDisruptionBudget": {
    networkPolicy: {
      enabled: true,
      from: [{ namespaceSelector: { matchLabels: { team: "ops" } } }],
      egress: [{ to: [{ ipBlock: { cidr: "10.0.0.0/8" } }] }],
    },
    podDisruptionBudget: { enabled: true, maxUnavailable: 0 },
  },
  "three pods": { replicas: 3 },
  "seven pods, of which five vote, with a Secret that is there": {
    replicas: 7,
    voters: 5,
    cluster: { existingSecret: "logs-secret", existingSecretKey: "hex" },
    extraEnv: [{ name: "NODE_OPTIONS", value: "--max-old-space-size=1024" }],
    networkPolicy: { enabled: true, egress: [{ to: [{ ipBlock: { cidr: "10.0.0.0/8" } }] }] },
    podDisruptionBudget: { maxUnavailable: 0 },
    terminationGracePeriodSeconds: 90,
  },
  "a NetworkPolicy of the namespace": { networkPolicy: { enabled: true } },
  "no persistence, no class": {
    persistence: { enabled: false, storageClass: "-" },
    fullnameOverride: "x".repeat(63),
  },
  "no settings of the chart": { config: null, resources: null, securityContext: null },
  "a cluster that gives out user ids": {
    podSecurityContext: { runAsUser: null, runAsGroup: null, fsGroup: null },
    persistence: { storageClass: "-" },
  },
};
