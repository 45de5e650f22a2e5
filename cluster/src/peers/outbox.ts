import type { Socket } from "node:net";
import { constants, zstdCompressSync } from "node:zlib";
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

/** A message that waits or is on its way, behind room for a frame's header. */
export class Outgoing {
  readonly kind: FrameKind;
  readonly exchange: number;
  readonly bytes: Buffer;
  /** How much of it has gone to the socket. */
  at = frameHeaderBytes;
  /** Not to be sent any more; only before it has begun. */
  isDropped = false;

  constructor(kind: FrameKind, exchange: number, bytes: Buffer) {
    this.kind = kind;
    this.exchange = exchange;
    this.bytes = bytes;
  }

  get hasBegun(): boolean {
    return this.at > frameHeaderBytes;
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
    this.bytes += outgoing.bytes.length;
  }

  shift(): void {
    this.bytes -= (this.#items[this.#first] as Outgoing).bytes.length;
    this.#first++;
    // Moving the rest down each time would cost with the square of a long queue.
    if (this.#first * 2 <= this.#items.length) return;
    this.#items = this.#items.slice(this.#first);
    this.#first = 0;
  }
}

export type LaneName = "oneWay" | "exchanges";

export interface OutboxOptions {
  /** Whether large fragments are packed with zstd: it costs more than a connection within a machine. */
  readonly pack: boolean;
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
  readonly #pump = (): void => this.#write();

  constructor(socket: Socket, { pack }: OutboxOptions) {
    this.#socket = socket;
    this.#pack = pack;
    socket.on("drain", this.#pump);
  }

  /** Undefined: the lane is full. `bytes` are a message of `packMessage`, and belong to the outbox now. */
  push(lane: LaneName, kind: FrameKind, exchange: number, bytes: Buffer): Outgoing | undefined {
    if (this.#isClosed || this.#lanes[lane].isFull) return undefined;
    const outgoing = new Outgoing(kind, exchange, bytes);
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
    this.#lanes.exchanges.push(new Outgoing(kind, exchange, headerOf(kind, exchange, 0)));
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
    const { bytes, kind, exchange } = outgoing;
    if (bytes.length === frameHeaderBytes) {
      lane.shift();
      this.#socket.write(bytes);
      return;
    }
    const isFirst = !outgoing.hasBegun;
    const from = outgoing.at;
    const end = Math.min(from + fragmentBytes, bytes.length);
    outgoing.at = end;
    const hasMore = end < bytes.length;
    if (!hasMore) lane.shift();
    const value = isFirst ? bytes.length - frameHeaderBytes : 0;
    const packed = this.#packed(bytes.subarray(from, end));
    const length = packed?.length ?? end - from;
    const header = {
      kind,
      exchange,
      value,
      bytes: length,
      isPacked: packed !== undefined,
      hasMore,
    };
    if (isFirst && packed === undefined) {
      // The message has room for it.
      writeFrameHeader(bytes, 0, header);
      this.#socket.write(bytes.subarray(0, end));
      return;
    }
    const head = Buffer.allocUnsafe(frameHeaderBytes);
    writeFrameHeader(head, 0, header);
    this.#socket.write(head);
    this.#socket.write(packed ?? bytes.subarray(from, end));
  }

  /** The fragment packed, where that is worth it. */
  #packed(fragment: Buffer): Buffer | undefined {
    if (!this.#pack || fragment.length < packFromBytes) return undefined;
    if (this.#packSkips > 0) {
      this.#packSkips--;
      return undefined;
    }
    const packed = zstdCompressSync(fragment, packOptions);
    if (packed.length <= fragment.length * packedShareMax) return packed;
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
