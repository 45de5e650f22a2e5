import { int, long, type Of, record } from "./codec.ts";
import { WireError } from "./errors.ts";
import { JuteReader } from "./reader.ts";
import { Id } from "./records.ts";
import type { JuteWriter } from "./writer.ts";

/** What leaders and learners say to each other, by the numbers of ZooKeeper's `Leader`. */
export const packetTypes = {
  request: 1,
  proposal: 2,
  ack: 3,
  commit: 4,
  ping: 5,
  revalidate: 6,
  sync: 7,
  inform: 8,
  /** The commit of a change of the ensemble: its data names who leads from then on. */
  commitAndActivate: 9,
  newLeader: 10,
  followerInfo: 11,
  upToDate: 12,
  diff: 13,
  trunc: 14,
  snap: 15,
  observerInfo: 16,
  leaderInfo: 17,
  ackEpoch: 18,
  /** As `commitAndActivate`, with the txn behind the name. */
  informAndActivate: 19,
} as const;

/** The protocol in which a leader tells its epoch before anything is synchronised (since 3.4). */
export const quorumProtocolVersion = 0x10000;

/** Follows an image on the wire. */
export const imageSignature = "BenWasHere";

/**
 * One packet on the quorum port. Nothing frames it: its end follows from its fields.
 * `data` is a view of what was read.
 */
export interface QuorumPacket {
  readonly type: number;
  /** -1 where it says nothing. */
  readonly zxid: number;
  readonly data: Buffer | null;
  readonly ids: readonly Id[];
}

/** The data of FOLLOWERINFO and OBSERVERINFO. */
export const LearnerInfo = record({ serverId: long, protocolVersion: int, configVersion: long });
export type LearnerInfo = Of<typeof LearnerInfo>;

/** Writes a packet; no data and no ids are null, as Apache writes them. */
export function packetWrite(
  to: JuteWriter,
  type: number,
  zxid: number,
  data: Uint8Array | null = null,
  ids?: readonly Id[],
): void {
  to.int(type);
  to.longNumber(zxid);
  to.buffer(data);
  if (ids === undefined) {
    to.int(-1);
    return;
  }
  to.int(ids.length);
  for (const id of ids) Id.write(to, id);
}

/** The one packet that these bytes are. Throws a `WireError`. */
export function packetRead(bytes: Buffer, start = 0, end = bytes.length): QuorumPacket {
  const from = new JuteReader(bytes, start, end);
  const type = from.int();
  const zxid = from.longNumber();
  if (zxid < -1) throw new WireError("range", `a packet's zxid is ${zxid}`, 4);
  const data = from.buffer();
  const count = from.vectorLength();
  if (count === 0) {
    from.end();
    return { type, zxid, data, ids: none };
  }
  const ids = Array.from({ length: count }, () => Id.read(from));
  from.end();
  return { type, zxid, data, ids };
}

const none: readonly never[] = [];

/** What one packet may hold. */
export interface PacketLimits {
  readonly dataBytesMax: number;
  readonly idsMax: number;
  /** Bytes of a scheme or an id. */
  readonly idBytesMax: number;
}

/**
 * Cuts a stream into packets, on demand: what follows a packet may be no packet. A packet that lies whole
 * in a chunk is given as a view of it.
 */
export class PacketSplitter {
  readonly #limits: PacketLimits;
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  /** The bytes are no view of what was pushed. */
  #isOwn = true;
  #waiting: Buffer[] = [];
  #length = 0;
  /** So many bytes it takes to know more. */
  #needed = 1;

  constructor(limits: PacketLimits) {
    this.#limits = limits;
  }

  /** Bytes that were pushed and not taken. */
  get pending(): number {
    return this.#length;
  }

  push(chunk: Buffer): void {
    this.#waiting.push(chunk);
    this.#length += chunk.length;
  }

  /** What was pushed and not taken is copied: the memory of what was pushed is used for other things from here on. */
  keep(): void {
    const last = this.#waiting.length - 1;
    const chunk = this.#waiting[last];
    if (chunk !== undefined) this.#waiting[last] = Buffer.from(chunk);
    else if (!this.#isOwn && this.#length > 0) {
      this.#bytes = Buffer.from(this.#bytes.subarray(this.#at));
      this.#at = 0;
      this.#isOwn = true;
    }
  }

  /**
   * The next packet, once it is whole. Throws a `WireError` when it can be none, as soon as that shows: a length is checked
   * before its bytes are waited for.
   */
  next(): QuorumPacket | undefined {
    if (this.#length < this.#needed) return undefined;
    this.#gather();
    const length = packetLength(this.#bytes, this.#at, this.#limits);
    if (length > this.#length) {
      this.#needed = length;
      return undefined;
    }
    const packet = packetRead(this.#bytes, this.#at, this.#at + length);
    this.#at += length;
    this.#length -= length;
    this.#needed = 1;
    return packet;
  }

  /** All that is left; no packets follow. */
  rest(): Buffer {
    this.#gather();
    const rest = this.#bytes.subarray(this.#at);
    this.#bytes = Buffer.alloc(0);
    this.#at = 0;
    this.#length = 0;
    this.#needed = 1;
    return rest;
  }

  #gather(): void {
    if (this.#waiting.length === 0) return;
    const rest = this.#bytes.subarray(this.#at);
    const [only] = this.#waiting;
    const isWhole = rest.length === 0 && this.#waiting.length === 1 && only !== undefined;
    this.#bytes = isWhole ? only : Buffer.concat([rest, ...this.#waiting]);
    this.#isOwn = !isWhole;
    this.#at = 0;
    this.#waiting = [];
  }
}

/** Bytes of the packet that begins here; more than there are while only a lower bound can be told. */
function packetLength(bytes: Buffer, start: number, limits: PacketLimits): number {
  const { dataBytesMax, idsMax, idBytesMax } = limits;
  const available = bytes.length - start;
  let at = 12;
  if (available < at + 4) return at + 4;
  const dataLength = checked(bytes.readInt32BE(start + at), dataBytesMax, at);
  at += 4 + dataLength;
  if (available < at + 4) return at + 4;
  const count = checked(bytes.readInt32BE(start + at), idsMax, at);
  at += 4;
  for (let left = count * 2; left > 0; left--) {
    if (available < at + 4) return at + 4;
    at += 4 + checked(bytes.readInt32BE(start + at), idBytesMax, at);
  }
  return at;
}

/** -1 counts as 0: nothing follows. */
function checked(length: number, max: number, at: number): number {
  if (length < -1 || length > max) {
    throw new WireError("length", `a packet with a length of ${length}; at most ${max}`, at);
  }
  return Math.max(0, length);
}
