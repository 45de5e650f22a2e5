import assert from "node:assert/strict";
import test from "node:test";
import { parseToken } from "../../api/src/key.ts";
import { chartFolder } from "../../helm/src/files.ts";
import { type ApiServer, startApiServer } from "./api-server.ts";
import { at, missingHelm, render, runHelm } from "./chart.ts";

const skip = missingHelm();

/** The token in a rendered Secret. */
function tokenOf(secret: unknown): string {
  return Buffer.from(String(at(secret, "data.admin-key")), "base64").toString();
}

async function withApiServer(use: (api: ApiServer) => Promise<void>): Promise<void> {
  const api = await startApiServer();
  try {
    await use(api);
  } finally {
    api.close();
  }
}

test("a first install makes an admin key of the form that the service reads", {
  skip,
}, async () => {
  const [one, other] = [await render(), await render()];
  const token = tokenOf(one.find("Secret"));
  assert.notEqual(parseToken(token), undefined, token);
  assert.notEqual(tokenOf(other.find("Secret")), token);
});

test("an upgrade keeps the key that the cluster has (the API server is a stand-in)", {
  skip,
}, async () => {
  await withApiServer(async (api) => {
    const server = ["--dry-run=server", "--kubeconfig", api.kubeconfig, "--namespace", "logs"];
    const installed = await render({}, server);
    const token = tokenOf(installed.find("Secret"));
    assert.notEqual(parseToken(token), undefined);
    const data = { "admin-key": Buffer.from(token).toString("base64") };
    api.secrets.set("logs/logs-logkeep-admin-key", data);
    const upgraded = await render({}, [...server, "--is-upgrade"]);
    assert.equal(tokenOf(upgraded.find("Secret")), token);
    const elsewhere = ["--dry-run=server", "--kubeconfig", api.kubeconfig, "--namespace", "more"];
    assert.notEqual(tokenOf((await render({}, elsewhere)).find("Secret")), token);
    // Somebody emptied it: a key is made again, rather than a pod that cannot start.
    api.secrets.set("logs/logs-logkeep-admin-key", {});
    const mended = await render({}, [...server, "--is-upgrade"]);
    assert.notEqual(parseToken(tokenOf(mended.find("Secret"))), undefined);
  });
});

test("a Secret that is there is used by pod, test and ServiceMonitor, and none is made", {
  skip,
}, async () => {
  const auth = { existingSecret: "my-key", existingSecretKey: "token" };
  const { manifests, find } = await render({ auth, serviceMonitor: { enabled: true } });
  assert.deepEqual(
    manifests.filter(({ kind }) => kind === "Secret"),
    [],
  );
  const volumes = at(find("StatefulSet"), "spec.template.spec.volumes") as readonly object[];
  const { secret } = volumes.find((each) => at(each, "name") === "key") as { secret: object };
  assert.equal(at(secret, "secretName"), "my-key");
  assert.deepEqual(at(secret, "items"), [{ key: "token", path: "admin-key" }]);
  const reference = { name: "my-key", key: "token" };
  const env = at(find("Pod"), "spec.containers.0.env");
  assert.deepEqual(at(env, "1.valueFrom.secretKeyRef"), reference);
  const { credentials } = at(find("ServiceMonitor"), "spec.endpoints.0.authorization") as {
    credentials: object;
  };
  assert.deepEqual(credentials, reference);
});

test("the notes tell how to read the key, and the first commands", { skip }, async () => {
  await withApiServer(async (api) => {
    const server = ["--dry-run=server", "--kubeconfig", api.kubeconfig, "--namespace", "logs"];
    const notes = async (...sets: readonly string[]): Promise<string> => {
      const args = ["install", "logs", chartFolder, ...server, "--disable-openapi-validation"];
      const ran = await runHelm([...args, ...sets.flatMap((each) => ["--set", each])]);
      assert.equal(ran.status, 0, ran.stderr);
      return ran.stdout.slice(ran.stdout.indexOf("NOTES:"));
    };
    const plain = await notes();
    const read = `kubectl get secret -n logs logs-logkeep-admin-key -o go-template='{{ index .data "admin-key" | base64decode }}'`;
    assert.ok(plain.includes(read), plain);
    assert.match(plain, /port-forward -n logs service\/logs-logkeep 7070:7070/);
    assert.match(plain, /echo hello \| logkeep ship --stream service=hello -\n {2}logkeep search/);
    assert.doesNotMatch(plain, /WARNING|as one cluster/);

    const several = await notes("replicas=3");
    assert.match(several, /in logs: 3 pods as one cluster, 3 of which vote in its coordinator\./);
    assert.match(several, /logkeep shard list/);
    assert.doesNotMatch(several, /alone|may be lost yet/);
    assert.match(await notes("replicas=2"), /on logs-logkeep-0 alone/);
    assert.match(await notes("replicas=2", "voters=3"), /Neither pod may be lost yet: go on/);

    const exposed = await notes("ingress.enabled=true,ingress.hosts={logs.example.com}");
    assert.match(exposed, /export LOGKEEP_URL=http:\/\/logs\.example\.com\n/);
    assert.doesNotMatch(exposed, /port-forward/);

    const warned = await notes(
      "persistence.enabled=false",
      "config.elasticsearch.password=hunter2",
    );
    assert.match(warned, /WARNING: persistence\.enabled is false/);
    assert.match(warned, /WARNING: config\.elasticsearch\.password is secret/);
    assert.doesNotMatch(warned, /hunter2/);
  });
});
