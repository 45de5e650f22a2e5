// Goal: a rule's records go when their time is up and the others stay; a full disk is 503 for shippers and probes, and
// ends by itself; /api/v1/retention says what is kept, for whom and until when.
import assert from "node:assert/strict";
import { closeSync, ftruncateSync, openSync, readdirSync, rmSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { RetentionAnswer } from "../../api/src/retention.ts";
import { Service, temporaryFolder } from "../service.ts";

const mebibyte = 1024 * 1024;

async function retention(service: Service, search = "", tenant?: string): Promise<RetentionAnswer> {
  const headers = tenant === undefined ? undefined : { "X-Logkeep-Tenant": tenant };
  const response = await fetch(`${service.http}/api/v1/retention${search}`, {
    ...(headers && { headers }),
  });
  assert.equal(response.status, 200);
  return (await response.json()) as RetentionAnswer;
}

async function until(isSo: () => Promise<boolean>, timeoutMs = 120_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await isSo())) {
    assert.ok(performance.now() < end, "it came so in time");
    await sleep(100);
  }
}

test("a rule's class is dropped when its time is up, while the others stay", async (t) => {
  const dataDir = temporaryFolder();
  const rules = JSON.stringify([
    { filter: '{service="audit"}', days: 365 },
    { tenant: "acme", filter: "*", days: 30 },
    // Three seconds.
    { filter: "level:debug", days: 0.000035 },
  ]);
  // What a stop had no time to seal is sealed soon after the start.
  const env = { LOGKEEP_STORAGE_RETENTION_RULES: rules, LOGKEEP_STORAGE_SEAL_AGE_MS: "1000" };
  const first = await Service.start({ dataDir, env });
  t.after(() => first.kill());
  const records = Array.from({ length: 300 }, (_, n) => ({
    service: ["api", "audit"][n % 2],
    level: ["debug", "info", "error"][n % 3],
    n: String(n),
  }));
  await first.ship(records, { stream: "service" });
  await first.ship([{ service: "api", level: "debug" }], {
    headers: { "X-Logkeep-Tenant": "acme" },
  });
  const { classes, rules: told } = await retention(first, "?all=1");
  const counts = new Map(classes.map((each) => [`${each.tenant} ${each.class}`, each.records]));
  assert.equal(counts.get("default 365d"), 150);
  assert.equal(counts.get("default 0.000035d"), 50);
  assert.equal(counts.get("acme 30d"), 1);
  assert.equal(told.length, 3);
  assert.deepEqual(
    (await retention(first)).classes.filter(({ tenant }) => tenant === "acme"),
    [],
  );
  assert.equal((await retention(first, "", "acme")).classes[0]?.class, "30d");
  const made = await fetch(`${first.http}/api/v1/keys`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: '{"name":"reader","scopes":["read"],"tenant":"acme"}',
  });
  const { token } = (await made.json()) as { readonly token: string };
  const authorization = `Bearer ${token}`;
  const own = await fetch(`${first.http}/api/v1/retention`, { headers: { authorization } });
  const seen = ((await own.json()) as RetentionAnswer).classes;
  assert.deepEqual([...new Set(seen.map(({ tenant }) => tenant))], ["acme"]);
  const all = await fetch(`${first.http}/api/v1/retention?all=1`, { headers: { authorization } });
  assert.equal(all.status, 403);
  await first.stop();

  await sleep(3_100);
  const second = await Service.start({ dataDir, env });
  t.after(() => second.kill());
  // Where it missed the look of the start, the next one is a minute later.
  await until(async () => (await second.count("level:debug {service=api}")) === 0, 240_000);
  assert.equal(await second.count("n:*"), 250);
  assert.equal(await second.count("level:debug {service=audit}"), 50);
  const audit = (await retention(second)).classes.find((each) => each.class === "365d");
  assert.deepEqual(audit?.rules, ['{service="audit"}']);
  assert.equal(audit.nextDrop?.reason, "age");
  const inDays = (Date.parse(audit.nextDrop.at) - Date.now()) / 86_400_000;
  assert.ok(inDays > 364.9 && inDays <= 365.1, audit.nextDrop.at);
  // What was dropped can be had back for an hour.
  assert.ok(readdirSync(path.join(dataDir, "storage/trash")).length > 0);
  assert.equal(await second.stop(), 0, second.log);
});

test("a rule that cannot be decided when a record comes ends the start with its name", async () => {
  const env = { LOGKEEP_STORAGE_RETENTION_RULES: '[{"filter":"_time:5m","days":1}]' };
  await assert.rejects(
    Service.start({ env }),
    /storage\.retention\.rules\[0\]\.filter: a rule cannot ask for the time/,
  );
});

test("at 95 % of storage.diskMaxBytes shippers get 503 and probes are told, until there is room", async (t) => {
  const service = await Service.start({ args: ["--set", "storage.diskMaxBytes=128MiB"] });
  t.after(() => service.kill());
  await service.ship([{ service: "s", n: "1" }]);
  assert.equal((await fetch(`${service.http}/readyz`)).status, 200);
  // In the trash, and from the future, so that it is not emptied away.
  const filler = path.join(service.dataDir, "storage/trash", `${Date.now() + 3_600_000}-filler`);
  const fd = openSync(filler, "w");
  ftruncateSync(fd, 125 * mebibyte);
  closeSync(fd);
  await until(async () => (await fetch(`${service.http}/readyz`)).status === 503);
  assert.match(
    await (await fetch(`${service.http}/readyz`)).text(),
    /^storage\.diskMaxBytes is \d+ % full$/m,
  );
  const refused = await fetch(`${service.http}/api/v1/logs`, {
    method: "POST",
    body: '{"n":"2"}\n',
  });
  assert.equal(refused.status, 503);
  assert.match(refused.headers.get("retry-after") ?? "", /^\d+$/);
  assert.match(await refused.text(), /"code":"storage\.full"/);
  assert.equal(await service.count("n:*"), 1);
  assert.equal((await retention(service)).disk.isFull, true);
  const metrics = await (await fetch(`${service.http}/metrics`)).text();
  assert.match(metrics, /^logkeep_storage_disk_full 1$/m);
  rmSync(filler);
  await until(async () => (await fetch(`${service.http}/readyz`)).status === 200);
  await service.ship([{ service: "s", n: "3" }]);
  assert.equal(await service.count("n:*"), 2);
  assert.equal(await service.stop(), 0, service.log);
});
