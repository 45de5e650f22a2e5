import { ServiceError } from "../../../kit/src/errors.ts";

/** Bytes of bodies that may be in memory at once; whoever finds no room is told to come back. */
export class ByteBudget {
  readonly #max: number;
  #used = 0;

  constructor(maxBytes: number) {
    this.#max = maxBytes;
  }

  get usedBytes(): number {
    return this.#used;
  }

  /** Takes the bytes or throws `ingest.busy`. */
  take(bytes: number): void {
    if (this.#used + bytes > this.#max) {
      throw new ServiceError("ingest.busy", "too many bytes are in flight", {
        inFlightBytes: this.#used,
        inFlightMaxBytes: this.#max,
      });
    }
    this.#used += bytes;
  }

  give(bytes: number): void {
    this.#used -= bytes;
  }
}
