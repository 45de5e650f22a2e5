import assert from "node:assert/strict";
import test from "node:test";

import { aclMask, aclResolve, isAllowed } from "../src/tree/acl.ts";
import { isIpPattern, matchesIp } from "../src/tree/acl-ip.ts";
import { AclPool, aclOpen } from "../src/tree/acl-pool.ts";
import { perms } from "../src/wire/constants.ts";
import { aclOpenList } from "../src/wire/records.ts";

const entry = (rights: number, scheme: string, id: string) => ({
  perms: rights,
  id: { scheme, id },
});

const addresses: readonly (readonly [string, string, boolean])[] = [
  ["10.1.2.3", "10.1.2.3", true],
  ["10.1.2.3", "10.1.2.4", false],
  ["10.0.0.0/8", "10.200.1.1", true],
  ["10.0.0.0/8", "11.0.0.1", false],
  ["10.1.2.128/25", "10.1.2.200", true],
  ["10.1.2.128/25", "10.1.2.100", false],
  ["0.0.0.0/0", "1.2.3.4", true],
  ["127.0.0.1", "::ffff:127.0.0.1", true],
  ["::1", "::1", true],
  ["::1", "0:0:0:0:0:0:0:1", true],
  ["fe80::/10", "fe80::1:2", true],
  ["fe80::/10", "fec0::1", false],
  ["::/0", "10.0.0.1", false],
];

for (const [pattern, address, isMatch] of addresses) {
  test(`${address} is ${isMatch ? "" : "not "}in ${pattern}`, () => {
    assert.equal(isIpPattern(pattern), true);
    assert.equal(matchesIp(pattern, address), isMatch);
  });
}

for (const pattern of [
  "",
  "10.1.2",
  "10.1.2.300",
  "10.1.2.3/33",
  "10.1.2.3/",
  "a.b.c.d",
  "1::2::3",
  "1:2:3/4/5",
  "::/129",
  "12345::",
]) {
  test(`"${pattern}" is no address`, () => assert.equal(isIpPattern(pattern), false));
}

test("an entry lets its identity do what it says and nothing else", () => {
  const acl = [entry(perms.read, "world", "anyone"), entry(perms.write, "digest", "u:h")];
  const u = [{ scheme: "digest", id: "u:h" }];
  assert.equal(isAllowed(acl, perms.read, []), true);
  assert.equal(isAllowed(acl, perms.write, []), false);
  assert.equal(isAllowed(acl, perms.write, u), true);
  assert.equal(isAllowed(acl, perms.admin, u), false);
  assert.equal(isAllowed(acl, perms.admin, [{ scheme: "super", id: "" }]), true);
});

test("an address proves no identity that auth could stand for", () => {
  const ids = [{ scheme: "ip", id: "127.0.0.1" }];
  assert.equal(aclResolve([entry(31, "auth", "")], ids), undefined);
  assert.deepEqual(aclResolve([entry(31, "ip", "127.0.0.1")], ids), [entry(31, "ip", "127.0.0.1")]);
  assert.equal(aclResolve([entry(31, "ip", "nowhere")], ids), undefined);
  assert.equal(aclResolve([entry(31, "world", "someone")], ids), undefined);
});

test("a digest is masked, other schemes are shown", () => {
  const acl = [entry(31, "digest", "u:h"), entry(1, "world", "anyone")];
  assert.deepEqual(aclMask(acl), [entry(31, "digest", "u:x"), entry(1, "world", "anyone")]);
});

test("equal ACLs share a number, and one that nobody uses is forgotten", () => {
  const pool = new AclPool();
  const acl = [entry(1, "world", "anyone")];
  const number = pool.take(acl);
  assert.equal(pool.take([entry(1, "world", "anyone")]), number);
  assert.equal(pool.take(aclOpenList), aclOpen);
  pool.release(number);
  assert.equal(pool.has(number), true);
  pool.release(number);
  assert.equal(pool.has(number), false);
  assert.notEqual(pool.take(acl), number);
});
