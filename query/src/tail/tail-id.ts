import { ServiceError } from "../../../kit/src/errors.ts";

/** How far a tail has come in every shard. */
export interface TailProgress {
  /** By shard: everything up to and at this position has been delivered. */
  readonly positions: ReadonlyMap<number, number>;
  /** A position of which only the first `rows` matching records have been delivered; at most one shard has one. */
  readonly within: TailWithin | undefined;
}

export interface TailWithin {
  readonly shard: number;
  readonly position: number;
  readonly rows: number;
}

/** More shards than a cluster has: an id that says so is not ours. */
const shardsMax = 65_536;

/**
 * The progress as the `id` of an event: opaque, a few bytes a shard. Positions run from −1 (nothing
 * delivered) to 2^53 − 1.
 */
export function encodeTailId({ positions, within }: TailProgress): string {
  const bytes: number[] = [1];
  pushVarint(bytes, positions.size);
  let before = -1;
  for (const [shard, position] of [...positions].sort(([a], [b]) => a - b)) {
    pushVarint(bytes, shard - before - 1);
    pushVarint(bytes, position + 1);
    before = shard;
  }
  if (within !== undefined) {
    pushVarint(bytes, within.shard);
    pushVarint(bytes, within.position);
    pushVarint(bytes, within.rows);
  }
  return Buffer.from(bytes).toString("base64url");
}

/** Throws `query.invalid` for a text that `encodeTailId` did not make. */
export function decodeTailId(text: string): TailProgress {
  const reader = new VarintReader(Buffer.from(text, "base64url"));
  if (reader.next() !== 1) throw invalid();
  const count = reader.next();
  if (count > shardsMax) throw invalid();
  const positions = new Map<number, number>();
  let shard = -1;
  for (let i = 0; i < count; i++) {
    shard += reader.next() + 1;
    positions.set(shard, reader.next() - 1);
  }
  if (reader.isAtEnd) return { positions, within: undefined };
  const within = { shard: reader.next(), position: reader.next(), rows: reader.next() };
  if (!reader.isAtEnd) throw invalid();
  return { positions, within };
}

function invalid(): ServiceError {
  return new ServiceError("query.invalid", "the event id is not one of ours");
}

function pushVarint(bytes: number[], value: number): void {
  while (value >= 128) {
    bytes.push((value % 128) + 128);
    value = Math.floor(value / 128);
  }
  bytes.push(value);
}

class VarintReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  next(): number {
    let value = 0;
    for (let scale = 1; scale <= 128 ** 7; scale *= 128) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw invalid();
      value += (byte % 128) * scale;
      if (byte < 128) {
        if (!Number.isSafeInteger(value)) throw invalid();
        return value;
      }
    }
    throw invalid();
  }
}
