import type { Socket } from "node:net";
import { constants, zstdCompressSync } from "node:zlib";
import { assert } from "../../../kit/src/assert.ts";
import { type FrameKind, writeFrameHeader } from "./frame.ts";
import {
  exchangeQueueBytesMax,
  fragmentBytes,
  frameHeaderBytes,
  oneWayQueueBytesMax,
  packedShareMax,
  packFromBytes,
  packSkipped,
  queueMessagesMax,
  socketBufferBytes,
} from "./limits.ts";
import type { PackedMessage } from "./message.ts";

/** A message that waits or is on its way. */
export class Outgoing {
  readonly kind: FrameKind;
  readonly exchange: number;
  readonly message: PackedMessage;
  /** Called once, when its bytes are needed no more. */
  readonly sent: (() => void) | undefined;
  /** Bytes that have gone to the socket. */
  #done = 0;
  /** What goes next: in `first`, or in one of the rest. */
  #piece = -1;
  #at = frameHeaderBytes;
  #isDropped = false;

  constructor(
    kind: FrameKind,
    exchange: number,
    message: PackedMessage,
    sent: (() => void) | undefined,
  ) {
    this.kind = kind;
    this.exchange = exchange;
    this.message = message;
    this.sent = sent;
  }

  get hasBegun(): boolean {
    return this.#done > 0;
  }

  get isDropped(): boolean {
    return this.#isDropped;
  }

  get leftBytes(): number {
    return this.message.size - this.#done;
  }

  /** It is not to be sent any more; only before it has begun. */
  drop(): void {
    if (this.#isDropped) return;
    this.#isDropped = true;
    this.sent?.();
  }

  /** The next so many bytes, from where they lie. */
  take(bytes: number): Uint8Array[] {
    const slices: Uint8Array[] = [];
    this.#done += bytes;
    for (let left = bytes; left > 0; ) {
      const piece = this.#piece < 0 ? this.message.first : this.message.rest[this.#piece];
      assert(piece !== undefined, "a message has the bytes it says");
      const end = Math.min(piece.length, this.#at + left);
      slices.push(piece.subarray(this.#at, end));
      left -= end - this.#at;
      this.#at = end;
      if (end < piece.length) break;
      this.#piece++;
      this.#at = 0;
    }
    return slices;
  }
}

/** What waits in one lane, in order. */
class Lane {
  readonly #bytesMax: number;
  #items: Outgoing[] = [];
  #first = 0;
  bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get head(): Outgoing | undefined {
    return this.#items[this.#first];
  }

  get isFull(): boolean {
    return this.bytes >= this.#bytesMax || this.#items.length - this.#first >= queueMessagesMax;
  }

  get isHalfFree(): boolean {
    return this.bytes <= this.#bytesMax / 2;
  }

  push(outgoing: Outgoing): void {
    this.#items.push(outgoing);
    this.bytes += queuedSize(outgoing);
  }

  shift(): void {
    this.bytes -= queuedSize(this.#items[this.#first] as Outgoing);
    this.#first++;
    // Moving the rest down each time would cost with the square of a long queue.
    if (this.#first * 2 <= this.#items.length) return;
    this.#items = this.#items.slice(this.#first);
    this.#first = 0;
  }
}

/** Small messages count for what an object of theirs takes, too. */
function queuedSize({ message }: Outgoing): number {
  return frameHeaderBytes + message.size;
}

export type LaneName = "oneWay" | "exchanges";

export interface OutboxOptions {
  /** Whether large fragments are packed with zstd: it costs more than a connection within a machine. */
  readonly pack: boolean;
  /** Called when the lane of one-way messages, which refused one, is half free. */
  readonly onRoom: () => void;
}

/**
 * What a link sends: bounded queues, of which one fragment each goes out in turn, and no more than the socket takes. What is sent in one
 * turn of the event loop goes out together at its end.
 */
export class Outbox {
  readonly #socket: Socket;
  readonly #pack: boolean;
  readonly #lanes = {
    oneWay: new Lane(oneWayQueueBytesMax),
    exchanges: new Lane(exchangeQueueBytesMax),
  };
  /** Headers without bytes behind them: few and short, and before all else. */
  readonly #controls: Buffer[] = [];
  readonly #roomWaiters = new Set<() => void>();
  #turn: LaneName = "oneWay";
  #isScheduled = false;
  #isClosed = false;
  #packSkips = 0;
  #wasRefused = false;
  readonly #onRoom: () => void;
  readonly #pump = (): void => this.#write();

  constructor(socket: Socket, { pack, onRoom }: OutboxOptions) {
    this.#socket = socket;
    this.#pack = pack;
    this.#onRoom = onRoom;
    socket.on("drain", this.#pump);
  }

  /** Undefined: the lane is full. `sent` is called once the message's bytes are needed no more, also when the link ends. */
  push(
    lane: LaneName,
    kind: FrameKind,
    exchange: number,
    message: PackedMessage,
    sent?: () => void,
  ): Outgoing | undefined {
    if (this.#isClosed) return undefined;
    if (this.#lanes[lane].isFull) {
      if (lane === "oneWay") this.#wasRefused = true;
      return undefined;
    }
    const outgoing = new Outgoing(kind, exchange, message, sent);
    this.#lanes[lane].push(outgoing);
    this.#schedule();
    return outgoing;
  }

  /** What is told without a message goes before all that waits. */
  control(kind: FrameKind, exchange: number, value = 0): void {
    if (this.#isClosed) return;
    this.#controls.push(headerOf(kind, exchange, value));
    this.#schedule();
  }

  /** As `control`, but behind what waits in the lane of exchanges: what ends one must not overtake it. */
  follow(kind: FrameKind, exchange: number): void {
    if (this.#isClosed) return;
    const message = { first: headerOf(kind, exchange, 0), rest: [], size: 0 };
    this.#lanes.exchanges.push(new Outgoing(kind, exchange, message, undefined));
    this.#schedule();
  }

  /** Waits until the lane of exchanges is half free, or the link ends. */
  async whenRoom(): Promise<void> {
    if (this.#isClosed || this.#lanes.exchanges.isHalfFree) return;
    await new Promise<void>((resolve) => {
      this.#roomWaiters.add(resolve);
    });
  }

  /** Bytes that wait for the socket. */
  get queuedBytes(): number {
    return this.#lanes.oneWay.bytes + this.#lanes.exchanges.bytes;
  }

  close(): void {
    this.#isClosed = true;
    this.#socket.off("drain", this.#pump);
    this.#wake();
    for (const lane of [this.#lanes.oneWay, this.#lanes.exchanges]) {
      for (; lane.head !== undefined; lane.shift()) lane.head.drop();
    }
  }

  #schedule(): void {
    if (this.#isScheduled || this.#socket.writableNeedDrain) return;
    this.#isScheduled = true;
    process.nextTick(this.#pump);
  }

  #write(): void {
    this.#isScheduled = false;
    if (this.#isClosed || this.#socket.destroyed) return;
    this.#socket.cork();
    for (const control of this.#controls.splice(0)) this.#socket.write(control);
    while (this.#socket.writableLength < socketBufferBytes) {
      const lane = this.#next();
      if (lane === undefined) break;
      this.#writeFragment(lane);
    }
    this.#socket.uncork();
    if (this.#lanes.exchanges.isHalfFree) this.#wake();
    if (this.#wasRefused && this.#lanes.oneWay.isHalfFree) {
      this.#wasRefused = false;
      this.#onRoom();
    }
  }

  /** The lane whose turn it is, of those with something to send. */
  #next(): Lane | undefined {
    const other: LaneName = this.#turn === "oneWay" ? "exchanges" : "oneWay";
    for (const name of [other, this.#turn]) {
      const lane = this.#lanes[name];
      while (lane.head?.isDropped === true) lane.shift();
      if (lane.head === undefined) continue;
      this.#turn = name;
      return lane;
    }
    return undefined;
  }

  #writeFragment(lane: Lane): void {
    const outgoing = lane.head as Outgoing;
    const { message, kind, exchange, sent } = outgoing;
    if (message.size === 0) {
      lane.shift();
      this.#socket.write(message.first);
      return;
    }
    const isFirst = !outgoing.hasBegun;
    const bytes = Math.min(fragmentBytes, outgoing.leftBytes);
    const hasMore = bytes < outgoing.leftBytes;
    const slices = outgoing.take(bytes);
    if (!hasMore) lane.shift();
    const value = isFirst ? message.size : 0;
    const packed = this.#packed(slices, bytes);
    const length = packed?.length ?? bytes;
    const header = {
      kind,
      exchange,
      value,
      bytes: length,
      isPacked: packed !== undefined,
      hasMore,
    };
    const done = hasMore || sent === undefined ? undefined : () => sent();
    if (isFirst && packed === undefined) {
      // The message has room for it before its first bytes.
      writeFrameHeader(message.first, 0, header);
      const first = slices[0] as Uint8Array;
      slices[0] = message.first.subarray(0, frameHeaderBytes + first.length);
    } else {
      const head = Buffer.allocUnsafe(frameHeaderBytes);
      writeFrameHeader(head, 0, header);
      this.#socket.write(head);
    }
    const written = packed === undefined ? slices : [packed];
    for (const [at, slice] of written.entries()) {
      if (done !== undefined && at === written.length - 1) this.#socket.write(slice, done);
      else this.#socket.write(slice);
    }
  }

  /** The fragment packed, where that is worth it. */
  #packed(slices: readonly Uint8Array[], bytes: number): Buffer | undefined {
    if (!this.#pack || bytes < packFromBytes) return undefined;
    if (this.#packSkips > 0) {
      this.#packSkips--;
      return undefined;
    }
    const whole = slices.length === 1 ? (slices[0] as Uint8Array) : Buffer.concat(slices, bytes);
    const packed = zstdCompressSync(whole, packOptions);
    if (packed.length <= bytes * packedShareMax) return packed;
    this.#packSkips = packSkipped;
    return undefined;
  }

  #wake(): void {
    for (const wake of this.#roomWaiters) wake();
    this.#roomWaiters.clear();
  }
}

const packOptions = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

function headerOf(kind: FrameKind, exchange: number, value: number): Buffer {
  const header = Buffer.alloc(frameHeaderBytes);
  writeFrameHeader(header, 0, {
    ...{ bytes: 0, kind, exchange, value, isPacked: false, hasMore: false },
  });
  return header;
}
