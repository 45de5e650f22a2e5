import kafkajs from "kafkajs";
import { CodecFault } from "./codec-fault.ts";
import type { FetchedMessage } from "./kafkajs-cluster.ts";
import { answerInflatedBytes, recordsMax, recordsTurn } from "./limits.ts";

/*
 * The bytes of record batches (Kafka 0.11 and newer) as messages. kafkajs has a decoder for them, too: it copies the
 * headers of a message anew for each of them, passes all records of a batch to one call as arguments, and inflates all
 * batches of an answer at once, so that one producer could stop or end the process.
 */

/** What the batches of one answer have become so far. */
export interface Inflated {
  bytes: number;
}

/** Bytes of a batch before its records, and of that what stands before its length counts. */
const headerBytes = 61;
const lengthAt = 8;
const lengthEnd = 12;

/** Whether bytes are record batches; older formats have another number there. */
export function isRecordBatches(bytes: Buffer): boolean {
  return bytes.length > 16 && bytes.readInt8(16) === 2;
}

/**
 * The records of whole batches, as far as there is room: at least of one batch when `inflated` is 0, and of none when
 * it has reached the bound. Whoever asks again at the next offset gets the others. Rejects with a `CodecFault`, or as zlib does.
 */
export async function messagesOf(bytes: Buffer, inflated: Inflated): Promise<FetchedMessage[]> {
  const messages: FetchedMessage[] = [];
  let at = 0;
  while (bytes.length - at >= headerBytes && inflated.bytes < answerInflatedBytes) {
    const end = at + lengthEnd + bytes.readInt32BE(at + lengthAt);
    if (end < at + headerBytes) throw new CodecFault("a batch of records is too short");
    // The last one may be cut off.
    if (end > bytes.length) break;
    await addBatch(bytes.subarray(at, end), inflated, messages);
    at = end;
  }
  return messages;
}

async function addBatch(
  batch: Buffer,
  inflated: Inflated,
  messages: FetchedMessage[],
): Promise<void> {
  const attributes = batch.readInt16BE(21);
  const firstOffset = batch.readBigInt64BE(0);
  const firstTime = batch.readBigInt64BE(27);
  const count = batch.readInt32BE(57);
  if (count > recordsMax) throw new CodecFault(`a batch has ${count} records`);
  const isControlRecord = (attributes & 0x20) !== 0;
  const appendTime = (attributes & 0x8) === 0 ? undefined : String(batch.readBigInt64BE(35));
  const batchContext = {
    firstOffset: String(firstOffset),
    lastOffsetDelta: batch.readInt32BE(23),
    producerId: String(batch.readBigInt64BE(43)),
    inTransaction: (attributes & 0x10) !== 0,
  };
  const bytes = await plain(batch.subarray(headerBytes), attributes & 7);
  inflated.bytes += bytes.length;
  const reader = new Reader(bytes);
  const records: RecordOfBatch[] = [];
  for (let i = 0; i < count; i++) {
    if (i % recordsTurn === recordsTurn - 1) await new Promise((resolve) => setImmediate(resolve));
    records.push(reader.record());
  }
  const valueBytes = records.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
  // A value keeps all the bytes of which it is a part.
  const isCopied = valueBytes < bytes.length / 2;
  for (const { timeDelta, offsetDelta, key, value } of records) {
    messages.push({
      offset: String(firstOffset + BigInt(offsetDelta)),
      timestamp: appendTime ?? String(firstTime + BigInt(timeDelta)),
      // Only of those that end transactions is it looked at.
      key: isControlRecord ? key : null,
      value: isCopied && value !== null ? Buffer.from(value) : value,
      isControlRecord,
      batchContext,
    });
  }
}

interface Codec {
  decompress(bytes: Buffer): Promise<Buffer>;
}

async function plain(records: Buffer, compression: number): Promise<Buffer> {
  if (compression === 0) return records;
  const codecs: Readonly<Record<number, (() => Codec) | undefined>> = kafkajs.CompressionCodecs;
  const codec = codecs[compression];
  if (codec === undefined) throw new CodecFault(`there is no compression ${compression}`);
  return codec().decompress(records);
}

interface RecordOfBatch {
  readonly timeDelta: number;
  readonly offsetDelta: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** One record; its headers are passed over. */
  record(): RecordOfBatch {
    const length = this.#varint();
    const end = this.#at + length;
    if (length < 1 || end > this.#bytes.length) throw new CodecFault("a record is cut off");
    this.#at++;
    const timeDelta = this.#varint();
    const offsetDelta = this.#varint();
    const key = this.#field(end);
    const value = this.#field(end);
    this.#at = end;
    return { timeDelta, offsetDelta, key, value };
  }

  #field(end: number): Buffer | null {
    const length = this.#varint();
    if (length < 0) return null;
    const from = this.#at;
    this.#at += length;
    if (this.#at > end) throw new CodecFault("a field is longer than its record");
    return this.#bytes.subarray(from, this.#at);
  }

  /** At most ten bytes of seven bits, the lowest first; odd ones are negative. */
  #varint(): number {
    let sum = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new CodecFault("a number is cut off");
      sum += (byte & 0x7f) * scale;
      if (byte < 0x80) return sum % 2 === 0 ? sum / 2 : -(sum + 1) / 2;
      scale *= 128;
    }
    throw new CodecFault("a number is too long");
  }
}
