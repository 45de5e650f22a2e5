// Goal: what a delete names is found by nothing within a second, stays so over SIGKILL, leaves the files and the disk, and
// nothing else goes.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Delete, DeletesAnswer } from "../../api/src/deletes.ts";
import { Service, temporaryFolder } from "../service.ts";

const json = { "Content-Type": "application/json" };

/** Replaced files go after twice the deadline of a query: where they are waited for, nobody asks meanwhile. */
const hasty = { LOGKEEP_QUERY_TIMEOUT_MS: "1000" };
/** Where somebody does. */
const env = { LOGKEEP_QUERY_TIMEOUT_MS: "5000" };

async function post(
  service: Service,
  body: object,
  headers: Record<string, string> = {},
): Promise<{ status: number; answer: Record<string, unknown> }> {
  const init = { method: "POST", headers: { ...json, ...headers }, body: JSON.stringify(body) };
  const response = await fetch(`${service.http}/api/v1/deletes`, init);
  return { status: response.status, answer: (await response.json()) as Record<string, unknown> };
}

async function get<T>(service: Service, search: string): Promise<T> {
  const response = await fetch(`${service.http}/api/v1/${search}`);
  assert.equal(response.status, 200, search);
  return (await response.json()) as T;
}

/** Half of them of a user whose every message is a text of its own, so that they take most of the disk. */
function recordsOf(from: number, count: number, time = Date.now()): object[] {
  return Array.from({ length: count }, (_, i) => {
    const n = from + i;
    const isBad = n % 2 === 0;
    const noise = Array.from({ length: 20 }, (_, j) =>
      ((n * 7919 + j * 104_729) ** 2).toString(36),
    );
    return {
      _time: time - i,
      service: `s${n % 3}`,
      host: "h",
      user: isBad ? "bad" : "good",
      n: String(n),
      _msg: isBad ? `request of bad ${noise.join(" ")}` : "request of good",
    };
  });
}

function segmentBytes(dataDir: string): number {
  const storage = path.join(dataDir, "storage");
  const folders = readdirSync(storage).filter((name) => name.startsWith("shard-"));
  return folders
    .flatMap((folder) => readdirSync(path.join(storage, folder)).map((name) => [folder, name]))
    .filter(([, name]) => /^\d+-/.test(name!))
    .reduce((sum, names) => sum + statSync(path.join(storage, ...names)).size, 0);
}

async function until(isSo: () => Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + 120_000;
  while (!(await isSo())) {
    assert.ok(performance.now() < end, what);
    await sleep(100);
  }
}

test("deleted records are found by nothing, over SIGKILL and rewrites, and leave the disk", async (t) => {
  const dataDir = temporaryFolder();
  let service = await Service.start({ dataDir });
  t.after(() => service.kill());
  for (let from = 0; from < 24_000; from += 4000) await service.ship(recordsOf(from, 4000));
  // Sealed by a stop, and more in memory.
  await service.stop();
  const before = segmentBytes(dataDir);
  service = await Service.start({ dataDir });
  await service.ship(recordsOf(24_000, 1000));
  const counted = "user:=bad | stats by (user) count() n";
  assert.deepEqual(await service.search(counted), [{ user: "bad", n: "12500" }]);
  assert.equal(await service.count("host:=h"), 25_000);

  const dry = await post(service, { query: "user:=bad", dryRun: true });
  assert.deepEqual(dry, { status: 200, answer: { query: "user:=bad", rows: 12_500 } });
  assert.equal(await service.count("user:=bad"), 12_500);
  const made = await post(service, { query: "user:=bad" });
  assert.equal(made.status, 202, JSON.stringify(made.answer));
  assert.equal(made.answer["rowsHidden"], 12_500);
  const id = String(made.answer["id"]);
  const isHidden = async (): Promise<void> => {
    assert.deepEqual(await service.search(counted), []);
    assert.equal(await service.count("host:=h"), 12_500);
    assert.deepEqual(await service.search("host:=h | stats by (user) count() n"), [
      { user: "good", n: "12500" },
    ]);
    const range = "start=0&query=host:=h";
    const { values } = await get<{ values: object[] }>(service, `fields/user/values?${range}`);
    assert.deepEqual(values, [{ value: "good", count: 12_500 }]);
    const { series } = await get<{ series: { total: number }[] }>(
      service,
      `histogram?start=1d&query=host:=h`,
    );
    assert.equal(
      series.reduce((sum, { total }) => sum + total, 0),
      12_500,
    );
  };
  await isHidden();
  await service.kill();
  service = await Service.start({ dataDir });
  await isHidden();
  // What comes later is not deleted.
  await service.ship(recordsOf(0, 2));
  assert.equal(await service.count("user:=bad"), 1);
  await service.stop();
  service = await Service.start({ dataDir, env: hasty });
  let found = await get<Delete>(service, `deletes/${id}`);
  await until(async () => {
    found = await get<Delete>(service, `deletes/${id}`);
    return found.state === "done";
  }, "no file holds what was deleted");
  assert.ok(found.doneAt !== undefined && found.filesLeft === 0);
  assert.ok(segmentBytes(dataDir) < before / 2, `${segmentBytes(dataDir)} of ${before} bytes`);
  await service.stop();
  service = await Service.start({ dataDir });
  assert.equal(await service.count("user:=bad"), 1);
  assert.equal(await service.count("user:=good"), 12_501);
  const { deletes } = await get<DeletesAnswer>(service, "deletes");
  assert.deepEqual(
    deletes.map((each) => [each.id, each.state]),
    [[id, "done"]],
  );
  await service.stop();
});

test("a delete keeps to its tenant, its times and its scope, and is refused with what is wrong", async (t) => {
  const service = await Service.start();
  t.after(() => service.kill());
  const time = Date.parse("2026-11-20T12:00:00Z");
  await service.ship(recordsOf(0, 100, time));
  await service.ship(recordsOf(0, 100, time), { headers: { "X-Logkeep-Tenant": "other" } });
  const refusals: [object, number, string][] = [
    [{ query: "user:=bad | limit 1" }, 400, "query.invalid"],
    [{ query: "user:=" }, 400, "query.syntax"],
    [{ query: '{stream="_rejected"}' }, 400, "query.invalid"],
    [{ query: "user:in(* | fields user)" }, 400, "query.invalid"],
    [{ query: "x".repeat(5000) }, 400, "request.malformed"],
    [{ query: "*", start: "now", end: "1h" }, 400, "request.malformed"],
    [{}, 400, "request.malformed"],
  ];
  for (const [body, status, code] of refusals) {
    const refused = await post(service, body);
    assert.deepEqual([refused.status, refused.answer["code"]], [status, code]);
  }
  const range = { start: "2026-11-20T11:59:59.950Z", end: "2026-11-20T11:59:59.980Z" };
  const made = await post(service, { query: "user:=bad", ...range });
  assert.deepEqual([made.status, made.answer["rowsHidden"]], [202, 15]);
  assert.equal(await service.count("user:=bad"), 35);
  const other = { headers: { "X-Logkeep-Tenant": "other" } };
  const url = `${service.http}/api/v1/deletes/${String(made.answer["id"])}`;
  assert.equal((await fetch(url, other)).status, 404);
  assert.equal((await fetch(url, { method: "DELETE" })).status, 405);
  const keyOf = async (scope: string): Promise<Record<string, string>> => {
    const body = JSON.stringify({ name: scope, scopes: [scope] });
    const init = { method: "POST", headers: json, body };
    const answer = await (await fetch(`${service.http}/api/v1/keys`, init)).json();
    return { Authorization: `Bearer ${(answer as { token: string }).token}` };
  };
  assert.equal((await post(service, { query: "*" }, await keyOf("write"))).status, 403);
  const allowed = await post(service, { query: "user:=bad" }, await keyOf("delete"));
  assert.deepEqual([allowed.status, allowed.answer["author"]], [202, "delete"]);
  assert.equal(await service.count("user:=bad"), 0);
  assert.equal(await service.count("user:=good"), 50);
  await service.stop();
});

test("logkeep delete hides, waits and tells", async (t) => {
  const service = await Service.start({ env });
  t.after(() => service.kill());
  await service.ship(recordsOf(0, 10));
  const bin = path.join(import.meta.dirname, "../../services/bin/logkeep");
  const run = (...args: string[]) =>
    execFileSync(bin, [...args, "--url", service.http], { encoding: "utf8", timeout: 180_000 });
  assert.match(run("delete", "user:=bad", "--dry-run"), /^5 records match user:=bad\n$/);
  assert.match(run("delete", "user:=bad", "--wait"), /5 records are hidden\n.*: done, \d+ files/);
  assert.match(run("deletes"), / done .* 5 .*user:=bad\n/);
  await service.stop();
});
