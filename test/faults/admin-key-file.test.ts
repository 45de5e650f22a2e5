import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { Service, temporaryFolder } from "../service.ts";
import { root } from "../suites.ts";

const first = `lk_${"0a".repeat(8)}_${"1b".repeat(32)}`;
const second = `lk_${"2c".repeat(8)}_${"3d".repeat(32)}`;

/** `logkeep start` beyond loopback, with the key of a file. */
function started(dataDir: string, file: string): Promise<Service> {
  const args = ["--http", "0.0.0.0:0", "--set", `auth.adminKeyFile=${file}`];
  return Service.start({ dataDir, args });
}

/** Asks what only an admin may know; gives the status and the names of the keys. */
async function keysOf(service: Service, token: string): Promise<{ status: number; keys: Named[] }> {
  const url = `${service.http.replace("0.0.0.0", "127.0.0.1")}/api/v1/keys`;
  const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
  const { keys = [] } = (await response.json()) as { keys?: Named[] };
  return { status: response.status, keys };
}

interface Named {
  readonly id: string;
  readonly name: string;
  readonly tenant: string;
  readonly scopes: readonly string[];
}

test("the key in auth.adminKeyFile lets a first start listen beyond loopback, and may do everything", async (context) => {
  const [dataDir, folder] = [temporaryFolder(), temporaryFolder()];
  const file = path.join(folder, "admin-key");
  writeFileSync(file, `  ${first}\n\n`);
  const service = await started(dataDir, file);
  context.after(() => service.kill());
  const { status, keys } = await keysOf(service, first);
  assert.equal(status, 200);
  assert.deepEqual(
    keys.map(({ id, name, tenant, scopes }) => ({ id, name, tenant, scopes })),
    [{ id: "0a".repeat(8), name: "admin-file", tenant: "default", scopes: ["admin"] }],
  );
  assert.equal((await keysOf(service, second)).status, 401);
  assert.equal(await service.stop(), 0);
});

test("a changed file replaces the key of the file before, and no key but that one", async (context) => {
  const [dataDir, folder] = [temporaryFolder(), temporaryFolder()];
  const file = path.join(folder, "admin-key");
  writeFileSync(file, first);
  const before = await started(dataDir, file);
  context.after(() => before.kill());
  const made = await create(before, first, "reader");
  assert.equal(made.status, 201);
  assert.equal((await create(before, first, "admin-file")).status, 400);
  await before.kill();

  writeFileSync(file, second);
  const after = await started(dataDir, file);
  context.after(() => after.kill());
  assert.equal((await keysOf(after, first)).status, 401);
  const { status, keys } = await keysOf(after, second);
  assert.equal(status, 200);
  assert.deepEqual(keys.map(({ name }) => name).sort(), ["admin-file", "reader"]);
  await after.kill();

  const again = await started(dataDir, file);
  context.after(() => again.kill());
  assert.equal((await keysOf(again, second)).keys.length, 2);
  assert.equal(await again.stop(), 0);
});

async function create(service: Service, token: string, name: string): Promise<Response> {
  return fetch(`${service.http.replace("0.0.0.0", "127.0.0.1")}/api/v1/keys`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ name, scopes: ["read"] }),
  });
}

test("a file that is not there or holds no key ends the start with its name, and never with its content", () => {
  const [dataDir, folder] = [temporaryFolder(), temporaryFolder()];
  const cases: readonly { readonly text: string | undefined; readonly says: RegExp }[] = [
    { text: undefined, says: /cannot be read: ENOENT/ },
    { text: "", says: /does not hold a key/ },
    { text: "hunter2", says: /does not hold a key/ },
    { text: first.slice(0, -1), says: /does not hold a key/ },
    { text: first.toUpperCase(), says: /does not hold a key/ },
    { text: `${first}\n${second}\n`, says: /does not hold a key/ },
    { text: `${" ".repeat(2000)}${first}`, says: /does not hold a key/ },
  ];
  for (const [at, { text, says }] of cases.entries()) {
    const file = path.join(folder, `key-${at}`);
    if (text !== undefined) writeFileSync(file, text);
    const own = "127.0.0.1:0";
    const args = ["--http", "0.0.0.0:0", "--coordinator", own, "--peer", own];
    const ran = spawnSync(
      path.join(root, "services/bin/logkeep"),
      ["start", "--data", dataDir, ...args, "--set", `auth.adminKeyFile=${file}`],
      { timeout: 120_000 },
    );
    const stderr = ran.stderr.toString();
    assert.equal(ran.status, 1, stderr);
    assert.match(stderr, says);
    assert.ok(stderr.includes(`auth.adminKeyFile: ${file} `), stderr);
    if (text) assert.ok(!stderr.includes(text.trim().slice(3)), stderr);
  }
});
