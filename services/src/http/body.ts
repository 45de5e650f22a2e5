import type { IncomingMessage } from "node:http";
import { ServiceError } from "../../../kit/src/errors.ts";
import { freed } from "../../../kit/src/freed.ts";
import { type BodyMemory, pieceBytes } from "./body-memory.ts";
import type { ByteBudget } from "./budget.ts";

/** Room taken at first for a body whose length is not announced. */
const chunkedStepBytes = 256 * 1024;

export interface BodyLimits {
  readonly bodyMaxBytes: number;
  /** Called with each chunk as it arrives; throws to end the request early. */
  readonly guard?: ((chunk: Buffer) => void) | undefined;
}

/** Where bodies go: how many bytes there may be, and the memory they lie in. */
export interface BodyRoom {
  readonly budget: ByteBudget;
  readonly memory: BodyMemory;
}

/** A body in memory of its own, which a worker may be given and give back, and the room it holds in the budget until it is given back. */
export interface HeldBody {
  readonly bytes: Uint8Array<ArrayBuffer>;
  release(): void;
}

/**
 * Reads a whole body. The budget is taken before a byte is read: all of an announced length at once,
 * otherwise step by step. Throws `request.too-large`, `ingest.busy`, `request.malformed`.
 */
export async function readBody(
  request: IncomingMessage,
  { budget, memory }: BodyRoom,
  limits: BodyLimits,
): Promise<HeldBody> {
  const announced = Number(request.headers["content-length"] ?? Number.NaN);
  if (announced > limits.bodyMaxBytes) throw tooLarge(limits.bodyMaxBytes);
  const room = new Room(budget);
  try {
    const expected = Number.isFinite(announced) ? announced : chunkedStepBytes;
    room.grow(pieceBytes(expected));
    const body = new Growing(memory, expected);
    await collect(request, (chunk) => {
      if (body.length + chunk.length > limits.bodyMaxBytes) throw tooLarge(limits.bodyMaxBytes);
      limits.guard?.(chunk);
      body.append(chunk, room);
      freed(chunk);
    });
    return { bytes: body.bytes(), release: () => room.release() };
  } catch (thrown) {
    room.release();
    throw thrown;
  }
}

function tooLarge(bodyMaxBytes: number): ServiceError {
  return new ServiceError("request.too-large", "the body is too large", { bodyMaxBytes });
}

function collect(request: IncomingMessage, take: (chunk: Buffer) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => {
      request.off("data", onData);
      request.pause();
      reject(error);
    };
    const onData = (chunk: Buffer): void => {
      try {
        take(chunk);
      } catch (thrown) {
        fail(thrown);
      }
    };
    request.on("data", onData);
    request.once("end", resolve);
    const brokeOff = (): void => fail(new ServiceError("request.malformed", "the body broke off"));
    request.once("error", brokeOff);
    request.once("close", () => {
      if (!request.complete) brokeOff();
    });
  });
}

class Room {
  readonly #budget: ByteBudget;
  #bytes = 0;

  constructor(budget: ByteBudget) {
    this.#budget = budget;
  }

  grow(bytes: number): void {
    this.#budget.take(bytes);
    this.#bytes += bytes;
  }

  release(): void {
    this.#budget.give(this.#bytes);
    this.#bytes = 0;
  }
}

/** Copies chunks into memory of its own: a slice of a socket's chunk would keep the whole chunk. */
class Growing {
  readonly #memory: BodyMemory;
  #bytes: Uint8Array<ArrayBuffer>;
  length = 0;

  constructor(memory: BodyMemory, capacity: number) {
    this.#memory = memory;
    this.#bytes = new Uint8Array(memory.take(capacity));
  }

  append(chunk: Buffer, room: Room): void {
    const needed = this.length + chunk.length;
    if (needed > this.#bytes.length) {
      const capacity = pieceBytes(Math.max(needed, this.#bytes.length * 2));
      room.grow(capacity - this.#bytes.length);
      const grown = new Uint8Array(this.#memory.take(capacity));
      grown.set(this.#bytes.subarray(0, this.length));
      this.#memory.give(this.#bytes.buffer);
      this.#bytes = grown;
    }
    this.#bytes.set(chunk, this.length);
    this.length = needed;
  }

  bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.length);
  }
}
