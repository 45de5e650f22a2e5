import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { settingsSchema } from "../../config/src/schema.ts";
import { clusterSecretOf } from "../src/cluster-secret.ts";
import { checkClusterListeners } from "../src/exposure.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "logkeep-secret-"));
});

afterEach(() => rmSync(folder, { recursive: true }));

const ensemble = ["1=127.0.0.1:1:2", "2=127.0.0.1:3:4", "3=127.0.0.1:5:6"];
const remote = ["1=10.0.0.1:1:2", "2=10.0.0.2:1:2", "3=10.0.0.3:1:2"];

const settingsOf = (given: object) => settingsSchema.parse(given);

test("a node alone draws a secret of its own, keeps it to its user, and has it at the next start", async () => {
  const first = await clusterSecretOf(folder, settingsOf({}), undefined);
  assert.match(first.text, /^[0-9a-f]{64}$/);
  assert.equal(first.isKnown, false);
  assert.equal(statSync(path.join(folder, "cluster-secret")).mode & 0o777, 0o600);
  assert.deepEqual(await clusterSecretOf(folder, settingsOf({}), undefined), first);
});

test("nodes of one machine that were given none have the same, which lets nobody in from elsewhere", async () => {
  const settings = settingsOf({ coordinator: { ensemble } });
  const secret = await clusterSecretOf(folder, settings, undefined);
  assert.equal(secret.isKnown, true);
  const other = mkdtempSync(path.join(tmpdir(), "logkeep-secret-"));
  const joining = settingsOf({ cluster: { join: ["127.0.0.1:7071"] } });
  assert.deepEqual(await clusterSecretOf(other, joining, undefined), secret);
  rmSync(other, { recursive: true });
  checkClusterListeners(settings, secret);
  for (const open of [
    { peer: { listen: "0.0.0.0:7071" } },
    { coordinator: { ensemble: remote } },
  ]) {
    assert.throws(() => checkClusterListeners(settingsOf(open), secret), {
      code: "config.invalid",
    });
  }
});

for (const [name, given] of [
  ["members on other machines", { coordinator: { ensemble: remote } }],
  ["a listener for other machines", { coordinator: { ensemble }, peer: { listen: "0.0.0.0:0" } }],
  ["a cluster elsewhere", { cluster: { join: ["10.0.0.1:7071"] } }],
] as const) {
  test(`a node with ${name} must be given a secret`, async () => {
    const settings = settingsOf(given);
    await assert.rejects(clusterSecretOf(folder, settings, undefined), { code: "config.invalid" });
    const secret = await clusterSecretOf(folder, settings, "0123456789abcdef");
    assert.deepEqual(secret, { text: "0123456789abcdef", isKnown: false });
    checkClusterListeners(settings, secret);
  });
}

test("what the environment says is over the file, and the file over what was drawn; nothing given is kept", async () => {
  const file = path.join(folder, "given");
  writeFileSync(file, "a secret from a file\n");
  const settings = settingsOf({ cluster: { secretFile: file } });
  assert.equal((await clusterSecretOf(folder, settings, undefined)).text, "a secret from a file");
  assert.equal(
    (await clusterSecretOf(folder, settings, "another one for all")).text,
    "another one for all",
  );
  assert.throws(() => readFileSync(path.join(folder, "cluster-secret")), { code: "ENOENT" });
});

test("a short secret and a file that is not there are refused by name", async () => {
  await assert.rejects(clusterSecretOf(folder, settingsOf({}), "short"), /LOGKEEP_CLUSTER_SECRET/);
  const settings = settingsOf({ cluster: { secretFile: path.join(folder, "none") } });
  await assert.rejects(clusterSecretOf(folder, settings, undefined), { code: "config.invalid" });
});
