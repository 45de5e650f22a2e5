// Goal: clients that others wrote work on the server unchanged: node-zookeeper-client, and kazoo where Python has it.
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { subjectOf } from "../src/server/certificate-name.ts";
import { temporaryDirectory } from "./log-harness.ts";
import { serve } from "./server-harness.ts";
import * as given from "./server-tls-given.ts";

/** As much of node-zookeeper-client as is used here; it has no types of its own. */
interface Zookeeper {
  connect(): void;
  close(): void;
  once(event: string, listener: () => void): void;
  on(event: string, listener: (state: unknown) => void): void;
  getSessionId(): Buffer;
  create(path: string, data: Buffer, mode: number, done: Callback<string>): void;
  getData(path: string, watcher: Watcher | undefined, done: Callback<Buffer>): void;
  setData(path: string, data: Buffer, version: number, done: Callback<{ version: number }>): void;
  getChildren(path: string, watcher: Watcher | undefined, done: Callback<string[]>): void;
  exists(path: string, watcher: Watcher | undefined, done: Callback<object | null>): void;
  remove(path: string, version: number, done: Callback<void>): void;
  mkdirp(path: string, done: Callback<string>): void;
  transaction(): Transaction;
}
interface Transaction {
  create(path: string, data: Buffer): Transaction;
  setData(path: string, data: Buffer): Transaction;
  remove(path: string): Transaction;
  commit(done: Callback<readonly object[]>): void;
}
type Watcher = (event: { readonly name: string; readonly path: string }) => void;
type Callback<T> = (error: Error | null, value: T) => void;

const zookeeper = createRequire(import.meta.url)("node-zookeeper-client") as {
  createClient(address: string, options: object): Zookeeper;
  readonly CreateMode: { readonly EPHEMERAL_SEQUENTIAL: number; readonly PERSISTENT: number };
};

function call<T>(run: (done: Callback<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    run((error, value) => {
      if (error === null || error === undefined) resolve(value);
      else reject(error);
    });
  });
}

test("node-zookeeper-client creates, reads, watches and commits", async (context) => {
  const { address } = await serve(context);
  const client = zookeeper.createClient(`127.0.0.1:${address.port}`, { sessionTimeout: 2000 });
  context.after(() => client.close());
  const connected = new Promise<void>((resolve) => client.once("connected", resolve));
  client.connect();
  await connected;
  const { EPHEMERAL_SEQUENTIAL, PERSISTENT } = zookeeper.CreateMode;
  await call<string>((done) => client.mkdirp("/app/logs", done));
  const fired = new Promise<string>((resolve) => {
    client.exists(
      "/app/new",
      ({ name, path }) => resolve(`${name} ${path}`),
      () => undefined,
    );
  });
  await call<string>((done) => client.create("/app/new", Buffer.from("1"), PERSISTENT, done));
  assert.equal(await fired, "NODE_CREATED /app/new");
  const changed = new Promise<string>((resolve) => {
    client.getData(
      "/app/new",
      ({ name }) => resolve(name),
      () => undefined,
    );
  });
  const stat = await call<{ version: number }>((done) =>
    client.setData("/app/new", Buffer.from("2"), -1, done),
  );
  assert.equal(stat.version, 1);
  assert.equal(await changed, "NODE_DATA_CHANGED");
  const data = await call<Buffer>((done) => client.getData("/app/new", undefined, done));
  assert.equal(data.toString(), "2");
  const path = await call<string>((done) =>
    client.create("/app/logs/n-", Buffer.alloc(0), EPHEMERAL_SEQUENTIAL, done),
  );
  assert.equal(path, "/app/logs/n-0000000000");
  const results = await call<readonly object[]>((done) =>
    client
      .transaction()
      .create("/app/t", Buffer.from("x"))
      .setData("/app/t", Buffer.from("y"))
      .remove("/app/new")
      .commit(done),
  );
  assert.equal(results.length, 3);
  const children = await call<string[]>((done) => client.getChildren("/app", undefined, done));
  assert.deepEqual(children.sort(), ["logs", "t"]);
  await assert.rejects(
    call<void>((done) => client.remove("/app", -1, done)),
    { name: "NOT_EMPTY" },
  );
});

const python = process.env["LOGKEEP_PYTHON"] ?? "python3";

function kazooMissing(): string | false {
  if (spawnSync(python, ["-c", "import kazoo"]).status === 0) return false;
  const isRequired = process.env["LOGKEEP_REQUIRE"]?.split(",").includes("kazoo") === true;
  assert(!isRequired, `kazoo is required here, but ${python} cannot import it`);
  return `${python} cannot import kazoo`;
}

test("kazoo: secure.py, over TLS with a certificate", {
  skip: kazooMissing(),
}, async (context) => {
  const material = { key: given.serverKey, cert: given.serverCertificate };
  const secure = { port: 0, material, trust: given.caCertificate };
  const { address, secureAddress } = await serve(context, { secure });
  const directory = temporaryDirectory(context);
  for (const [name, text] of [
    ["ca.pem", given.caCertificate],
    ["client.pem", given.clientCertificate],
    ["client.key", given.clientKey],
  ] as const) {
    writeFileSync(join(directory, name), text, { mode: 0o600 });
  }
  const subject = subjectOf(new X509Certificate(given.clientCertificate).raw);
  const path = fileURLToPath(new URL("kazoo/secure.py", import.meta.url));
  const ports = [`127.0.0.1:${address.port}`, `127.0.0.1:${secureAddress!.port}`];
  const ran = await promisify(execFile)(python, [path, ...ports, directory, subject], {
    timeout: 60_000,
  });
  assert.equal(ran.stdout.trim(), "ok");
});

for (const script of ["log_management.py", "sessions.py"]) {
  test(`kazoo: ${script}`, { skip: kazooMissing() }, async (context) => {
    const { address } = await serve(context);
    const path = fileURLToPath(new URL(`kazoo/${script}`, import.meta.url));
    const hosts = `127.0.0.1:${address.port}`;
    const { stdout } = await promisify(execFile)(python, [path, hosts], { timeout: 60_000 });
    assert.equal(stdout.trim().split("\n").at(-1), "ok");
  });
}
