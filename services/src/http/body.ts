import type { IncomingMessage } from "node:http";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { ByteBudget } from "./budget.ts";

/** Room taken at a time for a body whose length is not announced. */
const chunkedStepBytes = 256 * 1024;

export interface BodyLimits {
  readonly bodyMaxBytes: number;
  /** Called with each chunk as it arrives; throws to end the request early. */
  readonly guard?: ((chunk: Buffer) => void) | undefined;
}

/** A body in memory of its own, and the room it holds in the budget until it is given back. */
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
  budget: ByteBudget,
  limits: BodyLimits,
): Promise<HeldBody> {
  const announced = Number(request.headers["content-length"] ?? Number.NaN);
  if (announced > limits.bodyMaxBytes) throw tooLarge(limits.bodyMaxBytes);
  const room = new Room(budget);
  try {
    const body = new Growing(Number.isFinite(announced) ? announced : 0);
    room.grow(body.capacity);
    await collect(request, (chunk) => {
      if (body.length + chunk.length > limits.bodyMaxBytes) throw tooLarge(limits.bodyMaxBytes);
      limits.guard?.(chunk);
      body.append(chunk, room);
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
  #memory: Uint8Array<ArrayBuffer>;
  length = 0;

  constructor(capacity: number) {
    this.#memory = new Uint8Array(new ArrayBuffer(capacity));
  }

  get capacity(): number {
    return this.#memory.length;
  }

  append(chunk: Buffer, room: Room): void {
    const needed = this.length + chunk.length;
    if (needed > this.#memory.length) {
      const capacity = Math.max(needed, this.#memory.length * 2, chunkedStepBytes);
      room.grow(capacity - this.#memory.length);
      const memory = new Uint8Array(new ArrayBuffer(capacity));
      memory.set(this.#memory.subarray(0, this.length));
      this.#memory = memory;
    }
    this.#memory.set(chunk, this.length);
    this.length = needed;
  }

  bytes(): Uint8Array<ArrayBuffer> {
    return this.#memory.subarray(0, this.length);
  }
}
