import assert from "node:assert/strict";
import test from "node:test";

import { Prng } from "../../kit/src/prng.ts";
import { ImageScanner } from "../src/quorum/image-scanner.ts";
import { decode, encode } from "../src/wire/codec.ts";
import {
  type ElectionMessage,
  electionRead,
  electionWrite,
  initialRead,
  initialWrite,
} from "../src/wire/election.ts";
import { WireError } from "../src/wire/errors.ts";
import {
  LearnerInfo,
  PacketSplitter,
  packetRead,
  packetTypes,
  packetWrite,
} from "../src/wire/quorum.ts";
import { JuteWriter } from "../src/wire/writer.ts";
import { imageOf } from "./quorum-harness.ts";

const framesMax = Number(process.env["LOGKEEP_FUZZ_FRAMES"] ?? 20_000);
const limits = { dataBytesMax: 1000, idsMax: 4, idBytesMax: 40 };

const written = (write: (to: JuteWriter) => void): string => {
  const writer = new JuteWriter();
  write(writer);
  return writer.copy().toString("hex");
};

/** As Apache's Learner, LearnerHandler and FastLeaderElection would write them. */
const packets: readonly {
  readonly what: string;
  readonly write: (to: JuteWriter) => void;
  readonly hex: string;
}[] = [
  {
    what: "FOLLOWERINFO of server 2 that accepted epoch 3",
    write: (to) =>
      packetWrite(
        to,
        packetTypes.followerInfo,
        3 * 2 ** 32,
        encode(LearnerInfo, { serverId: 2n, protocolVersion: 0x10000, configVersion: 0n }),
      ),
    hex: "0000000b 0000000300000000 00000014 0000000000000002 00010000 0000000000000000 ffffffff",
  },
  {
    what: "ACKEPOCH that is no promise",
    write: (to) => packetWrite(to, packetTypes.ackEpoch, 2 * 2 ** 32 + 7, Buffer.alloc(4, 0xff)),
    hex: "00000012 0000000200000007 00000004 ffffffff ffffffff",
  },
  {
    what: "ACK of a txn",
    write: (to) => packetWrite(to, packetTypes.ack, 2 ** 32 + 1),
    hex: "00000003 0000000100000001 ffffffff ffffffff",
  },
  {
    what: "UPTODATE",
    write: (to) => packetWrite(to, packetTypes.upToDate, -1),
    hex: "0000000c ffffffffffffffff ffffffff ffffffff",
  },
  {
    what: "REQUEST with an identity",
    write: (to) =>
      packetWrite(to, packetTypes.request, -1, Buffer.from("ab", "hex"), [
        { scheme: "ip", id: "::1" },
      ]),
    hex: "00000001 ffffffffffffffff 00000001 ab 00000001 00000002 6970 00000003 3a3a31",
  },
];

for (const { what, write, hex } of packets) {
  test(`${what} is written byte for byte, and read again`, () => {
    const bytes = hex.replaceAll(" ", "");
    assert.equal(written(write), bytes);
    const splitter = new PacketSplitter(limits);
    splitter.push(Buffer.from(bytes, "hex"));
    const { type, zxid, data, ids } = splitter.next() ?? assert.fail("it is not whole");
    const again = written((to) =>
      packetWrite(to, type, zxid, data, ids.length === 0 ? undefined : ids),
    );
    assert.equal(again, bytes);
    assert.equal(splitter.pending, 0);
  });
}

test("the learner's info is read from the data of a packet", () => {
  const info = decode(LearnerInfo, Buffer.from("0000000000000009000100000000000100000000", "hex"));
  assert.deepEqual(info, { serverId: 9n, protocolVersion: 0x10000, configVersion: 2n ** 32n });
});

const notification: ElectionMessage = {
  state: "leading",
  vote: { leader: 3, zxid: 2 * 2 ** 32 + 5, peerEpoch: 2 },
  electionEpoch: 7,
  config: "version=0",
};
const notificationHex =
  "00000002" +
  "0000000000000003" +
  "0000000200000005" +
  "0000000000000007" +
  "0000000000000002" +
  "00000002" +
  "0000000976657273696f6e3d30";
const noneHex = "8000000000000000";

test("a notification is written byte for byte, and read again", () => {
  assert.equal(
    written((to) => electionWrite(to, notification)),
    notificationHex,
  );
  assert.deepEqual(electionRead(Buffer.from(notificationHex, "hex")), notification);
});

test("who has no vote says Java's smallest long for each of its fields", () => {
  const none: ElectionMessage = { ...notification, state: "looking", vote: undefined, config: "" };
  const hex = `00000000${noneHex}${noneHex}0000000000000007${noneHex}0000000200000000`;
  assert.equal(
    written((to) => electionWrite(to, none)),
    hex,
  );
  assert.deepEqual(electionRead(Buffer.from(hex, "hex")), none);
});

test("a notification of a server before 3.5, without version or without epoch, is read", () => {
  const { config: _, ...rest } = notification;
  const without = { ...rest, config: undefined };
  assert.deepEqual(electionRead(Buffer.from(notificationHex.slice(0, 72), "hex")), without);
  assert.deepEqual(electionRead(Buffer.from(notificationHex.slice(0, 56), "hex")), without);
});

const initialHex = "ffffffffffff0000 0000000000000002 0000000e 3132372e302e302e313a33383838";

test("an election connection begins with the version, the id and the address", () => {
  const bytes = Buffer.from(initialHex.replaceAll(" ", ""), "hex");
  assert.equal(
    written((to) => initialWrite(to, 2, ["127.0.0.1:3888"])),
    bytes.toString("hex"),
  );
  for (let length = 0; length < bytes.length; length++) {
    assert.equal(initialRead(bytes.subarray(0, length)), undefined);
  }
  const message = { sender: 2, addresses: "127.0.0.1:3888" };
  const rest = Buffer.concat([bytes, Buffer.from("more")]);
  assert.deepEqual(initialRead(rest), { message, length: bytes.length });
});

test("several addresses are sent in the version that knows of them", () => {
  const hex = written((to) => initialWrite(to, 1, ["a:1", "b:2"]));
  assert.equal(hex.slice(0, 16), "ffffffffffff0001");
  assert.equal(initialRead(Buffer.from(hex, "hex"))?.message.addresses, "a:1|b:2");
});

test("an initial message of a server before 3.5 is its id, and an observer's has none", () => {
  const old = Buffer.from("0000000000000004", "hex");
  assert.deepEqual(initialRead(old)?.message, { sender: 4, addresses: undefined });
  const observer = Buffer.from("7fffffffffffffff", "hex");
  assert.equal(initialRead(observer)?.message.sender, undefined);
});

test("lengths beyond the limits are refused before their bytes are waited for", () => {
  const heads = [
    "00000002 0000000100000001 000003e9",
    "00000002 0000000100000001 fffffffe",
    "00000001 0000000100000001 ffffffff 00000005",
    "00000001 0000000100000001 ffffffff 00000001 00000029",
    "00000001 0000000100000001 7fffffff",
  ];
  for (const head of heads) {
    const splitter = new PacketSplitter(limits);
    splitter.push(Buffer.from(head.replaceAll(" ", ""), "hex"));
    assert.throws(() => splitter.next(), wireFault("length"));
  }
  const initial = Buffer.from(`${initialHex.replaceAll(" ", "").slice(0, 32)}00000801`, "hex");
  assert.throws(() => initialRead(initial), wireFault("length"));
  assert.throws(() => electionRead(Buffer.from(`${notificationHex.slice(0, 80)}7fffffff`, "hex")));
});

test("what is kept of a chunk is no view of it, whose memory is written over", () => {
  const prng = new Prng(12);
  const stream = Buffer.concat(
    packets.map(({ hex }) => Buffer.from(hex.replaceAll(" ", ""), "hex")),
  );
  const chunk = Buffer.alloc(30);
  for (let run = 0; run < 200; run++) {
    const splitter = new PacketSplitter(limits);
    const again = new JuteWriter();
    for (let at = 0; at < stream.length; ) {
      const length = Math.min(1 + prng.below(30), stream.length - at);
      stream.copy(chunk, 0, at, at + length);
      splitter.push(chunk.subarray(0, length));
      at += length;
      for (let packet = splitter.next(); packet !== undefined; packet = splitter.next()) {
        const { type, zxid, data, ids } = packet;
        packetWrite(again, type, zxid, data, ids.length === 0 ? undefined : ids);
      }
      splitter.keep();
      chunk.fill(0xff);
    }
    assert.equal(again.view().toString("hex"), stream.toString("hex"));
  }
});

test("packets come out the same however the stream is cut into chunks", () => {
  const prng = new Prng(11);
  const stream = Buffer.concat(
    packets.map(({ hex }) => Buffer.from(hex.replaceAll(" ", ""), "hex")),
  );
  for (let run = 0; run < 200; run++) {
    const splitter = new PacketSplitter(limits);
    let types: number[] = [];
    for (let at = 0; at < stream.length; ) {
      const length = 1 + prng.below(30);
      splitter.push(stream.subarray(at, at + length));
      at += length;
      for (let packet = splitter.next(); packet !== undefined; packet = splitter.next()) {
        types = [...types, packet.type];
      }
    }
    assert.deepEqual(types, [11, 18, 3, 12, 1]);
  }
});

test("the end of an image is found however the stream is cut, and its signature is none of it", () => {
  const source = imageOf(["one", "two", ""]);
  const pieces: Buffer[] = [];
  while (!source.isDone) pieces.push(source.next());
  const image = Buffer.concat(pieces);
  const signature = Buffer.from("0000000a42656e5761734865726561626364", "hex");
  const stream = Buffer.concat([image, signature]);
  const prng = new Prng(12);
  for (let run = 0; run < 300; run++) {
    const scanner = new ImageScanner();
    let body = 0;
    let taken = 0;
    while (!scanner.isDone) {
      const length = 1 + prng.below(run % 2 === 0 ? 4 : 400);
      const passed = scanner.push(stream.subarray(taken, taken + length));
      body += passed.image;
      taken += passed.taken;
    }
    assert.equal(body, image.length);
    assert.equal(stream.length - taken, 4);
  }
});

test("an image without its signature is refused", () => {
  const scanner = new ImageScanner();
  const source = imageOf([]);
  while (!source.isDone) scanner.push(source.next());
  assert.throws(
    () => scanner.push(Buffer.from("0000000a42656e5761734865726f", "hex")),
    wireFault("magic"),
  );
});

const valid = Buffer.from(packets.map(({ hex }) => hex.replaceAll(" ", "")).join(""), "hex");
const decoders: readonly {
  readonly name: string;
  readonly seed: number;
  readonly from: Buffer;
  readonly decode: (bytes: Buffer) => void;
}[] = [
  {
    name: "packets",
    seed: 1,
    from: valid,
    decode: (bytes) => {
      const splitter = new PacketSplitter(limits);
      splitter.push(bytes);
      while (splitter.next() !== undefined);
    },
  },
  {
    name: "one packet",
    seed: 2,
    from: valid.subarray(0, 40),
    decode: (bytes) => packetRead(bytes),
  },
  {
    name: "notifications",
    seed: 3,
    from: Buffer.from(notificationHex, "hex"),
    decode: (bytes) => electionRead(bytes),
  },
  {
    name: "initial messages",
    seed: 4,
    from: Buffer.from(initialHex.replaceAll(" ", ""), "hex"),
    decode: (bytes) => initialRead(bytes),
  },
  {
    name: "images",
    seed: 5,
    from: imageOf(["x"]).next(),
    decode: (bytes) => new ImageScanner().push(bytes),
  },
];

for (const { name, seed, from, decode: attempt } of decoders) {
  test(`random and damaged ${name} are refused with a wire error or read, and nothing else`, () => {
    const prng = new Prng(seed);
    for (let frame = 0; frame < framesMax; frame++) {
      const isRandom = frame % 2 === 0;
      const bytes = isRandom
        ? Buffer.from(Array.from({ length: prng.below(80) }, () => prng.below(256)))
        : Buffer.from(from.subarray(0, from.length - (prng.chance(0.3) ? prng.below(9) : 0)));
      for (let flips = 1 + prng.below(3); !isRandom && flips > 0; flips--) {
        bytes[prng.below(bytes.length)] = prng.below(256);
      }
      try {
        attempt(bytes);
      } catch (thrown) {
        if (!(thrown instanceof WireError)) {
          throw new Error(`${name}: ${bytes.toString("hex")}`, { cause: thrown });
        }
      }
    }
  });
}

function wireFault(fault: string): (thrown: unknown) => boolean {
  return (thrown) => thrown instanceof WireError && thrown.fault === fault;
}
