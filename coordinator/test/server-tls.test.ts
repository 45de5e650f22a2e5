// Goal: clients speak TLS on a port of its own, and their certificates prove who they are.
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import test, { type TestContext } from "node:test";
import { type ConnectionOptions, connect } from "node:tls";

import { subjectOf } from "../src/server/certificate-name.ts";
import { type KeyMaterial, keyMaterialRead, trustRead } from "../src/server/key-stores.ts";
import type { SecureOptions } from "../src/server/secure-listener.ts";
import { startCoordinator } from "../src/server/start.ts";
import { WatchedRequest, WhoAmIResponse } from "../src/wire/records.ts";
import { temporaryDirectory } from "./log-harness.ts";
import { open, RawClient, serve } from "./server-harness.ts";
import * as given from "./server-tls-given.ts";

const { caCertificate, clientCertificate, clientKey } = given;
/** As Java's `X500Principal.getName()` prints the client's. */
const subject =
  '1.2.840.113549.1.9.1=#16056140622e63,CN=\\ jürgen\\ ,O=A\\, \\"B\\" \\<x\\>\\; C\\=d\\#e,C=DE';
const pem = Buffer.from(given.serverKey + given.serverCertificate);
const own = { key: clientKey, cert: clientCertificate };

function secure(changes: Partial<SecureOptions> = {}): SecureOptions {
  const material = keyMaterialRead("server.pem", pem, "");
  return { port: 0, material, trust: caCertificate, ...changes };
}

/** A session over TLS; undefined when the server does not take the client. */
async function openTls(
  context: TestContext,
  port: number,
  options: ConnectionOptions,
): Promise<RawClient | undefined> {
  const socket = connect({ host: "127.0.0.1", port, ca: caCertificate, ...options });
  context.after(() => socket.destroy());
  const ended = once(socket, "close").then(() => false);
  socket.on("error", () => undefined);
  const isThere = await Promise.race([
    once(socket, "secureConnect").then(
      () => true,
      () => false,
    ),
    ended,
  ]);
  if (!isThere) return undefined;
  const { client, session } = await RawClient.open(context, socket);
  return session === undefined ? undefined : client;
}

test("a certificate proves its subject, which ACLs of x509 name", async (context) => {
  const coordinator = await serve(context, { secure: secure() });
  const client = await openTls(context, coordinator.secureAddress!.port, own);
  assert(client !== undefined);
  const acl = [{ perms: 31, id: { scheme: "x509", id: subject } }];
  assert.equal(await client.create("/mine", 0, acl), "/mine");
  assert.equal(await client.exists("/mine"), true);
  const plain = (await RawClient.open(context, coordinator.address.port)).client;
  const request = { path: "/mine", watch: false };
  assert.equal((await plain.ask("getData", WatchedRequest, request)).error, "NOAUTH");
  const { ids } = WhoAmIResponse.read((await client.ask("whoAmI")).body);
  assert.deepEqual(ids.at(-1), { scheme: "x509", user: subject });
});

test("the super subject passes every ACL", async (context) => {
  const coordinator = await serve(context, { secure: secure({ superSubject: subject }) });
  const alice = (await RawClient.open(context, coordinator.address.port)).client;
  await alice.authenticate("alice:pw");
  await alice.create("/a", 0, [{ perms: 31, id: { scheme: "auth", id: "" } }]);
  const client = await openTls(context, coordinator.secureAddress!.port, own);
  assert.equal(await client?.exists("/a"), true);
});

const stranger = { key: given.otherKey, cert: given.otherCertificate };
const taken: readonly (readonly [
  SecureOptions["clientAuth"],
  string,
  ConnectionOptions,
  boolean,
])[] = [
  ["need", "its certificate", own, true],
  ["need", "no certificate", {}, false],
  ["need", "one that nobody trusted signed", stranger, false],
  ["want", "its certificate", own, true],
  ["want", "no certificate", {}, true],
  ["want", "one that nobody trusted signed", stranger, false],
  ["none", "no certificate", {}, true],
];

for (const [clientAuth, name, options, isTaken] of taken) {
  test(`${clientAuth}: a client with ${name} is ${isTaken ? "taken" : "refused"}`, async (context) => {
    const coordinator = await serve(context, { secure: secure({ clientAuth }) });
    const client = await openTls(context, coordinator.secureAddress!.port, options);
    assert.equal(client !== undefined, isTaken);
    if (client !== undefined) assert.equal(await client.create("/n", 0, open), "/n");
  });
}

test("bytes that are no TLS are closed, and the port lives on", async (context) => {
  const coordinator = await serve(context, { secure: secure() });
  const { port } = coordinator.secureAddress!;
  assert.equal((await RawClient.open(context, port)).session, undefined);
  assert.notEqual(await openTls(context, port, own), undefined);
});

const stores: readonly (readonly [string, () => KeyMaterial])[] = [
  ["PKCS12", () => keyMaterialRead("s.p12", given.serverPkcs12, "apassword")],
  ["JKS", () => keyMaterialRead("s.jks", given.serverJks, "apassword")],
];

for (const [name, material] of stores) {
  test(`a key in a ${name} store serves, with trust in a JKS store`, async (context) => {
    const trust = trustRead("t.jks", given.trustJks, "apassword");
    const coordinator = await serve(context, { secure: secure({ material: material(), trust }) });
    const client = await openTls(context, coordinator.secureAddress!.port, own);
    assert.equal(await client?.create("/n"), "/n");
  });
}

const wrong: readonly (readonly [string, () => unknown])[] = [
  ["a JKS store with another password", () => keyMaterialRead("s", given.serverJks, "other")],
  ["a JKS store of trust for a key", () => keyMaterialRead("t", given.trustJks, "apassword")],
  ["a JKS store of a key for trust", () => trustRead("s", given.serverJks, "apassword")],
  ["a PKCS12 store for trust", () => trustRead("s", given.serverPkcs12, "apassword")],
];

for (const [name, read] of wrong) {
  test(`${name} is refused`, () => {
    assert.throws(read, { code: "config.invalid" });
  });
}

test("a JKS store with any bit flipped is refused", () => {
  for (let at = 0; at < given.serverJks.length; at += 7) {
    const bytes = Buffer.from(given.serverJks);
    bytes[at]! ^= 1 << (at % 8);
    // Without its first bytes it would be taken for PKCS12, which OpenSSL then refuses.
    if (at >= 4) assert.throws(() => keyMaterialRead("s", bytes, "apassword"), `byte ${at}`);
  }
});

test("key and certificate that do not fit stop the start", async (context) => {
  const dataDir = temporaryDirectory(context);
  const material = { key: given.otherKey, cert: given.serverCertificate };
  await assert.rejects(startCoordinator({ dataDir, secure: secure({ material }) }), {
    code: "config.invalid",
  });
});

test("a certificate cut anywhere has no subject, and says so", () => {
  const raw = new X509Certificate(clientCertificate).raw;
  assert.equal(subjectOf(raw), subject);
  for (let length = 0; length < raw.length; length++) {
    assert.throws(() => subjectOf(raw.subarray(0, length)), { name: "WireError" }, `${length}`);
  }
});
