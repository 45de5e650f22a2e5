// Goal: a snapshot that the admin server gives brings everything back, on the same server or another, and nothing that is not
// whole, not proved or not allowed changes anything.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test, { type TestContext } from "node:test";

import { digestOf } from "../src/server/auth.ts";
import type { AdminOptions } from "../src/server/options.ts";
import type { Coordinator, CoordinatorOptions } from "../src/server/start.ts";
import { CreateRequest, SetAclRequest, WatchedRequest } from "../src/wire/records.ts";
import { TestEnsemble } from "./ensemble-harness.ts";
import { temporaryDirectory } from "./log-harness.ts";
import { open, RawClient, serve } from "./server-harness.ts";

const root = "digest root:secret";

async function serveAdmin(
  context: TestContext,
  admin: Partial<AdminOptions> = {},
  options: Partial<CoordinatorOptions> = {},
): Promise<Coordinator> {
  return serve(context, { admin: { host: "127.0.0.1", port: 0, rateMs: 0, ...admin }, ...options });
}

async function send(
  { adminAddress }: Coordinator,
  command: string,
  { body, authorization = root }: { body?: Buffer; authorization?: string } = {},
): Promise<Response> {
  const { host, port } = adminAddress!;
  const init: RequestInit = { headers: authorization === "" ? {} : { authorization } };
  if (body !== undefined) Object.assign(init, { method: "POST", body: new Uint8Array(body) });
  return fetch(`http://${host}:${port}/commands/${command}`, init);
}

async function snapshotOf(coordinator: Coordinator): Promise<Buffer> {
  const response = await send(coordinator, "snapshot?streaming=true");
  assert.equal(response.status, 200);
  const bytes = Buffer.from(await response.arrayBuffer());
  assert.equal(Number(response.headers.get("snapshot_size")), bytes.length);
  return bytes;
}

async function clientOf(context: TestContext, { address }: Coordinator): Promise<RawClient> {
  return (await RawClient.open(context, address.port)).client;
}

async function dataOf(client: RawClient, path: string): Promise<string> {
  const { error, body } = await client.ask("getData", WatchedRequest, { path, watch: false });
  return error === "OK" ? String(body.buffer()) : error;
}

test("what was there at the snapshot is there again after a restore, and what came later is not", async (context) => {
  const coordinator = await serveAdmin(context);
  const client = await clientOf(context, coordinator);
  await client.create("/kept");
  await client.ask("create", CreateRequest, {
    path: "/big",
    data: Buffer.alloc(900_000, "x"),
    acl: open,
    flags: 0,
  });
  const bytes = await snapshotOf(coordinator);
  await client.create("/later");
  const zxidBefore = coordinator.stats().zxidLast;
  const { port } = coordinator.address;
  const response = await send(coordinator, "restore", { body: bytes });
  const fields = (await response.json()) as { last_zxid: number; error: unknown };
  assert.deepEqual([response.status, fields.error], [200, null]);
  assert(fields.last_zxid < zxidBefore);
  // On the same port; what clients have seen is behind all that comes.
  const again = (await RawClient.open(context, port)).client;
  assert.equal(await dataOf(again, "/kept"), "/kept");
  assert.equal((await dataOf(again, "/big")).length, 900_000);
  assert.equal(await dataOf(again, "/later"), "NONODE");
  await again.create("/after");
  assert(coordinator.stats().zxidLast > zxidBefore);
});

test("a restored server starts from what it was given, also on another's snapshot", async (context) => {
  const source = await serveAdmin(context);
  await (await clientOf(context, source)).create("/from-there");
  const bytes = await snapshotOf(source);
  const dataDir = temporaryDirectory(context);
  const target = await serveAdmin(context, {}, { dataDir });
  await (await clientOf(context, target)).create("/own");
  assert.equal((await send(target, "restore", { body: bytes })).status, 200);
  await (await clientOf(context, target)).create("/after");
  await target.close();
  const started = await serve(context, { dataDir });
  const client = await clientOf(context, started);
  assert.equal(await dataOf(client, "/from-there"), "/from-there");
  assert.equal(await dataOf(client, "/after"), "/after");
  assert.equal(await dataOf(client, "/own"), "NONODE");
  const left = readdirSync(join(dataDir, "version-2")).filter((name) => name.endsWith(".tmp"));
  assert.deepEqual(left, []);
});

test("what is not a whole snapshot is refused, and the server serves on", async (context) => {
  const dataDir = temporaryDirectory(context);
  const coordinator = await serveAdmin(context, {}, { dataDir });
  const client = await clientOf(context, coordinator);
  await client.create("/a");
  const bytes = await snapshotOf(coordinator);
  const flipped = Buffer.from(bytes);
  flipped[bytes.length >> 1]! ^= 1;
  const bodies: readonly Buffer[] = [
    Buffer.from("nonsense"),
    Buffer.alloc(0),
    bytes.subarray(0, -1),
    // Whole as a snapshot of 3.8: it does not say its zxid.
    bytes.subarray(0, -21),
    flipped,
  ];
  for (const [at, body] of bodies.entries()) {
    const response = await send(coordinator, "restore", { body });
    assert.equal(response.status, 400, String(at));
    assert.match(((await response.json()) as { error: string }).error, /no whole snapshot/);
  }
  // The same connection: nobody was sent away.
  assert.equal(await dataOf(client, "/a"), "/a");
  assert.equal(existsSync(join(dataDir, "version-2", "log.100000001")), true);
  assert.equal(
    readdirSync(join(dataDir, "version-2")).some((name) => name.startsWith("image")),
    false,
  );
});

test("both ask for every right on the root, and say what is missing", async (context) => {
  const coordinator = await serveAdmin(context);
  const client = await clientOf(context, coordinator);
  const acl = [{ perms: 31, id: { scheme: "digest", id: digestOf("root:secret") } }];
  await client.authenticate("root:secret");
  const set = await client.ask("setACL", SetAclRequest, { path: "/", acl, version: -1 });
  assert.equal(set.error, "OK");
  const rows: readonly (readonly [string, number, string])[] = [
    ["", 401, "Auth info is missing for the command"],
    ["kerberos x", 401, "Not authenticated"],
    ["x509", 401, "Not authenticated"],
    ["digest a b", 401, "Not authenticated"],
    ["digest root:wrong", 403, "Not authorized"],
    ["ip", 403, "Not authorized"],
  ];
  for (const [authorization, status, error] of rows) {
    for (const command of ["snapshot", "restore"]) {
      const given = command === "restore" ? { body: Buffer.alloc(0) } : {};
      const response = await send(coordinator, command, { authorization, ...given });
      assert.equal(response.status, status, authorization);
      assert.deepEqual(await response.json(), { error, command });
    }
  }
  assert.equal((await send(coordinator, "snapshot", { authorization: root })).status, 200);
});

test("they are rate limited, may be disabled, and without streaming a snapshot stays where it is", async (context) => {
  const dataDir = temporaryDirectory(context);
  const coordinator = await serveAdmin(context, { rateMs: 60_000 }, { dataDir });
  await (await clientOf(context, coordinator)).create("/a");
  const response = await send(coordinator, "snap?streaming=false");
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), { error: null, command: "snapshot" });
  const zxid = Number(response.headers.get("last_zxid"));
  const { length } = readFileSync(join(dataDir, "version-2", `snapshot.${zxid.toString(16)}`));
  assert.equal(Number(response.headers.get("snapshot_size")), length);
  assert.equal((await send(coordinator, "snapshot")).status, 429);
  const closed = await serveAdmin(context, { snapshotEnabled: false, restoreEnabled: false });
  assert.equal((await send(closed, "snapshot")).status, 503);
  assert.equal((await send(closed, "restore", { body: Buffer.alloc(0) })).status, 503);
  assert.equal((await send(closed, "snapshot", { body: Buffer.alloc(0) })).status, 405);
});

test("a member of an ensemble gives snapshots and takes none", async (context) => {
  const admin = { host: "127.0.0.1", port: 0 };
  const ensemble = new TestEnsemble(context, [1, 2, 3], { admin });
  await ensemble.startAll();
  const leader = await ensemble.serving();
  const bytes = await snapshotOf(ensemble.get(leader));
  const response = await send(ensemble.get(leader), "restore", { body: bytes });
  assert.equal(response.status, 501);
  assert.match(await response.text(), /member of an ensemble/);
});
