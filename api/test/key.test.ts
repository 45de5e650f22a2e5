import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  createKey,
  parseToken,
  storedKeySchema,
  tenantSchema,
  tokenOfAuthorization,
  verifyKey,
} from "../src/key.ts";
import { allows } from "../src/scopes.ts";

const random = Uint8Array.from({ length: 40 }, (_, i) => i * 5);
const request = { name: "ci", scopes: ["write"], tenant: "default", createdAt: 1000 } as const;
const { token, stored } = createKey(request, random);
const base64 = (text: string) => Buffer.from(text).toString("base64");

test("a new key is verified by its own secret alone", () => {
  const parsed = parseToken(token);
  assert.ok(parsed !== undefined);
  assert.equal(parsed.id, stored.id);
  assert.equal(verifyKey(stored, parsed.secret, 2000), "valid");
  for (const bit of [0, 100, 255]) {
    const other: Uint8Array = Uint8Array.from(parsed.secret);
    other.set([(other.at(bit >> 3) ?? 0) ^ (1 << (bit & 7))], bit >> 3);
    assert.equal(verifyKey(stored, other, 2000), "wrong");
  }
});

test("what is stored of a key tells nothing of its secret and fits its schema", () => {
  const text = JSON.stringify(stored);
  assert.equal(text.includes(token.slice(20)), false);
  assert.deepEqual(storedKeySchema.parse(JSON.parse(text)), stored);
});

test("a key holds until the moment it expires", () => {
  const short = createKey({ ...request, expiresAt: 5000 }, random);
  const { secret } = parseToken(short.token) ?? { secret: new Uint8Array() };
  assert.equal(verifyKey(short.stored, secret, 4999), "valid");
  assert.equal(verifyKey(short.stored, secret, 5000), "expired");
  assert.equal(verifyKey(short.stored, new Uint8Array(32), 5000), "wrong");
});

test("a key is refused fewer random bytes than it needs", () => {
  assert.throws(() => createKey(request, new Uint8Array(39)), RangeError);
});

const headers: readonly (readonly [header: string, isRead: boolean])[] = [
  [`Bearer ${token}`, true],
  [`bearer  ${token}`, true],
  [`ApiKey ${token}`, true],
  [`ApiKey ${base64(`any:${token}`)}`, true],
  [`ApiKey ${base64(`${stored.id}:${token.slice(20)}`)}`, true],
  [`Basic ${base64(`ci:${token}`)}`, true],
  [`Basic ${base64(`:${token}`)}`, true],
  [`Bearer ${token}0`, false],
  [`Bearer ${token.toUpperCase()}`, false],
  [`Bearer ${base64(`ci:${token}`)}`, false],
  [`Basic ${base64("elastic:changeme")}`, false],
  ["Basic", false],
  ["Digest x", false],
  [token, false],
  ["", false],
];

for (const [header, isRead] of headers) {
  test(`${isRead ? "a" : "no"} key is read from ${JSON.stringify(header.slice(0, 24))}`, () => {
    assert.equal(tokenOfAuthorization(header), isRead ? token : undefined);
  });
}

test("any header is read or refused without throwing", () => {
  const run = fc.property(fc.string({ maxLength: 200 }), fc.nat(3), (text, scheme) => {
    const header = ["", "Bearer ", "ApiKey ", "Basic "][scheme] + text;
    const found = tokenOfAuthorization(header);
    assert.ok(found === undefined || parseToken(found) !== undefined);
  });
  fc.assert(run, { seed: 3, numRuns: 1000 });
});

test("admin allows everything, the others only themselves", () => {
  assert.equal(allows(["admin"], "write"), true);
  assert.equal(allows(["read"], "write"), false);
  assert.equal(allows(["write", "read"], "read"), true);
  assert.equal(allows(["write", "read"], "admin"), false);
});

test("a tenant's name can stand in a path", () => {
  for (const name of ["default", "a", "team-1", "a.b_c"])
    assert.ok(tenantSchema.safeParse(name).success);
  for (const name of ["", "A", "a/b", "..", ".a", "a b", "-a", "a".repeat(65), "ä"]) {
    assert.equal(tenantSchema.safeParse(name).success, false, name);
  }
});
