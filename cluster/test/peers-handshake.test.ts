// Goal: nobody gets a link who does not know the secret, is of another cluster, or speaks no common version; each is told why.
// Method: real listeners on loopback; raw sockets say what no honest node would.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import net from "node:net";
import test from "node:test";
import tls from "node:tls";
import { parseAddress } from "../../config/src/address.ts";
import { Prng } from "../../kit/src/prng.ts";
import { helloOf, printHandshake, proofOf, versionsSpoken } from "../src/peers/handshake.ts";
import { handshakesMax, handshakesOfAddressMax } from "../src/peers/limits.ts";
import type { PeersOptions } from "../src/peers/open-peers.ts";
import type { Peers } from "../src/peers/peers.ts";
import { networkOf, Strangers } from "../src/peers/strangers.ts";
import { until } from "./given.ts";
import { linked, PeersRig, secret } from "./peers-rig.ts";

const other = Buffer.from("a secret that others know");

interface Refusal {
  readonly what: string;
  readonly second: Partial<PeersOptions>;
  readonly reason: RegExp;
}

const refusals: readonly Refusal[] = [
  { what: "another secret", second: { secret: other }, reason: /another secret/ },
  { what: "another cluster", second: { clusterId: "cluster-2" }, reason: /another cluster/ },
  {
    what: "only later versions of the protocol",
    second: { versions: { min: versionsSpoken.max + 1, max: versionsSpoken.max + 2 } },
    reason: /no version of the protocol in common/,
  },
];

for (const { what, second, reason } of refusals) {
  test(`a node with ${what} gets no link, and both sides say why`, async () => {
    const rig = new PeersRig();
    try {
      const one = await rig.open(1);
      const two = await rig.open(2, second);
      rig.announce(one, two);
      const said = (): string[] =>
        rig.warnings
          .map((fields) => String((fields as { reason?: unknown }).reason))
          .filter((each) => reason.test(each));
      // The one that dials and the one that is dialled.
      await until(() => said().length >= 2);
      assert.deepEqual([one.link(2), two.link(1)], [undefined, undefined]);
    } finally {
      await rig.close();
    }
  });
}

test("with TLS another secret ends the connection before a word is said", async () => {
  const rig = new PeersRig();
  try {
    const one = await rig.open(1, { remoteAlways: true });
    const two = await rig.open(2, { remoteAlways: true, secret: other });
    rig.announce(one, two);
    await until(() => rig.warnings.length >= 2);
    assert.deepEqual([one.link(2), two.link(1)], [undefined, undefined]);
    const { host, port } = parseAddress(one.address);
    const plain = tls.connect({ host, port, rejectUnauthorized: false });
    await assert.rejects(once(plain, "secureConnect"));
  } finally {
    await rig.close();
  }
});

test("nodes of two releases speak the highest version that both know", async () => {
  const rig = new PeersRig();
  try {
    const one = await rig.open(1, { versions: { min: 1, max: 3 } });
    const two = await rig.open(2, { versions: { min: 2, max: 5 } });
    rig.announce(one, two);
    await linked(one, two);
    assert.deepEqual([one.link(2)?.identity.protocol, two.link(1)?.identity.protocol], [3, 3]);
  } finally {
    await rig.close();
  }
});

test("a secret that is too short is refused at the start", async () => {
  const rig = new PeersRig();
  try {
    await assert.rejects(rig.open(1, { secret: Buffer.from("short") }), { code: "config.invalid" });
  } finally {
    await rig.close();
  }
});

/** What a stranger hears who says so. */
async function heard(to: Peers, ...said: readonly Buffer[]): Promise<string> {
  const socket = net.connect(parseAddress(to.address));
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  socket.on("error", () => undefined);
  for (const each of said) socket.write(each);
  await once(socket, "close");
  return Buffer.concat(chunks).toString();
}

function hello(nodeId: number, more: object = {}): Buffer {
  const self = { nodeId, diskId: "stranger", incarnation: randomBytes(8).toString("hex") };
  const greeting = { self, cluster: "cluster-1", versions: versionsSpoken, secret };
  return printHandshake({ ...helloOf(greeting, randomBytes(32).toString("hex")), ...more });
}

test("strangers are turned away, whatever they say, and harm nobody", async () => {
  const rig = new PeersRig();
  try {
    const [one, two] = await rig.pair();
    two.handle("echo", async (_, asked) => asked);
    const prng = new Prng(Number(process.env["SEED"] ?? 1));
    for (let i = 0; i < 50; i++) {
      const garbage = Buffer.from(
        Array.from({ length: 1 + prng.below(200) }, () => prng.below(255)),
      );
      // A hello cut short would only wait for its rest.
      garbage[0] = 0x4d + prng.below(100);
      assert.equal(await heard(one, garbage), "");
    }
    assert.equal(await heard(one, Buffer.from("GET / HTTP/1.1\r\n\r\n")), "");
    assert.equal(await heard(one, printHandshake({ hello: "there" })), "");
    assert.match(
      await heard(one, hello(3, { versions: { min: 9, max: 9 } })),
      /"refused":"version"/,
    );
    assert.match(await heard(one, hello(1)), /"refused":"self"/);
    assert.match(await heard(one, hello(3, { cluster: "cluster-2" })), /"refused":"cluster"/);
    const { head } = await one.call(2, "echo", { head: 5, bytes: [] }, { timeoutMs: 20_000 });
    assert.equal(head, 5);
  } finally {
    await rig.close();
  }
});

test("a proof that was overheard or sent back logs nobody in", async () => {
  const rig = new PeersRig();
  try {
    const one = await rig.open(1);
    const own = hello(3);
    const elsewhere = { dialler: own, listener: hello(1), binding: Buffer.alloc(0) };
    const overheard = printHandshake({ proof: proofOf(secret, "dialler", elsewhere) });
    assert.match(await heard(one, own, overheard), /"refused":"secret"/);
    assert.match(await heard(one, own, own), /^LKP1.*nonce/);
    assert.equal(one.link(3), undefined);
  } finally {
    await rig.close();
  }
});

test("frames before the proof are not read", async () => {
  const rig = new PeersRig();
  try {
    const one = await rig.open(1);
    let asked = 0;
    one.handle("append", async (_, message) => {
      asked++;
      return message;
    });
    await heard(one, hello(3), Buffer.alloc(64));
    assert.equal(asked, 0);
  } finally {
    await rig.close();
  }
});

/** A connection that says nothing more than `said`. */
async function held(to: Peers, said: Buffer): Promise<net.Socket> {
  const socket = net.connect(parseAddress(to.address));
  socket.on("error", () => undefined);
  socket.resume();
  await once(socket, "connect");
  socket.write(said);
  return socket;
}

test("strangers of one address hold a few places, and who knows the secret still comes in", async () => {
  const rig = new PeersRig();
  const sockets: net.Socket[] = [];
  try {
    const one = await rig.open(1);
    // A hello that is never followed by its proof.
    for (let i = 0; i < 2 * handshakesOfAddressMax; i++) sockets.push(await held(one, hello(3)));
    await until(() => sockets.filter((each) => each.closed).length >= handshakesOfAddressMax);
    assert.match(JSON.stringify(rig.warnings), /too many connections that prove nothing/);
    const two = await rig.open(2);
    rig.announce(one, two);
    await linked(one, two);
  } finally {
    for (const socket of sockets) socket.destroy();
    await rig.close();
  }
});

/** As much of a socket as a place is about. */
function socketOf(remoteAddress: string, remotePort: number): net.Socket {
  const socket = new net.Socket();
  Object.defineProperties(socket, {
    remoteAddress: { value: remoteAddress },
    remotePort: { value: remotePort },
  });
  return socket;
}

test("when strangers of many addresses hold all places, the oldest gives way", () => {
  const strangers = new Strangers();
  try {
    const sockets = Array.from({ length: handshakesMax }, (_, i) => socketOf(`10.0.${i}.1`, i));
    for (const socket of sockets) assert.equal(strangers.take(socket), true);
    strangers.proved(sockets[0]!);
    assert.equal(strangers.take(socketOf("10.1.0.1", 1)), true);
    assert.deepEqual(
      sockets.map((each) => each.destroyed).indexOf(true),
      -1,
      "there was a place again",
    );
    assert.equal(strangers.take(socketOf("10.1.0.2", 1)), true);
    assert.deepEqual(
      sockets.map((each, i) => (each.destroyed ? i : -1)).filter((i) => i >= 0),
      [1],
    );
  } finally {
    strangers.close();
  }
});

const networks: readonly (readonly [string, string])[] = [
  ["10.1.2.3", "10.1.2.3"],
  ["::ffff:10.1.2.3", "10.1.2.3"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2"],
  ["2001:db8::6", "2001:db8:0:0"],
  ["fe80::1%eth0", "fe80:0:0:0"],
  ["::1", "0:0:0:0"],
];

for (const [address, network] of networks) {
  test(`strangers at ${address} count for ${network}`, () => {
    assert.equal(networkOf(address), network);
  });
}
