import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import test from "node:test";
import { parseAddress } from "../../config/src/address.ts";
import { ServiceError } from "../../kit/src/errors.ts";
import { pause } from "../../kit/src/pause.ts";
import { askAsGuest } from "../src/peers/guest.ts";
import { messageBytesMax, oneWayQueueBytesMax } from "../src/peers/limits.ts";
import type { PeerMessage, Peers } from "../src/peers/peers.ts";
import { until } from "./given.ts";
import { linked, PeersRig, secret } from "./peers-rig.ts";

async function withRig(body: (rig: PeersRig) => Promise<void>): Promise<void> {
  const rig = new PeersRig();
  try {
    await body(rig);
  } finally {
    await rig.close();
  }
}

function message(head: unknown, ...bytes: Uint8Array[]): PeerMessage {
  return { head, bytes };
}

const options = { timeoutMs: 20_000 };

test("two nodes make one link, dialled by the smaller number, and call each other over it", () =>
  withRig(async (rig) => {
    const [one, two] = await rig.pair();
    for (const [at, other] of [
      [one, two],
      [two, one],
    ] as const) {
      at.handle("add", async (from, { head, bytes }) => {
        assert.deepEqual(
          [from.nodeId, from.diskId, from.cluster, from.protocol],
          [other.self.nodeId, other.self.diskId, "cluster-1", 1],
        );
        return message(
          (head as number[]).reduce((a, b) => a + b),
          ...bytes,
        );
      });
    }
    const bytes = Buffer.alloc(3_000_000, 7);
    for (const [at, node] of [
      [one, 2],
      [two, 1],
    ] as const) {
      const answer = await at.call(node, "add", message([1, 2], bytes), options);
      assert.equal(answer.head, 3);
      assert.deepEqual(answer.bytes, [bytes]);
    }
    assert.equal(one.link(2)?.identity.incarnation, two.self.incarnation);
  }));

test("one-way messages of a link come in the order of sending, large and small, beside calls", () =>
  withRig(async (rig) => {
    const [one, two] = await rig.pair();
    two.handle("echo", async (_, asked) => asked);
    const seen: unknown[] = [];
    two.onMessage("log", (from, link, { head, bytes }) => {
      assert.deepEqual([from.nodeId, link], [1, two.link(1)?.id]);
      seen.push([head, bytes[0]?.length]);
    });
    const expected: unknown[] = [];
    const calls: Promise<PeerMessage>[] = [];
    for (let i = 0; i < 300; i++) {
      const length = i % 10 === 0 ? 700_000 : i;
      if (!one.send(2, "log", message(i, Buffer.alloc(length)))) {
        await until(() => one.send(2, "log", message(i, Buffer.alloc(length))));
      }
      expected.push([i, length]);
      if (i % 50 === 0) calls.push(one.call(2, "echo", message(i), options));
    }
    await until(() => seen.length === expected.length);
    assert.deepEqual(seen, expected);
    assert.deepEqual(
      (await Promise.all(calls)).map(({ head }) => head),
      [0, 50, 100, 150, 200, 250],
    );
  }));

test("bytes that were sent may be changed at once", () =>
  withRig(async (rig) => {
    const [one, two] = await rig.pair({ remoteAlways: true });
    const got: Buffer[] = [];
    two.onMessage("log", (_from, _link, { bytes }) => void got.push(Buffer.from(bytes[0]!)));
    const bytes = Buffer.alloc(600_000, 1);
    one.send(2, "log", message(undefined, bytes));
    bytes.fill(2);
    await until(() => got.length === 1);
    assert.ok(got[0]!.equals(Buffer.alloc(600_000, 1)));
  }));

test("a message's bytes that are kept stay as they are until they are given back, and others' are used again", () =>
  withRig(async (rig) => {
    const [one, two] = await rig.pair();
    const kept: { readonly bytes: Uint8Array; readonly give: () => void }[] = [];
    const others: Uint8Array[] = [];
    two.onMessage("log", (_from, _link, { head, bytes }, keep) => {
      if (head === "keep") kept.push({ bytes: bytes[0]!, give: keep() });
      else others.push(bytes[0]!);
    });
    const send = (head: string, value: number): void => {
      assert.ok(one.send(2, "log", message(head, Buffer.alloc(100_000, value))));
    };
    send("keep", 1);
    for (let value = 2; value < 10; value++) send("do not", value);
    await until(() => others.length === 8);
    assert.ok(Buffer.alloc(100_000, 1).equals(kept[0]!.bytes));
    assert.equal(new Set(others.map(({ buffer }) => buffer)).size, 1);
    kept[0]!.give();
    send("keep", 10);
    await until(() => kept.length === 2);
    assert.equal(kept[1]!.bytes.buffer, kept[0]!.bytes.buffer);
  }));

test("an answer may be sent from where it lies, and says when it is on its way, or never will be", () =>
  withRig(async (rig) => {
    const [one, two] = await rig.pair();
    const piece = Buffer.alloc(600_000, 1);
    let sent = 0;
    two.handle("piece", async () => ({
      ...message(undefined, piece),
      sent: () => {
        sent++;
        piece.fill(2);
      },
    }));
    const { bytes } = await one.call(2, "piece", message(0), options);
    assert.ok(Buffer.alloc(600_000, 1).equals(bytes[0]!));
    await until(() => sent === 1);
    const asker = new AbortController();
    two.handle("late", async (_from, _asked, signal) => {
      const left = once(signal, "abort");
      asker.abort();
      await left;
      return { ...message(undefined, piece), sent: () => void sent++ };
    });
    await assert.rejects(one.call(2, "late", message(0), { ...options, signal: asker.signal }));
    await until(() => sent === 2);
  }));

test("an answer's error comes as it was thrown, and other errors as internal", () =>
  withRig(async (rig) => {
    const [one, two] = await rig.pair();
    two.handle("refuse", async () => {
      throw new ServiceError("ingest.busy", "come back", { shard: 3 });
    });
    two.handle("fail", async () => {
      throw new TypeError("no such thing");
    });
    const refusal = { code: "ingest.busy", message: "come back", fields: { shard: 3 } };
    await assert.rejects(one.call(2, "refuse", message(0), options), refusal);
    const failure = { code: "internal", message: "no such thing" };
    await assert.rejects(one.call(2, "fail", message(0), options), failure);
  }));

test("an error that is too large to be carried, or cannot be, comes without its facts", () =>
  withRig(async (rig) => {
    const [one, two] = await rig.pair();
    two.handle("large", async () => {
      throw new ServiceError("query.invalid", "x".repeat(5_000), { query: "y".repeat(2_000_000) });
    });
    two.handle("strange", async () => {
      throw new ServiceError("query.invalid", "as it is", { shard: (() => 1) as never });
    });
    const large = { code: "query.invalid", message: "x".repeat(1_000), fields: {} };
    await assert.rejects(one.call(2, "large", message(0), options), large);
    const strange = { code: "query.invalid", message: "as it is", fields: {} };
    await assert.rejects(one.call(2, "strange", message(0), options), strange);
  }));

function isUnavailable(sent: boolean): (thrown: unknown) => true {
  return (thrown) => {
    assert.ok(thrown instanceof ServiceError);
    assert.deepEqual([thrown.code, thrown.fields["sent"]], ["peer.unavailable", sent]);
    return true;
  };
}

test("a call says whether it may have been carried out", () =>
  withRig(async (rig) => {
    const [one, two] = await rig.pair();
    await assert.rejects(one.call(9, "m", message(0), options), isUnavailable(false));
    await assert.rejects(one.call(2, "nobody", message(0), options), isUnavailable(false));
    let began = 0;
    two.handle("wait", async (_from, _message, signal) => {
      began++;
      await once(signal, "abort");
      return message(0);
    });
    await assert.rejects(one.call(2, "wait", message(0), { timeoutMs: 50 }), isUnavailable(true));
    const lost = one.call(2, "wait", message(0), options);
    await until(() => began === 2);
    const seen = assert.rejects(lost, isUnavailable(true));
    await two.close();
    await seen;
  }));

test("who gives up is told at once, and so is the handler", () =>
  withRig(async (rig) => {
    const [one, two] = await rig.pair();
    const aborted: string[] = [];
    let began = 0;
    two.handle("wait", async (_from, _message, signal) => {
      began++;
      await once(signal, "abort");
      aborted.push("call");
      return message(0);
    });
    two.handleStream("count", async function* (_from, _message, signal) {
      try {
        for (let i = 0; ; i++) yield message(i, Buffer.alloc(100_000));
      } finally {
        aborted.push(`stream ${signal.aborted}`);
      }
    });
    const abort = new AbortController();
    const call = one.call(2, "wait", message(0), { ...options, signal: abort.signal });
    await until(() => began === 1);
    abort.abort(new Error("enough"));
    await assert.rejects(call, /enough/);
    for await (const { head } of one.stream(2, "count", message(0), {})) if (head === 3) break;
    await until(() => aborted.length === 2);
    assert.deepEqual(aborted, ["call", "stream true"]);
  }));

test("a slow reader of a stream keeps its writer waiting, and bounds what is in memory", () =>
  withRig(async (rig) => {
    const [one, two] = await rig.pair();
    let made = 0;
    two.handleStream("blocks", async function* () {
      for (; made < 200; ) yield message(made++, Buffer.alloc(100_000));
    });
    let taken = 0;
    for await (const { head } of one.stream(2, "blocks", message(0), {})) {
      assert.equal(head, taken++);
      if (taken < 5) await pause(100);
      // A window of 1 MiB: ten items, one beyond, and the one in hand.
      if (taken <= 5) assert.ok(made <= taken + 13, `${made} made, ${taken} taken`);
    }
    assert.deepEqual([made, taken], [200, 200]);
  }));

test("a stream's error comes behind what was sent before it", () =>
  withRig(async (rig) => {
    const [one, two] = await rig.pair();
    two.handleStream("break", async function* () {
      yield message(1);
      throw new ServiceError("query.timeout", "too late");
    });
    const seen: unknown[] = [];
    const read = async (): Promise<void> => {
      for await (const { head } of one.stream(2, "break", message(0), {})) seen.push(head);
    };
    await assert.rejects(read(), { code: "query.timeout" });
    assert.deepEqual(seen, [1]);
  }));

/** A connection in the middle that can stop carrying bytes without closing, or begins to carry them later. */
async function muteProxy(
  rig: PeersRig,
  to: Peers,
  { isMute = false } = {},
): Promise<{ address: string; mute: () => void; open: () => void }> {
  const pairs: (readonly [net.Socket, net.Socket])[] = [];
  const { host, port } = parseAddress(to.address);
  const join = ([one, other]: readonly [net.Socket, net.Socket]): void => {
    one.pipe(other).pipe(one);
  };
  const server = net.createServer((socket) => {
    const pair = [socket, net.connect({ host, port })] as const;
    pairs.push(pair);
    if (!isMute) join(pair);
    for (const each of pair) each.on("error", () => undefined);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  rig.onClose("proxy", () => {
    server.close();
    for (const socket of pairs.flat()) socket.destroy();
  });
  return {
    address: `127.0.0.1:${(server.address() as net.AddressInfo).port}`,
    mute: () => {
      for (const socket of pairs.flat()) socket.unpipe().pause();
    },
    open: () => {
      isMute = false;
      for (const pair of pairs) join(pair);
    },
  };
}

test("a half-open link is found dead, its calls fail, and a new link with another id takes over", () =>
  withRig(async (rig) => {
    const one = await rig.open(1);
    const two = await rig.open(2);
    const proxy = await muteProxy(rig, two);
    const links: (number | undefined)[] = [];
    one.onLink((node, link) => {
      assert.equal(node, 2);
      links.push(link?.id);
    });
    rig.directory.set([
      { ...one.self, peer: one.address },
      { ...two.self, peer: proxy.address },
    ]);
    await linked(one, two);
    two.handle("echo", async (_, asked) => asked);
    two.handle("wait", async (_from, _message, signal) => {
      await once(signal, "abort");
      return message(0);
    });
    const call = assert.rejects(one.call(2, "wait", message(0), options), isUnavailable(true));
    proxy.mute();
    await call;
    await until(() => links.length === 3);
    const [first, ended, second] = links;
    assert.ok(first !== undefined && ended === undefined && second !== undefined);
    assert.notEqual(first, second);
    await linked(one, two);
    await until(() => two.link(1) !== undefined && one.link(2)?.id === second);
    assert.equal((await one.call(2, "echo", message("again"), options)).head, "again");
  }));

test("a node that seldom gets its turn does not take that for its peer's silence", () =>
  withRig(async (rig) => {
    const one = await rig.open(1);
    const two = await rig.open(2);
    const proxy = await muteProxy(rig, two);
    rig.directory.set([
      { ...one.self, peer: one.address },
      { ...two.self, peer: proxy.address },
    ]);
    await linked(one, two);
    two.handle("echo", async (_, asked) => asked);
    assert.equal((await one.call(2, "echo", message("heard"), options)).head, "heard");
    const link = one.link(2)?.id;
    proxy.mute();
    // Longer than a link may be silent, but for no more than four turns.
    const never = new Int32Array(new SharedArrayBuffer(4));
    const turnEnd = () => new Promise((resolve) => setImmediate(resolve));
    await turnEnd();
    for (let turn = 0; turn < 4; turn++) {
      Atomics.wait(never, 0, 0, 850);
      await turnEnd();
    }
    proxy.open();
    assert.equal((await one.call(2, "echo", message("again"), options)).head, "again");
    assert.equal(one.link(2)?.id, link);
  }));

test("a peer that reads nothing fills a bounded queue, and others are served meanwhile", () =>
  withRig(async (rig) => {
    const one = await rig.open(1);
    const two = await rig.open(2);
    const three = await rig.open(3);
    const proxy = await muteProxy(rig, two);
    rig.directory.set([
      { ...one.self, peer: one.address },
      { ...two.self, peer: proxy.address },
      { ...three.self, peer: three.address },
    ]);
    await Promise.all([linked(one, two), linked(one, three)]);
    three.handle("echo", async (_, asked) => asked);
    const muted = one.link(2)?.id;
    proxy.mute();
    let sent = 0;
    const bytes = Buffer.alloc(1024 * 1024);
    while (one.send(2, "log", message(sent, bytes))) sent++;
    assert.ok(sent * bytes.length <= oneWayQueueBytesMax + bytes.length, `${sent} MiB`);
    assert.equal((await one.call(3, "echo", message(1), options)).head, 1);
    // Another link may be there at once: the peer dials on its own side, past the proxy.
    await until(() => one.link(2)?.id !== muted);
  }));

test("a node that comes again is another link, and calls go to the new process", () =>
  withRig(async (rig) => {
    const [one, two] = await rig.pair();
    const before = one.link(2);
    await two.close();
    await until(() => one.link(2) === undefined);
    const again = await rig.open(2);
    again.handle("who", async () => message(again.self.incarnation));
    rig.announce(one, again);
    await linked(one, again);
    assert.notEqual(one.link(2)?.id, before?.id);
    const { head } = await one.call(2, "who", message(0), options);
    assert.equal(head, again.self.incarnation);
  }));

test("of two processes that say they are one node, the one that the znodes name is kept", () =>
  withRig(async (rig) => {
    const [one, two] = await rig.pair();
    const other = await rig.open(2);
    // It knows where the first node is, and dials it.
    await until(() => rig.warnings.some((each) => "remote" in each));
    assert.equal(one.link(2)?.identity.incarnation, two.self.incarnation);
    rig.announce(one, other);
    await until(() => one.link(2)?.identity.incarnation === other.self.incarnation);
  }));

test("both sides' connections at one moment leave one link that lasts", () =>
  withRig(async (rig) => {
    for (let round = 0; round < 5; round++) {
      const two = await rig.open(2);
      const one = await rig.open(1);
      one.handle("echo", async (_, asked) => asked);
      // The larger number dials at once only when it knows nobody else would.
      rig.announce(two, one);
      await linked(one, two);
      const link = one.link(2)?.id;
      assert.equal((await two.call(1, "echo", message(round), options)).head, round);
      await pause(50);
      assert.equal(one.link(2)?.id, link);
      await Promise.all([one.close(), two.close()]);
    }
  }));

test("of two connections that were made at once the smaller node's takes over, once", () =>
  withRig(async (rig) => {
    const one = await rig.open(1);
    const two = await rig.open(2);
    const proxy = await muteProxy(rig, two, { isMute: true });
    const links: (number | undefined)[] = [];
    one.onLink((_, link) => links.push(link?.id));
    rig.directory.set([
      { ...one.self, peer: one.address },
      { ...two.self, peer: proxy.address },
    ]);
    // While the smaller one's handshake hangs, the larger one dials.
    await linked(one, two);
    assert.equal(links.length, 1);
    proxy.open();
    await until(() => links.length === 3);
    await pause(300);
    assert.deepEqual([links.length, links[1]], [3, undefined]);
    await linked(one, two);
    assert.equal(one.link(2)?.id, links[2]);
  }));

test("between machines there is TLS, and what shrinks is packed; all comes as it was", () =>
  withRig(async (rig) => {
    const [one, two] = await rig.pair({ remoteAlways: true });
    two.handle("echo", async (_, asked) => asked);
    const texts = Buffer.from("the same line again and again\n".repeat(50_000));
    const noise = Buffer.from(Array.from({ length: 500_000 }, (_, i) => (i * 2654435761) >>> 13));
    const { bytes } = await one.call(2, "echo", message(0, texts, noise), options);
    assert.deepEqual(bytes, [texts, noise]);
    const large = message(0, Buffer.alloc(messageBytesMax));
    await assert.rejects(one.call(2, "echo", large, options), { code: "request.too-large" });
  }));

test("a guest asks what is open to guests and nothing else", () =>
  withRig(async (rig) => {
    const one = await rig.open(1);
    one.handle("join", async (from) => message([from.nodeId, from.cluster]), { guests: true });
    one.handle("append", async () => message("stored"));
    const self = { nodeId: 1, diskId: "new", incarnation: "new" };
    const guest = { self, secret, address: one.address, timeoutMs: 10_000 };
    assert.deepEqual((await askAsGuest(guest, "join", message(0))).head, [1, undefined]);
    await assert.rejects(askAsGuest(guest, "append", message(0)), isUnavailable(false));
    const wrong = { ...guest, secret: Buffer.from("another secret, as long") };
    await assert.rejects(askAsGuest(wrong, "join", message(0)), { code: "peer.refused" });
  }));
