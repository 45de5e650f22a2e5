// Goal: our client proves who it is over TLS and by SASL, and is told when it is not believed.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";

import { ZooKeeperClient } from "../src/client/client.ts";
import type { ClientOptions } from "../src/client/options.ts";
import { keyMaterialRead } from "../src/server/key-stores.ts";
import type { CoordinatorOptions } from "../src/server/options.ts";
import { startCoordinator } from "../src/server/start.ts";
import { temporaryDirectory } from "./log-harness.ts";
import * as given from "./server-tls-given.ts";

const { caCertificate, clientCertificate, clientKey } = given;
const pem = Buffer.from(given.serverKey + given.serverCertificate);
const material = keyMaterialRead("server.pem", pem, "");
const secure = { port: 0, material, trust: caCertificate };

async function serve(
  context: TestContext,
  options: Partial<CoordinatorOptions>,
): Promise<{ readonly plain: string; readonly tls: string }> {
  const dataDir = temporaryDirectory(context);
  const server = await startCoordinator({ dataDir, tickTimeMs: 100, ...options });
  context.after(() => server.close());
  const tls = `localhost:${server.secureAddress?.port ?? 1}`;
  return { plain: `127.0.0.1:${server.address.port}`, tls };
}

function open(context: TestContext, options: ClientOptions): ZooKeeperClient {
  const client = new ZooKeeperClient(options);
  context.after(() => client.close());
  return client;
}

const soon = (): { readonly signal: AbortSignal } => ({ signal: AbortSignal.timeout(60_000) });

test("a certificate says who the client is, on every connection", async (context) => {
  const { tls: connect } = await serve(context, { secure });
  const tls = { ca: caCertificate, cert: clientCertificate, key: clientKey };
  const client = open(context, { connect, tls });
  await client.create("/mine", null, { acl: [{ perms: 31, id: { scheme: "auth", id: "" } }] });
  const schemes = (await client.whoAmI()).map(({ scheme }) => scheme);
  assert.deepEqual(schemes.toSorted(), ["ip", "x509"]);
  const { acl } = await client.getAcl("/mine");
  assert.ok(acl.some(({ id }) => id.scheme === "x509"));
});

test("a server whose certificate names another is not believed, unless told to", async (context) => {
  const { tls: connect } = await serve(context, {
    secure: { ...secure, clientAuth: "none" },
  });
  const wrong = open(context, { connect, tls: { ca: caCertificate, serverName: "elsewhere" } });
  const waiting = wrong.connected({ signal: AbortSignal.timeout(300) });
  await assert.rejects(waiting, { name: "TimeoutError" });
  const stranger = open(context, { connect, tls: {} });
  await assert.rejects(stranger.connected({ signal: AbortSignal.timeout(300) }));
  const careless = open(context, { connect, tls: { isServerVerified: false } });
  await careless.connected(soon());
});

test("SASL DIGEST-MD5 proves a user before anything is asked", async (context) => {
  const saslUsers = new Map([["jürgen", 'ge"heim\\ü']]);
  const { plain: connect } = await serve(context, { saslUsers, schemesRequired: ["sasl"] });
  const client = open(context, { connect, sasl: { user: "jürgen", password: 'ge"heim\\ü' } });
  await client.create("/mine", null, { acl: [{ perms: 31, id: { scheme: "auth", id: "" } }] });
  const { acl } = await client.getAcl("/mine");
  assert.ok(acl.some(({ id }) => id.scheme === "sasl" && id.id === "jürgen"));
});

test("a password that is not right closes the client, which says why", async (context) => {
  const { plain: connect } = await serve(context, { saslUsers: new Map([["bob", "right"]]) });
  const client = open(context, { connect, sasl: { user: "bob", password: "wrong" } });
  const kinds: string[] = [];
  client.onSession(({ kind }) => kinds.push(kind));
  const connecting = assert.rejects(client.connected(soon()), { code: "AUTHFAILED" });
  await assert.rejects(client.sync("/", soon()), { code: "AUTHFAILED" });
  await connecting;
  await assert.rejects(client.sync(), { code: "CLOSED" });
  assert.deepEqual(kinds, ["authFailed", "closed"]);
});

test("an identity that a server does not take is said by an event too", async (context) => {
  const { plain: connect } = await serve(context, {});
  const client = open(context, { connect });
  await client.connected(soon());
  const events = client.sessionEvents();
  await assert.rejects(client.addAuth("nonsense", "x"), { code: "AUTHFAILED" });
  assert.deepEqual((await events.next()).value, { kind: "authFailed", scheme: "nonsense" });
});
