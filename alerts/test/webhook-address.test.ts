import assert from "node:assert/strict";
import type { LookupAddress } from "node:dns";
import test from "node:test";
import {
  AddressRefused,
  addressProblem,
  checkLiteral,
  guardedLookup,
} from "../src/notify/address-guard.ts";

/** Which may be called: by everyone, with `privateAddresses` only, by no one. */
const table: { readonly [kind in "public" | "private" | "never"]: readonly string[] } = {
  public: [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.167.255.255",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450:4001:81b::200e",
    "::ffff:8.8.8.8",
    "::ffff:808:808",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
    // Teredo: 8.8.8.8, inverted.
    "2001:0:4136:e378:8000:63bf:f7f7:f7f7",
  ],
  private: [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "192.0.0.1",
    "198.18.0.1",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "::ffff:0:10.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b::c0a8:101",
    "64:ff9b:1::8.8.8.8",
    "2002:7f00:1::",
    "2002:c0a8:101::1",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",
    "2001:db8::1",
    "fc00::1",
    "fdff:ffff::1",
    "fec0::1",
    "ff02::1",
  ],
  never: [
    "169.254.0.0",
    "169.254.169.254",
    "169.254.170.2",
    "169.254.255.255",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "fe80::1",
    "fe80::1%eth0",
    "febf:ffff::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fd00:42::42",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "::169.254.169.254",
    "64:ff9b::169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::",
    "2001:0:4136:e378:8000:63bf:5601:5601",
  ],
};

for (const address of table.public) {
  test(`${address} may be called`, () => {
    assert.equal(addressProblem(address, { privateAddresses: false }), undefined);
  });
}

for (const address of table.private) {
  test(`${address} may be called only where private addresses may`, () => {
    const problem = addressProblem(address, { privateAddresses: false });
    assert.match(problem ?? "", /^loopback and private addresses are not called/);
    assert.equal(addressProblem(address, { privateAddresses: true }), undefined);
  });
}

for (const address of table.never) {
  test(`${address} is never called`, () => {
    for (const privateAddresses of [false, true]) {
      const problem = addressProblem(address, { privateAddresses });
      assert.match(problem ?? "", /^link-local and metadata addresses are never called/);
    }
  });
}

const literals: readonly { readonly url: string; readonly isRefused: boolean }[] = [
  { url: "http://2130706433/", isRefused: true },
  { url: "http://0x7f000001/", isRefused: true },
  { url: "http://0177.0.0.1/", isRefused: true },
  { url: "http://127.1/", isRefused: true },
  { url: "http://127.0.0.1./", isRefused: true },
  { url: "http://１２７.0.0.1/", isRefused: true },
  { url: "http://0/", isRefused: true },
  { url: "http://2852039166/", isRefused: true },
  { url: "http://[::1]:80/", isRefused: true },
  { url: "http://[::ffff:169.254.169.254]/", isRefused: true },
  { url: "http://[fe80::1]/", isRefused: true },
  { url: "http://8.8.8.8/", isRefused: false },
  { url: "http://0x08080808/", isRefused: false },
  { url: "http://[2606:4700:4700::1111]/", isRefused: false },
  // A name: it is checked when it is looked up.
  { url: "http://localhost/", isRefused: false },
];

for (const { url, isRefused } of literals) {
  test(`the literal host of ${url} is ${isRefused ? "refused" : "let through"}`, () => {
    const check = (): void => checkLiteral(new URL(url).hostname, { privateAddresses: false });
    if (isRefused) assert.throws(check, AddressRefused);
    else check();
  });
}

/** What the guarded lookup of a name gives that has these addresses. */
function lookUp(
  addresses: readonly string[],
  { all, privateAddresses = false }: { all: boolean; privateAddresses?: boolean },
): Promise<string | readonly LookupAddress[]> {
  const answer = addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
  const lookup = guardedLookup({ privateAddresses }, (_, __, callback) => callback(null, answer));
  return new Promise((resolve, reject) => {
    lookup("name.example", { all }, (error, found) => {
      if (error === null) resolve(found);
      else reject(error);
    });
  });
}

test("a name's addresses that may not be called are left out of what a socket may choose from", async () => {
  const addresses = ["127.0.0.1", "8.8.8.8", "169.254.169.254", "2606:4700:4700::1111"];
  assert.deepEqual(await lookUp(addresses, { all: true }), [
    { address: "8.8.8.8", family: 4 },
    { address: "2606:4700:4700::1111", family: 6 },
  ]);
  assert.equal(await lookUp(addresses, { all: false }), "8.8.8.8");
  assert.equal(await lookUp(addresses, { all: false, privateAddresses: true }), "127.0.0.1");
});

test("a name without an address that may be called is refused, and the refusal does not tell the address", async () => {
  await assert.rejects(lookUp(["10.1.2.3", "fd12::1"], { all: true }), (error: unknown) => {
    assert(error instanceof AddressRefused);
    assert.doesNotMatch(error.message, /10\.1|fd12/);
    return true;
  });
  await assert.rejects(lookUp(["169.254.169.254"], { all: true, privateAddresses: true }), {
    name: "AddressRefused",
  });
});

test("a name that cannot be resolved fails with the resolver's own error", async () => {
  const failed = Object.assign(new Error("not found"), { code: "ENOTFOUND" });
  const lookup = guardedLookup({ privateAddresses: true }, (_, __, callback) =>
    callback(failed, []),
  );
  const error = await new Promise((resolve) => lookup("gone.example", {}, resolve));
  assert.equal(error, failed);
});

test("a name is asked for once at a time, however many wait for it, and again afterwards", async () => {
  const asked: ((address: string) => void)[] = [];
  const lookup = guardedLookup({ privateAddresses: true }, (_, __, callback) => {
    asked.push((address) => callback(null, [{ address, family: 4 }]));
  });
  const look = () =>
    new Promise((resolve) => lookup("dead.example", {}, (_, address) => resolve(address)));
  const both = [look(), look()];
  assert.equal(asked.length, 1);
  asked[0]?.("10.0.0.1");
  assert.deepEqual(await Promise.all(both), ["10.0.0.1", "10.0.0.1"]);
  const later = look();
  asked[1]?.("10.0.0.2");
  assert.equal(await later, "10.0.0.2");
});
