// Goal: what a node says to another one's coordinator nobody reads on the way, and who is not believed is told why.
// Method: real processes; between them a proxy that keeps what it passes on. A node is reached at 0.0.0.0, which is no loopback
// address and goes to 127.0.0.1, where the proxy is; the coordinator itself is at 127.0.0.3.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import test, { type TestContext } from "node:test";
import { keyMaterialRead } from "../../coordinator/src/server/key-stores.ts";
import { startCoordinator } from "../../coordinator/src/server/start.ts";
import * as given from "../../coordinator/test/server-tls-given.ts";

const bin = resolve(import.meta.dirname, "../bin/logkeep");
const secret = "a-secret-that-nobody-on-the-way-may-know";
const patienceMs = 90_000;

function folder(context: TestContext): string {
  const made = mkdtempSync(join(tmpdir(), "logkeep-tls-"));
  context.after(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

/** A process of the command, which ends with the test. */
class Node {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  said = "";

  constructor(context: TestContext, args: readonly string[], itsSecret = secret) {
    const all = ["start", ...args, "--http", "127.0.0.1:0"];
    this.#child = spawn(bin, all, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, LOGKEEP_CLUSTER_SECRET: itsSecret },
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on("data", (text: Buffer) => {
        this.said += String(text);
      });
    }
    this.#ended = once(this.#child, "close").then(([code]) => code as number | null);
    context.after(async () => {
      this.#child.kill("SIGKILL");
      await this.#ended;
    });
  }

  /** Its code, once it has ended by itself. */
  get ended(): Promise<number | null> {
    return this.#ended;
  }

  async says(what: RegExp): Promise<void> {
    const endMs = performance.now() + patienceMs;
    while (!what.test(this.said)) {
      assert.equal(this.#child.exitCode, null, this.said);
      assert.ok(performance.now() < endMs, `${what} was not said: ${this.said}`);
      await new Promise((resolved) => setTimeout(resolved, 20));
    }
  }
}

/** By then a node has told the others of itself, and asked the coordinator for all that it knows. */
const announced = /"shards are placed"|"store opened, acquiring"/;

/** Listens at 127.0.0.1, passes all on to the same port of 127.0.0.3, and keeps it. */
async function listeningIn(context: TestContext) {
  const heard: Buffer[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((from) => {
    const beyond = connect(port, "127.0.0.3");
    for (const [one, other] of [
      [from, beyond],
      [beyond, from],
    ] as const) {
      sockets.add(one);
      one.on("error", () => undefined).on("close", () => other.destroy());
      one.on("data", (bytes: Buffer) => {
        heard.push(bytes);
        other.write(bytes);
      });
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const address = server.address();
  assert(address !== null && typeof address === "object");
  const { port } = address;
  const take = (): Buffer => Buffer.concat(heard.splice(0));
  return { port, take };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "0.0.0.0");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  assert(address !== null && typeof address === "object");
  return address.port;
}

test("a node that joins or connects says its secret to nobody on the way, and one with another secret is told", async (context) => {
  const wire = await listeningIn(context);
  const at = folder(context);
  const data = (id: number): string[] => ["--node-id", `${id}`, "--data", join(at, `${id}`)];
  const peer = `0.0.0.0:${await freePort()}`;
  const listens = ["--peer", peer, "--coordinator", `127.0.0.3:${wire.port}`];
  const first = new Node(context, [...data(1), "--set", "node.host=0.0.0.0", ...listens]);
  await first.says(announced);

  const beyond = ["--set", "node.host=0.0.0.0", "--peer", "0.0.0.0:0"];
  const joined = new Node(context, [...data(2), ...beyond, "--join", peer]);
  await joined.says(announced);
  const overTls = wire.take();
  assert.ok(overTls.length > 5_000, `${overTls.length}`);
  assert.equal(overTls.includes(secret), false);
  assert.equal(overTls.includes("/logkeep"), false);
  assert.doesNotMatch(joined.said, /no TLS/);
  const known = JSON.parse(readFileSync(join(at, "2", "cluster.json"), "utf8")) as object;
  const coordinator = `0.0.0.0:${wire.port}`;
  assert.deepEqual(
    { ...known, cluster: "", peers: [] },
    { cluster: "", coordinators: [coordinator], secured: [coordinator], peers: [] },
  );

  const named = [...beyond, "--connect", coordinator];
  const byKey = ["--set", "coordinator.connectTls=secret"];
  const another = "another-secret-than-theirs";
  const stranger = new Node(context, [...data(4), ...named, ...byKey], another);
  assert.equal(await stranger.ended, 1);
  const told = `no TLS with the coordinator at ${coordinator}: it has another secret`;
  assert.ok(stranger.said.includes(told), stranger.said);
  const plainText = wire.take();
  for (const each of [secret, another]) assert.equal(plainText.includes(each), false);

  // As every node did before: it is taken, it is read, and the log says so.
  const plain = new Node(context, [...data(3), ...named]);
  await plain.says(announced);
  assert.match(
    plain.said,
    /no TLS with this coordinator: the cluster's secret crosses the network/,
  );
  assert.equal(wire.take().includes(secret), true);
});

test("certificates are spoken with a foreign ensemble, and one that does not fit is named", async (context) => {
  const at = folder(context);
  const file = (name: string, text: string): string => {
    writeFileSync(join(at, name), text);
    return join(at, name);
  };
  const { caCertificate, clientCertificate, clientKey, otherCertificate, otherKey } = given;
  const material = keyMaterialRead(
    "server.pem",
    Buffer.from(given.serverKey + given.serverCertificate),
    "",
  );
  const secure = { port: 0, material, trust: caCertificate };
  const server = await startCoordinator({ dataDir: folder(context), secure });
  context.after(() => server.close());
  const files = (ca: string, cert: string, key: string): string[] => [
    ...[
      "--set",
      `peer.tlsCaFile=${file("ca", ca)}`,
      "--set",
      `peer.tlsCertFile=${file("c", cert)}`,
    ],
    ...[
      "--set",
      `peer.tlsKeyFile=${file("key", key)}`,
      "--set",
      "coordinator.connectTls=certificates",
    ],
  ];
  const start = (id: string, tls: readonly string[]): Node => {
    const named = ["--connect", `localhost:${server.secureAddress?.port}`, "--peer", "127.0.0.1:0"];
    return new Node(context, ["--data", join(at, id), ...named, ...tls]);
  };
  await start("1", files(caCertificate, clientCertificate, clientKey)).says(announced);

  const stranger = start("2", files(otherCertificate, otherCertificate, otherKey));
  assert.equal(await stranger.ended, 1);
  assert.match(stranger.said, /no TLS with the coordinator at localhost:\d+: .*certificate/);

  const without = start("3", ["--set", "coordinator.connectTls=certificates"]);
  assert.equal(await without.ended, 1);
  assert.match(without.said, /connectTls certificates needs peer\.tlsCaFile/);
});
