import assert from "node:assert/strict";
import test from "node:test";
import { chartFolder } from "../../helm/src/files.ts";
import { missingHelm, runHelm, type Values, withValues } from "./chart.ts";

const skip = missingHelm();

/** Wrong values, each with what the message must hold: the value's path and what is wrong. */
const wrong: readonly { readonly values: Values; readonly says: readonly string[] }[] = [
  { values: { image: { tga: "1" } }, says: ["'/image'", "'tga' not allowed"] },
  { values: { image: { pullPolicy: "Sometimes" } }, says: ["'/image/pullPolicy'", "'Always'"] },
  { values: { image: { digest: "abc" } }, says: ["'/image/digest'", "sha256:"] },
  { values: { replicaCount: 3 }, says: ["'replicaCount' not allowed"] },
  { values: { replicas: 0 }, says: ["'/replicas'", "want 1"] },
  { values: { replicas: 4, voters: 4 }, says: ["'/voters'", "0, 1, 3, 5"] },
  { values: { replicas: 2, voters: 2 }, says: ["'/voters'", "0, 1, 3, 5"] },
  { values: { voters: 3 }, says: ["voters: 3 votes need as many pods; replicas is 1"] },
  {
    values: { replicas: 4, voters: 5 },
    says: ["voters: 5 votes need as many pods; replicas is 4"],
  },
  {
    values: { replicas: 3, persistence: { enabled: false } },
    says: ["persistence.enabled: several pods need volumes"],
  },
  {
    values: { replicas: 3, persistence: { existingClaim: "old" } },
    says: ["persistence.existingClaim: is for one pod"],
  },
  {
    values: { replicas: 3, persistence: { retention: { whenScaled: "Delete" } } },
    says: ["persistence.retention.whenScaled: Delete would drop"],
  },
  {
    values: { replicas: 3, drain: { copiesSeconds: 60 } },
    says: ["terminationGracePeriodSeconds: must be at least 83"],
  },
  {
    values: { replicas: 3, config: { node: { id: 2 } } },
    says: ["config.node.id: with several pods it is the chart's own"],
  },
  {
    values: { replicas: 3, config: { coordinator: { connect: ["zk:2181"] } } },
    says: ["config.coordinator.connect: with several pods it is the chart's own"],
  },
  {
    values: { replicas: 3, extraEnv: [{ name: "LOGKEEP_CLUSTER_SECRET", value: "x" }] },
    says: ["extraEnv[0].name: with several pods LOGKEEP_CLUSTER_SECRET is the chart's own"],
  },
  { values: { service: { port: 70_000 } }, says: ["'/service/port'", "want 65,535"] },
  { values: { service: { type: "ExternalName" } }, says: ["'/service/type'", "'ClusterIP'"] },
  { values: { service: { nodePort: 30_000 } }, says: ["service.nodePort: needs service.type"] },
  { values: { ingress: { enabled: true } }, says: ["'/ingress/hosts'", "want 1"] },
  { values: { ingress: { hosts: ["Logs Example"] } }, says: ["'/ingress/hosts/0'"] },
  {
    values: { ingress: { enabled: true, hosts: ["*.example.com"] } },
    says: ["ingress.hosts[0]: *.example.com is no name for links"],
  },
  { values: { persistence: { size: "lots" } }, says: ["'/persistence/size'"] },
  {
    values: { persistence: { accessModes: ["ReadOnlyMany"] } },
    says: ["'/persistence/accessModes/0'", "'ReadWriteOnce'"],
  },
  {
    values: { persistence: { enabled: false, existingClaim: "old" } },
    says: ["persistence.existingClaim: needs persistence.enabled"],
  },
  {
    values: { persistence: { retention: { whenDeleted: "Keep" } } },
    says: ["'/persistence/retention/whenDeleted'", "'Retain'"],
  },
  {
    values: { terminationGracePeriodSeconds: 5 },
    says: ["'/terminationGracePeriodSeconds'", "want 30"],
  },
  { values: { resources: { requests: { cpu: "fast" } } }, says: ["'/resources/requests/cpu'"] },
  { values: { resources: { memory: "1Gi" } }, says: ["'/resources'", "'memory' not allowed"] },
  {
    values: { podSecurityContext: { runAsNonRoot: "yes" } },
    says: ["'/podSecurityContext/runAsNonRoot'", "want boolean"],
  },
  {
    values: { securityContext: { readOnlyRootFs: true } },
    says: ["'/securityContext'", "'readOnlyRootFs' not allowed"],
  },
  { values: { auth: { existingSecret: "My Key" } }, says: ["'/auth/existingSecret'"] },
  { values: { auth: { key: "lk_" } }, says: ["'/auth'", "'key' not allowed"] },
  { values: { extraEnv: [{ nmae: "A" }] }, says: ["'/extraEnv/0'", "'name'"] },
  {
    values: { extraEnv: [{ name: "LOGKEEP_HTTP_LISTEN", value: "0.0.0.0:80" }] },
    says: ["extraEnv[0].name: LOGKEEP_HTTP_LISTEN is the chart's own"],
  },
  { values: { serviceMonitor: { interval: "often" } }, says: ["'/serviceMonitor/interval'"] },
  { values: { networkPolicy: { from: "all" } }, says: ["'/networkPolicy/from'", "want array"] },
  { values: { podDisruptionBudget: { maxUnavailable: 2 } }, says: ["maxUnavailable'", "want 1"] },
  { values: { nodeSelector: { ssd: true } }, says: ["'/nodeSelector/ssd'", "want string"] },
  { values: { config: { htpp: {} } }, says: ["'/config'", "'htpp' not allowed"] },
  {
    values: { config: { http: { listen: "0.0.0.0:80" } } },
    says: ["'/config/http/listen'", "must be '0.0.0.0:7070'"],
  },
  {
    values: { config: { coordinator: { listen: "0.0.0.0:2182" } } },
    says: ["'/config/coordinator/listen'", "'127.0.0.1:2181', '0.0.0.0:2181'"],
  },
  {
    values: { config: { data: { dir: "/var/lib/logkeep" } } },
    says: ["'/config/data/dir'", "must be '/data'"],
  },
  {
    values: { config: { auth: { adminKeyFile: "/key" } } },
    says: ["'/config/auth/adminKeyFile'", "must be '/etc/logkeep-key/admin-key'"],
  },
  {
    values: { config: { auth: { insecureListen: true } } },
    says: ["'/config/auth/insecureListen'", "must be false"],
  },
  { values: { config: { roles: ["ingest"] } }, says: ["'/config/roles'", "must be 'all'"] },
  {
    values: { config: { query: { timeoutMs: "soon" } } },
    says: ["'/config/query/timeoutMs'", "'soon'"],
  },
  { values: { config: { node: { id: 900 } } }, says: ["'/config/node/id'", "want 255"] },
  {
    values: { config: { storage: { retention: { days: 0 } } } },
    says: ["'/config/storage/retention/days'"],
  },
  {
    values: { config: { sources: [{ name: "orders" }] } },
    says: ["'/config/sources/0'", "'kafka'"],
  },
];

for (const { values, says } of wrong) {
  test(`helm refuses ${JSON.stringify(values)} and names it`, { skip }, async () => {
    const ran = await runHelm(["template", "logs", chartFolder, ...withValues(values)]);
    assert.equal(ran.status, 1, ran.stdout);
    for (const part of says) assert.ok(ran.stderr.includes(part), ran.stderr);
  });
}

test("helm lint refuses a wrong value as helm template does", { skip }, async () => {
  const values = { config: { http: { bodyMaxBytes: 1 } } };
  const ran = await runHelm(["lint", chartFolder, ...withValues(values)]);
  assert.equal(ran.status, 1);
  assert.match(ran.stdout + ran.stderr, /\/config\/http\/bodyMaxBytes/);
});
