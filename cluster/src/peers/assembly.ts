import { zstdDecompressSync } from "node:zlib";
import { messageOf } from "../../../kit/src/errors.ts";
import {
  carriesMessage,
  type FrameHeader,
  type FrameKind,
  FrameReader,
  type FrameSink,
  frameKinds,
  malformed,
} from "./frame.ts";
import { fragmentBytes } from "./limits.ts";
import { type NamedMessage, unpackMessage } from "./message.ts";
import type { ReceiveMemory } from "./receive-memory.ts";

/** A message of which not all is there. */
interface Partial {
  readonly kind: FrameKind;
  readonly exchange: number;
  readonly memory: Buffer;
  readonly size: number;
  filled: number;
}

export interface AssembledSink {
  /** `message` is of the kinds that carry one; `value` of the others. */
  received(
    kind: FrameKind,
    exchange: number,
    message: NamedMessage | undefined,
    value: number,
  ): void;
}

/**
 * Puts the messages of a link together. Each of its two lanes has one message on the way at a time, so at most two are
 * partly here. Throws `peer.malformed`.
 */
export class Assembly implements FrameSink {
  readonly #reader = new FrameReader(this);
  readonly #sink: AssembledSink;
  readonly #memory: ReceiveMemory;
  /** Of one-way messages, and of all else. */
  readonly #partials: [Partial | undefined, Partial | undefined] = [undefined, undefined];
  #frame: FrameHeader | undefined;
  #current: Partial | undefined;
  /** A packed fragment, as far as it is here. */
  #packed: Buffer | undefined;
  #packedFilled = 0;

  /** Calls and one-way messages lie in `memory`, and whoever has dealt with one gives it back. */
  constructor(sink: AssembledSink, memory: ReceiveMemory) {
    this.#sink = sink;
    this.#memory = memory;
  }

  push(chunk: Buffer): void {
    this.#reader.push(chunk);
  }

  header(frame: FrameHeader): void {
    this.#frame = frame;
    if (!carriesMessage(frame.kind)) return;
    const lane = laneOf(frame.kind);
    let partial = this.#partials[lane];
    if (partial === undefined) {
      if (frame.value === 0) throw malformed("value", 0);
      const { kind, exchange, value: size } = frame;
      const isLent = kind <= frameKinds.stream;
      const memory = isLent ? this.#memory.take(size) : Buffer.allocUnsafeSlow(size);
      partial = { kind, exchange, memory, size, filled: 0 };
      this.#partials[lane] = partial;
    } else if (
      frame.value !== 0 ||
      frame.kind !== partial.kind ||
      frame.exchange !== partial.exchange
    ) {
      throw malformed("fragment", frame.kind);
    }
    this.#current = partial;
    if (frame.isPacked) {
      this.#packed ??= Buffer.allocUnsafeSlow(fragmentBytes);
      this.#packedFilled = 0;
    } else {
      checkRoom(partial, frame.bytes);
    }
  }

  piece(bytes: Buffer): void {
    if (this.#frame?.isPacked === true) {
      this.#packedFilled += bytes.copy(this.#packed as Buffer, this.#packedFilled);
      return;
    }
    const partial = this.#current as Partial;
    partial.filled += bytes.copy(partial.memory, partial.filled);
  }

  end(): void {
    const frame = this.#frame as FrameHeader;
    if (!carriesMessage(frame.kind)) {
      this.#sink.received(frame.kind, frame.exchange, undefined, frame.value);
      return;
    }
    const partial = this.#current as Partial;
    if (frame.isPacked) this.#unpack(partial);
    const isWhole = partial.filled === partial.size;
    if (isWhole === frame.hasMore) throw malformed("fragment", partial.filled);
    if (!isWhole) return;
    this.#partials[laneOf(frame.kind)] = undefined;
    this.#current = undefined;
    this.#sink.received(frame.kind, frame.exchange, unpackMessage(partial.memory, partial.size), 0);
  }

  #unpack(partial: Partial): void {
    const packed = (this.#packed as Buffer).subarray(0, this.#packedFilled);
    let bytes: Buffer;
    try {
      bytes = zstdDecompressSync(packed, { maxOutputLength: fragmentBytes });
    } catch (thrown) {
      throw malformed("packed", messageOf(thrown));
    }
    checkRoom(partial, bytes.length);
    partial.filled += bytes.copy(partial.memory, partial.filled);
  }
}

function laneOf(kind: FrameKind): 0 | 1 {
  return kind === frameKinds.message ? 0 : 1;
}

function checkRoom({ size, filled }: Partial, more: number): void {
  if (filled + more > size) throw malformed("fragment", more);
}
