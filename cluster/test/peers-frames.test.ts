// Goal: any bytes that a peer may send end as messages or as `peer.malformed`, never as another error and never in unbounded memory.
// Method: packed messages are cut into frames and chunks at random; then frames are made up and damaged by a seed.
import assert from "node:assert/strict";
import test from "node:test";
import { zstdCompressSync } from "node:zlib";
import { ServiceError } from "../../kit/src/errors.ts";
import { Prng } from "../../kit/src/prng.ts";
import { Assembly } from "../src/peers/assembly.ts";
import {
  type FrameHeader,
  type FrameKind,
  frameKinds,
  writeFrameHeader,
} from "../src/peers/frame.ts";
import { fragmentBytes, frameHeaderBytes, messageBytesMax } from "../src/peers/limits.ts";
import { type NamedMessage, packMessage, unpackMessage } from "../src/peers/message.ts";
import { ReceiveMemory } from "../src/peers/receive-memory.ts";

const fuzzFrames = Number(process.env["PEER_FRAMES"] ?? 10_000);

interface Received {
  readonly kind: FrameKind;
  readonly exchange: number;
  readonly message: NamedMessage | undefined;
  readonly value: number;
}

function assembly(): { readonly received: Received[]; readonly into: Assembly } {
  const received: Received[] = [];
  const into = new Assembly(
    {
      received: (kind, exchange, message, value) => {
        received.push({ kind, exchange, message, value });
      },
    },
    new ReceiveMemory(),
  );
  return { received, into };
}

function frame(header: Partial<FrameHeader>, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const bytes = Buffer.alloc(frameHeaderBytes + payload.length);
  writeFrameHeader(bytes, 0, {
    ...{ kind: frameKinds.call, exchange: 7, value: 0, isPacked: false, hasMore: false },
    ...header,
    bytes: payload.length,
  });
  bytes.set(payload, frameHeaderBytes);
  return bytes;
}

function bodyOf(name: string, head: unknown, bytes: readonly Uint8Array[]): Buffer {
  return packMessage(name, { head, bytes }).first.subarray(frameHeaderBytes);
}

/** The frames of one message, some of them packed. */
function framesOf(kind: FrameKind, exchange: number, body: Buffer, prng: Prng): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at < body.length; ) {
    const end = Math.min(body.length, at + 1 + prng.below(fragmentBytes));
    const piece = body.subarray(at, end);
    const packed = prng.chance(0.5) ? zstdCompressSync(piece) : undefined;
    const isPacked = packed !== undefined && packed.length <= fragmentBytes;
    const value = at === 0 ? body.length : 0;
    const hasMore = end < body.length;
    frames.push(frame({ kind, exchange, value, isPacked, hasMore }, isPacked ? packed : piece));
    at = end;
  }
  return frames;
}

function isMalformed(thrown: unknown): boolean {
  return thrown instanceof ServiceError && thrown.code === "peer.malformed";
}

test("a message comes out of its frames as it went in, however they are cut", () => {
  const prng = new Prng(7);
  for (let round = 0; round < 20; round++) {
    const arrays = Array.from({ length: prng.below(4) }, () =>
      Buffer.alloc(prng.below(400_000), prng.below(256)),
    );
    const head = { at: round, big: 12n, list: [1, undefined, "x"], key: new Uint8Array([1, 2]) };
    const { received, into } = assembly();
    const calls = framesOf(frameKinds.call, 9, bodyOf("append", head, arrays), prng);
    const others = framesOf(frameKinds.message, 0, bodyOf("log", round, arrays), prng);
    // The lanes are interleaved, and cut into chunks where frames do not end.
    const mixed: Buffer[] = [];
    while (calls.length + others.length > 0) {
      const from = others.length === 0 || (calls.length > 0 && prng.chance(0.5)) ? calls : others;
      mixed.push(from.shift() as Buffer);
    }
    const bytes = Buffer.concat(mixed);
    for (let at = 0; at < bytes.length; ) {
      const end = Math.min(bytes.length, at + 1 + prng.below(70_000));
      into.push(bytes.subarray(at, end));
      at = end;
    }
    assert.equal(received.length, 2);
    const call = received.find(({ kind }) => kind === frameKinds.call)?.message;
    assert.deepEqual([call?.name, call?.head], ["append", head]);
    assert.deepEqual(call?.bytes, arrays);
    const other = received.find(({ kind }) => kind === frameKinds.message)?.message;
    assert.deepEqual([other?.name, other?.head, other?.bytes], ["log", round, arrays]);
  }
});

const whole = bodyOf("m", "head", [Buffer.from("bytes")]);
const bomb = zstdCompressSync(Buffer.alloc(fragmentBytes + 1));
const refusals: readonly { readonly what: string; readonly frames: readonly Buffer[] }[] = [
  { what: "an unknown kind", frames: [frame({ kind: 11 as FrameKind })] },
  { what: "a frame longer than a fragment", frames: [lengthened(fragmentBytes + 1)] },
  { what: "an empty message", frames: [frame({ kind: frameKinds.call })] },
  { what: "a message beyond the limit", frames: [frame({ value: messageBytesMax + 1 }, whole)] },
  { what: "a heartbeat with bytes", frames: [frame({ kind: frameKinds.heartbeat }, whole)] },
  { what: "more bytes than were announced", frames: [frame({ value: whole.length - 1 }, whole)] },
  { what: "fewer bytes than were announced", frames: [frame({ value: whole.length + 1 }, whole)] },
  { what: "a fragment that begins nothing", frames: [frame({ value: 0 }, whole)] },
  {
    what: "a fragment of another exchange",
    frames: [
      frame({ value: 100, hasMore: true }, whole),
      frame({ exchange: 8, hasMore: true }, whole),
    ],
  },
  { what: "what zstd cannot read", frames: [frame({ value: 99, isPacked: true }, whole)] },
  {
    what: "a fragment that unpacks to more than one",
    frames: [frame({ value: fragmentBytes + 1, isPacked: true }, bomb)],
  },
];

function lengthened(bytes: number): Buffer {
  const made = frame({ kind: frameKinds.call, value: 100 });
  made.writeUInt32LE(bytes, 0);
  return made;
}

for (const { what, frames } of refusals) {
  test(`frames are refused: ${what}`, () => {
    const { into } = assembly();
    assert.throws(() => into.push(Buffer.concat(frames)), isMalformed);
  });
}

test("a message cut short anywhere is refused", () => {
  for (let length = 0; length < whole.length; length++) {
    assert.throws(() => unpackMessage(whole.subarray(0, length)), isMalformed);
  }
});

test("a message that is too large is not sent", () => {
  const bytes = [Buffer.alloc(messageBytesMax)];
  const expected = { code: "request.too-large" };
  assert.throws(() => packMessage("m", { head: undefined, bytes }), expected);
});

test(`${fuzzFrames} made up and damaged frames are read or refused as malformed`, () => {
  const seed = Number(process.env["SEED"] ?? 1);
  const prng = new Prng(seed);
  let refused = 0;
  let read = 0;
  let { received, into } = assembly();
  for (let i = 0; i < fuzzFrames; i++) {
    const bytes = prng.chance(0.5) ? madeUp(prng) : damaged(prng);
    try {
      into.push(bytes);
    } catch (thrown) {
      assert.ok(isMalformed(thrown), `SEED=${seed}, frame ${i}: ${String(thrown)}`);
      refused++;
      read += received.length;
      ({ received, into } = assembly());
    }
  }
  assert.ok(refused > fuzzFrames / 10 && read + received.length > 0, `${refused} ${read}`);
});

function madeUp(prng: Prng): Buffer {
  const payload = Buffer.from(Array.from({ length: prng.below(60) }, () => prng.below(256)));
  const made = frame(
    {
      kind: (1 + prng.below(11)) as FrameKind,
      exchange: prng.below(3),
      value: prng.pick([0, payload.length, payload.length + prng.below(10), prng.u32()]),
      isPacked: prng.chance(0.3),
      hasMore: prng.chance(0.3),
    },
    payload,
  );
  if (prng.chance(0.2)) made[prng.below(frameHeaderBytes)] = prng.below(256);
  return made;
}

function damaged(prng: Prng): Buffer {
  const head = { rows: prng.below(100), list: ["a", 2n, new Uint8Array(3)] };
  const body = bodyOf("append", head, [Buffer.alloc(prng.below(100), 1)]);
  const bytes = Buffer.concat(framesOf(prng.pick([1, 2, 3, 4, 5, 6]), 1, body, prng));
  for (let n = prng.below(3); n > 0; n--) bytes[prng.below(bytes.length)] = prng.below(256);
  return prng.chance(0.2) ? bytes.subarray(0, prng.below(bytes.length)) : bytes;
}
