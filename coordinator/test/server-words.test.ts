import assert from "node:assert/strict";
import test from "node:test";

import { WatchedRequest } from "../src/wire/records.ts";
import { fourLetters, RawClient, serve } from "./server-harness.ts";

/** What a parser of each answer looks for; the forms are those of ZooKeeper 3.9. */
const forms: readonly (readonly [string, RegExp])[] = [
  ["ruok", /^imok$/],
  ["isro", /^rw$/],
  [
    "srvr",
    /^Zookeeper version: 3\.9\.5-\S+, built on \d{4}-\d\d-\d\d \d\d:\d\d UTC\nLatency min\/avg\/max: \d+\/\d+\.\d+\/\d+\nReceived: \d+\nSent: \d+\nConnections: 2\nOutstanding: 0\nZxid: 0x1[0-9a-f]{8}\nMode: standalone\nNode count: 6\n$/,
  ],
  [
    "stat",
    /^Zookeeper version: .*\nClients:\n( \/127\.0\.0\.1:\d+\[[01]\]\(queued=0,recved=\d+,sent=\d+\)\n){2}\nLatency min/,
  ],
  [
    "cons",
    /^ \/127\.0\.0\.1:\d+\[1\]\(queued=0,recved=\d+,sent=\d+,sid=0x[0-9a-f]+,lop=\w+,est=\d+,to=2000,lcxid=0x\d+,lzxid=0x[0-9a-f]+,lresp=\d+,llat=\d+,minlat=\d+,avglat=\d+,maxlat=\d+\)\n \/127\.0\.0\.1:\d+\[0\]\(queued=0,recved=1,sent=0\)\n\n$/,
  ],
  ["mntr", /^zk_version\t3\.9\.5-[^\n]*\nzk_server_state\tstandalone\n(zk_\w+\t[\d.]+\n)+$/],
  [
    "conf",
    /^clientPort=\d+\nsecureClientPort=-1\ndataDir=\S+version-2\ndataDirSize=\d+\ndataLogDir=\S+version-2\ndataLogSize=\d+\ntickTime=100\nmaxClientCnxns=0\n/,
  ],
  ["envi", /^Environment:\nzookeeper\.version=3\.9\.5-/],
  ["wchs", /^1 connections watching 1 paths\nTotal watches:1\n$/],
  [
    "dump",
    /^SessionTracker dump:\nGlobal Sessions\(1\):\n0x[0-9a-f]+\t2000ms\nephemeral nodes dump:\nSessions with Ephemerals \(1\):\n0x[0-9a-f]+:\n\t\/e\nConnections dump:\n/,
  ],
  ["crst", /^Connection stats reset\.\n$/],
  ["srst", /^Server stats reset\.\n$/],
  ["dirs", /^datadir_size: [1-9]\d*\nlogdir_size: [1-9]\d*\n$/],
  ["hash", /^$/],
  ["gtmk", /^306$/],
  ["stmk\0\0\0\0\0\0\x01\x02", /^258$/],
  // Its mask is missing.
  ["stmk", /^$/],
  ["wchc", /^0x[0-9a-f]+\n\t\/e\n\n$/],
  ["wchp", /^\/e\n\t0x[0-9a-f]+\n\n$/],
];

for (const [word, form] of forms) {
  test(`${word.replaceAll("\0", "0")} is answered in its form, and the connection closed`, async (context) => {
    const { address } = await serve(context, { words: ["*"] });
    const { client } = await RawClient.open(context, address.port);
    await client.create("/e", 1);
    await client.ask("exists", WatchedRequest, { path: "/e", watch: true });
    assert.match(await fourLetters(address.port, word), form);
    assert.match(await fourLetters(address.port, `${word}\n`), form);
  });
}

test("the trace mask is what was set last", async (context) => {
  const { address } = await serve(context, { words: ["*"] });
  assert.equal(await fourLetters(address.port, "stmk\0\0\0\0\0\0\0\x08"), "8");
  assert.equal(await fourLetters(address.port, "gtmk"), "8");
});

test("a word that the settings do not allow says so, and long ones must be named", async (context) => {
  const { address } = await serve(context, { words: ["srvr"] });
  assert.match(await fourLetters(address.port, "srvr"), /^Zookeeper version/);
  const refusal = "ruok is not executed because it is not in the whitelist.\n";
  assert.equal(await fourLetters(address.port, "ruok"), refusal);
  const { port } = (await serve(context)).address;
  assert.equal(await fourLetters(port, "ruok"), "imok");
  for (const word of ["crst", "srst", "wchc", "wchp", "dirs", "gtmk", "stmk"]) {
    assert.match(await fourLetters(port, word), /is not executed/, word);
  }
});

test("counts begin anew after their reset", async (context) => {
  const { address } = await serve(context, { words: ["*"] });
  const { client } = await RawClient.open(context, address.port);
  for (let i = 0; i < 20; i++) await client.create(`/n${i}`);
  const sent = (text: string): number => Number(/sent=(\d+),sid/.exec(text)?.[1]);
  assert.equal(sent(await fourLetters(address.port, "cons")), 20);
  await fourLetters(address.port, "crst");
  assert.equal(sent(await fourLetters(address.port, "cons")), 0);
  assert.match(await fourLetters(address.port, "srvr"), /\nSent: 20\n/);
  await fourLetters(address.port, "srst");
  assert.match(await fourLetters(address.port, "srvr"), /Received: 1\nSent: 0\n/);
});

test("hash tells the digest of each zxid that 128 divides, and mntr that none was another", async (context) => {
  const { address } = await serve(context, { words: ["*"] });
  const { client } = await RawClient.open(context, address.port);
  for (let i = 0; i < 260; i++) await client.create(`/n${i}`);
  assert.match(await fourLetters(address.port, "hash"), /^100000080: \d+\n100000100: \d+\n$/);
  assert.match(await fourLetters(address.port, "mntr"), /\nzk_digest_mismatches_count\t0\n/);
});

test("an unknown word is closed without an answer", async (context) => {
  const { address } = await serve(context);
  assert.equal(await fourLetters(address.port, "quux"), "");
});

test("connections above the limit of an address are closed", async (context) => {
  const coordinator = await serve(context, { connectionsPerAddress: 2 });
  const { port } = coordinator.address;
  const first = await RawClient.open(context, port);
  await RawClient.open(context, port);
  const third = await RawClient.open(context, port);
  assert.equal(third.session, undefined);
  assert.equal(coordinator.stats().connectionsRejected, 1);
  first.client.socket.destroy();
  while (coordinator.stats().connections > 1) await new Promise(setImmediate);
  assert.notEqual((await RawClient.open(context, port)).session, undefined);
});
