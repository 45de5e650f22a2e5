// Goal: a client proves by SASL DIGEST-MD5 who it is, and nobody else does.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import test, { type TestContext } from "node:test";

import { jaasUsers } from "../src/server/jaas.ts";
import { CreateRequest, SaslToken, WatchedRequest, WhoAmIResponse } from "../src/wire/records.ts";
import { RawClient, serve } from "./server-harness.ts";

const saslUsers = new Map([
  ["bob", "bobsecret"],
  ["jürgen", "geheim-ü"],
  ["root", "r"],
]);

const md5 = (bytes: Buffer | string): Buffer => createHash("md5").update(bytes).digest();

interface Proof {
  readonly user: string;
  readonly password: string;
  readonly encoding?: "latin1" | "utf8";
  readonly changes?: Readonly<Record<string, string>>;
}

/** The client's side, from RFC 2831 2.1.2.1; also the `rspauth` that a true server gives. */
function proofOf(nonce: string, { user, password, encoding = "utf8", changes = {} }: Proof) {
  const realm = "zk-sasl-md5";
  const uri = `zookeeper/${realm}`;
  const cnonce = 'c"n\\once';
  const secret = md5(Buffer.from(`${user}:${realm}:${password}`, encoding));
  const session = md5(Buffer.concat([secret, Buffer.from(`:${nonce}:${cnonce}`)])).toString("hex");
  const answer = (method: string): string => {
    const about = md5(`${method}:${uri}`).toString("hex");
    return md5(`${session}:${nonce}:00000001:${cnonce}:auth:${about}`).toString("hex");
  };
  const fields: Record<string, string> = {
    charset: "utf-8",
    username: `"${user}"`,
    realm: `"${realm}"`,
    nonce: `"${nonce}"`,
    nc: "00000001",
    cnonce: `"${cnonce.replace(/["\\]/g, "\\$&")}"`,
    "digest-uri": `"${uri}"`,
    response: answer("AUTHENTICATE"),
    qop: "auth",
    ...changes,
  };
  const text = Object.entries(fields).map(([name, value]) => `${name}=${value}`);
  return { token: Buffer.from(text.join(",")), rspauth: `rspauth=${answer("")}` };
}

async function ask(client: RawClient, token: Buffer) {
  const answer = await client.ask("sasl", SaslToken, { token });
  const body = answer.error === "OK" ? SaslToken.read(answer.body).token : null;
  return { error: answer.error, text: Buffer.from(body ?? []).toString() };
}

async function prove(client: RawClient, proof: Proof): Promise<string> {
  const { text } = await ask(client, Buffer.alloc(0));
  const nonce = /^realm="zk-sasl-md5",nonce="([^"]+)",charset=utf-8,algorithm=md5-sess$/.exec(text);
  assert(nonce !== null, text);
  const { token, rspauth } = proofOf(nonce[1]!, proof);
  const answer = await ask(client, token);
  if (answer.error === "OK") assert.equal(answer.text, rspauth);
  return answer.error;
}

async function clientOf(context: TestContext, options: object = {}): Promise<RawClient[]> {
  const { address } = await serve(context, { saslUsers, ...options });
  return Promise.all([1, 2].map(async () => (await RawClient.open(context, address.port)).client));
}

test("a proved user has its own znodes, and others have not", async (context) => {
  const [bob, other] = (await clientOf(context)) as [RawClient, RawClient];
  assert.equal(await prove(bob, { user: "bob", password: "bobsecret" }), "OK");
  const acl = [{ perms: 31, id: { scheme: "sasl", id: "bob" } }];
  assert.equal(await bob.create("/bobs", 0, acl), "/bobs");
  const auth = [{ perms: 31, id: { scheme: "auth", id: "" } }];
  assert.equal(await bob.create("/bobs/own", 0, auth), "/bobs/own");
  assert.equal(await bob.exists("/bobs/own"), true);
  const request = { path: "/bobs", watch: false };
  assert.equal((await other.ask("getData", WatchedRequest, request)).error, "NOAUTH");
  const { ids } = WhoAmIResponse.read((await bob.ask("whoAmI")).body);
  assert.deepEqual(ids.at(-1), { scheme: "sasl", user: "bob" });
});

const proofs: readonly (readonly [string, Proof, string])[] = [
  ["a name and password beyond ASCII, as UTF-8", { user: "jürgen", password: "geheim-ü" }, "OK"],
  [
    "the same hashed as Latin-1, as the RFC says",
    { user: "jürgen", password: "geheim-ü", encoding: "latin1" },
    "OK",
  ],
  ["another password", { user: "bob", password: "bobsecreT" }, "AUTHFAILED"],
  ["a user that is not there", { user: "eve", password: "" }, "AUTHFAILED"],
  [
    "another nonce",
    { user: "bob", password: "bobsecret", changes: { nonce: '"x"' } },
    "AUTHFAILED",
  ],
  [
    "a second count",
    { user: "bob", password: "bobsecret", changes: { nc: "00000002" } },
    "AUTHFAILED",
  ],
  [
    "a layer of integrity",
    { user: "bob", password: "bobsecret", changes: { qop: "auth-int" } },
    "AUTHFAILED",
  ],
  [
    "another service",
    { user: "bob", password: "bobsecret", changes: { "digest-uri": '"http/zk-sasl-md5"' } },
    "AUTHFAILED",
  ],
  ["no response", { user: "bob", password: "bobsecret", changes: { response: "" } }, "AUTHFAILED"],
  [
    "half a text",
    { user: "bob", password: "bobsecret", changes: { response: '"abc' } },
    "AUTHFAILED",
  ],
];

for (const [name, proof, expected] of proofs) {
  test(`${name}: ${expected}`, async (context) => {
    const [client] = (await clientOf(context)) as [RawClient];
    assert.equal(await prove(client, proof), expected);
    if (expected === "OK") assert.equal(await client.create("/n"), "/n");
    else assert.equal(await client.answer(), undefined, "the connection is closed");
  });
}

test("a nonce proves once", async (context) => {
  const [client] = (await clientOf(context)) as [RawClient];
  const { text } = await ask(client, Buffer.alloc(0));
  const nonce = /nonce="([^"]+)"/.exec(text)![1]!;
  const { token } = proofOf(nonce, { user: "bob", password: "bobsecret" });
  assert.equal((await ask(client, token)).error, "OK");
  assert.match((await ask(client, token)).text, /^realm=/, "it is taken for a new beginning");
  assert.equal((await ask(client, token)).error, "AUTHFAILED");
});

test("the super user of SASL passes every ACL", async (context) => {
  const [root, other] = (await clientOf(context, { saslSuperUser: "root" })) as RawClient[];
  await other!.authenticate("alice:pw");
  await other!.create("/a", 0, [{ perms: 31, id: { scheme: "auth", id: "" } }]);
  assert.equal(await root!.exists("/a"), false);
  assert.equal(await prove(root!, { user: "root", password: "r" }), "OK");
  assert.equal(await root!.exists("/a"), true);
});

test("where proof is required, nothing is done before it", async (context) => {
  const [good, bad] = (await clientOf(context, { schemesRequired: ["sasl"] })) as RawClient[];
  assert.equal((await good!.ask("ping", undefined, undefined, -2)).error, "OK");
  assert.equal(await prove(good!, { user: "bob", password: "bobsecret" }), "OK");
  assert.equal(await good!.create("/n"), "/n");
  const create = { path: "/m", data: null, acl: [], flags: 0 };
  const refused = await bad!.ask("create", CreateRequest, create);
  assert.equal(refused.error, "SESSIONCLOSEDREQUIRESASLAUTH");
  assert.equal(await bad!.answer(), undefined);
  assert.equal(await good!.exists("/m"), false);
});

test("failed proof may be let pass, and proves nothing", async (context) => {
  const [client] = (await clientOf(context, { allowSaslFailure: true })) as [RawClient];
  const { text } = await ask(client, Buffer.alloc(0));
  const nonce = /nonce="([^"]+)"/.exec(text)![1]!;
  const answer = await ask(client, proofOf(nonce, { user: "bob", password: "x" }).token);
  assert.deepEqual(answer, { error: "OK", text: "" });
  const { ids } = WhoAmIResponse.read((await client.ask("whoAmI")).body);
  assert.deepEqual(
    ids.map(({ scheme }) => scheme),
    ["ip"],
  );
});

test("without users there is no SASL, and the connection lives on", async (context) => {
  const { address } = await serve(context);
  const { client } = await RawClient.open(context, address.port);
  assert.equal((await ask(client, Buffer.alloc(0))).error, "UNIMPLEMENTED");
  assert.equal(await client.create("/n"), "/n");
});

test("users are read from the Server section of a JAAS file", () => {
  const text = `
    /* user_commented="x" */
    Client { m required username="bob" password="p"; };
    Server { // user_other="x"
      org.apache.zookeeper.server.auth.DigestLoginModule required
        user_super="a//b}"   user_bob = "q\\"uote"
        notuser="y";
    };`;
  assert.deepEqual(
    [...jaasUsers(text)],
    [
      ["super", "a//b}"],
      ["bob", 'q"uote'],
    ],
  );
  assert.deepEqual([...jaasUsers(text, "Other")], []);
  assert.deepEqual([...jaasUsers("")], []);
});
