import { ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import { type ChunkRef, ChunkWriter } from "./chunk.ts";
import { checkStored } from "./damage.ts";
import { frameBytes, framesMax } from "./limits.ts";
import { type ColumnSource, PayloadReader, PayloadWriter } from "./streams.ts";
import type { ListOutput } from "./value-list.ts";

/**
 * Gathers the payloads of a block's columns into chunks of about `frameBytes`: small ones share a checksum and a call
 * of zstd, and a point read unpacks little. What is packed is as small as it can be and stays as it is.
 */
export class FrameWriter {
  #chunks = new ChunkWriter(0);
  readonly #out = new ByteWriter();
  readonly #text = openFrame();
  readonly #packed = openFrame();
  readonly #filters = openFrame();
  #refs: (ChunkRef | undefined)[] = [];

  /** Begins a block, whose frames go to `chunks`; what an abandoned one left is forgotten. */
  start(chunks: ChunkWriter): void {
    this.#chunks = chunks;
    this.#refs = [];
    for (const frame of [this.#text, this.#packed, this.#filters]) {
      frame.ordinal = -1;
      frame.payload.clear();
    }
  }

  /** Where a column is written until `end` is called. */
  begin(): ListOutput {
    this.#out.clear();
    this.#text.begins = this.#text.payload.length;
    this.#packed.begins = this.#packed.payload.length;
    return { out: this.#out, packed: this.#packed.payload, text: this.#text.payload };
  }

  /** Writes where the payloads of the column are, and its description. */
  end(to: ByteWriter): void {
    this.#end(this.#packed, to, false);
    this.#end(this.#text, to, true);
    to.written(this.#out);
  }

  /** Adds a token filter and writes where it is. */
  addFilter(filter: Buffer, to: ByteWriter): void {
    const frame = this.#filters;
    frame.begins = frame.payload.length;
    frame.payload.copy(filter, 0, filter.length);
    this.#end(frame, to, false);
  }

  /** The frames' places, once all is added. */
  finish(): ChunkRef[] {
    this.#close(this.#text, true);
    this.#close(this.#packed, false);
    this.#close(this.#filters, false);
    return this.#refs.filter((ref) => ref !== undefined);
  }

  #end(frame: OpenFrame, to: ByteWriter, isText: boolean): void {
    const length = frame.payload.length - frame.begins;
    to.varint(length);
    if (length === 0) return;
    if (frame.ordinal < 0) frame.ordinal = this.#refs.push(undefined) - 1;
    to.varint(frame.ordinal);
    to.varint(frame.begins);
    if (frame.payload.length >= frameBytes) this.#close(frame, isText);
  }

  #close(frame: OpenFrame, isText: boolean): void {
    if (frame.ordinal < 0) return;
    const raw = frame.payload.bytes;
    // The payload's memory is written anew, so what is not compressed is copied.
    this.#refs[frame.ordinal] = isText
      ? this.#chunks.addCopy(raw)
      : this.#chunks.addRaw(Buffer.from(raw));
    frame.ordinal = -1;
    frame.payload.clear();
  }
}

interface OpenFrame {
  readonly payload: PayloadWriter;
  /** -1: nothing is in it. */
  ordinal: number;
  /** Where the column being written begins. */
  begins: number;
}

function openFrame(): OpenFrame {
  return { payload: new PayloadWriter(), ordinal: -1, begins: 0 };
}

/** Gives the raw bytes of a frame, checked. */
export type ReadFrame = (ordinal: number) => Buffer;

/** Where a frame lies, by its number. */
export function checkedFrame(frames: readonly ChunkRef[], ordinal: number): ChunkRef {
  const ref = frames[ordinal];
  checkStored(ref !== undefined, "a payload is in no frame");
  return ref;
}

/** Where a column's payloads lie, and its description; read without reading them. */
export interface ColumnRef {
  readonly packed: PayloadRef;
  readonly text: PayloadRef;
  readonly head: Buffer;
}

export interface PayloadRef {
  readonly length: number;
  readonly frame: number;
  readonly at: number;
}

export function readColumnRef(from: ByteReader): ColumnRef {
  return { packed: readPayloadRef(from), text: readPayloadRef(from), head: from.blob() };
}

export function readPayloadRef(from: ByteReader): PayloadRef {
  const length = from.varint();
  if (length === 0) return nothing;
  return { length, frame: from.count(framesMax), at: from.varint() };
}

const nothing: PayloadRef = { length: 0, frame: 0, at: 0 };
const noBytes = Buffer.alloc(0);

export function openColumnRef(ref: ColumnRef, frame: ReadFrame): ColumnSource {
  return {
    head: new ByteReader(ref.head),
    packed: new PayloadReader(payloadOf(ref.packed, frame)),
    text: new PayloadReader(payloadOf(ref.text, frame)),
  };
}

export function payloadOf({ length, frame, at }: PayloadRef, read: ReadFrame): Buffer {
  if (length === 0) return noBytes;
  const bytes = read(frame);
  checkStored(at + length <= bytes.length, "a payload lies beyond its frame");
  return bytes.subarray(at, at + length);
}
