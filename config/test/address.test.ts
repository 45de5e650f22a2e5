import assert from "node:assert/strict";
import { test } from "node:test";
import { isLoopback, parseAddress, printAddress } from "../src/address.ts";
import { parseBytes, parseDurationMs, printBytes, printDuration } from "../src/quantity.ts";
import { suggest } from "../src/suggest.ts";

const addresses: readonly (readonly [string, string, number])[] = [
  ["127.0.0.1:7070", "127.0.0.1", 7070],
  ["0.0.0.0:0", "0.0.0.0", 0],
  ["[::1]:2181", "::1", 2181],
  ["[::]:65535", "::", 65535],
  ["zk-1.example.org:2181", "zk-1.example.org", 2181],
  ["my_service:80", "my_service", 80],
];

for (const [text, host, port] of addresses) {
  test(`the address ${text} has its host and port, and prints as it was`, () => {
    assert.deepEqual(parseAddress(text), { host, port });
    assert.equal(printAddress(parseAddress(text)), text);
  });
}

const broken = [
  "",
  "7070",
  "localhost",
  ":7070",
  "a:",
  "a:b",
  "a:65536",
  "a:-1",
  "::1:80",
  "[::1]",
  "[a]:1",
  "a b:1",
  "1.2.3:80",
  "256.1.1.1:80",
  `${"a".repeat(64)}:1`,
  "http://a:80",
  "-a:1",
];

for (const text of broken) {
  test(`${JSON.stringify(text)} is refused as an address`, () => {
    assert.throws(() => parseAddress(text), { name: "ServiceError", code: "config.invalid" });
  });
}

test("only hosts that never leave the machine count as loopback", () => {
  for (const host of [
    "127.0.0.1",
    "127.8.9.1",
    "::1",
    "::ffff:127.0.0.1",
    "localhost",
    "a.localhost",
  ]) {
    assert.equal(isLoopback(host), true, host);
  }
  for (const host of [
    "0.0.0.0",
    "::",
    "10.0.0.1",
    "128.0.0.1",
    "::2",
    "localhost.example.org",
    "",
  ]) {
    assert.equal(isLoopback(host), false, host);
  }
});

test("sizes and times are read with their units and printed in the largest that fits", () => {
  const sizes = [
    "0",
    "1",
    "64KiB",
    "64 kib",
    "1.5MiB",
    "2G",
    "3kB",
    "1b",
    "x",
    "-1",
    "1 XB",
    "1e3",
    "",
  ];
  assert.deepEqual(sizes.map(parseBytes), [
    0,
    1,
    65_536,
    65_536,
    1_572_864,
    2e9,
    3000,
    1,
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  const times = ["0", "250", "30s", "1.5m", "2h", "7d", "1w", "s", "-5s"];
  assert.deepEqual(times.map(parseDurationMs), [
    0,
    250,
    30_000,
    90_000,
    7_200_000,
    604_800_000,
    undefined,
    undefined,
    undefined,
  ]);
  assert.deepEqual([0, 1000, 65_536, 1_048_575, 1024 ** 4].map(printBytes), [
    "0 B",
    "1000 B",
    "64 KiB",
    "1048575 B",
    "1 TiB",
  ]);
  assert.deepEqual([0, 1500, 30_000, 3_600_000].map(printDuration), [
    "0 ms",
    "1500 ms",
    "30 s",
    "1 h",
  ]);
});

test("a mistyped name is met by the nearest one, another word by none", () => {
  const known = ["http.listen", "peer.listen", "node.id"];
  assert.equal(suggest("http.lisetn", known), "http.listen");
  assert.equal(suggest("NODE.IDD", known), "node.id");
  assert.equal(suggest("kitchen", known), undefined);
  assert.equal(suggest("", known), undefined);
});
