import { ServiceError } from "../../../kit/src/errors.ts";
import type { DecodeOptions, Protocol } from "../job.ts";
import { lineMaxBytes } from "../limits.ts";

const lineFeed = 0x0a;

const protocolsOfLines: ReadonlySet<Protocol> = new Set([
  "json-lines",
  "text",
  "elasticsearch-bulk",
]);

/**
 * Watches a body as it arrives and throws `ingest.record-too-long` once a line is longer than any record can
 * be, so that an endless line is refused while little of it is held.
 */
export class LineGuard {
  readonly #bytesMax: number;
  #lineBytes = 0;

  constructor(bytesMax: number = lineMaxBytes) {
    this.#bytesMax = bytesMax;
  }

  take(chunk: Uint8Array): void {
    const first = chunk.indexOf(lineFeed);
    if (this.#lineBytes + (first < 0 ? chunk.length : first) > this.#bytesMax)
      throw this.#tooLong();
    if (first < 0) {
      this.#lineBytes += chunk.length;
      return;
    }
    this.#lineBytes = chunk.length - chunk.lastIndexOf(lineFeed) - 1;
    // A line between the first and the last line feed is longer only where the chunk is.
    if (chunk.length <= this.#bytesMax) return;
    for (let at = first; at >= 0; ) {
      const next = chunk.indexOf(lineFeed, at + 1);
      const end = next < 0 ? chunk.length : next;
      if (end - at - 1 > this.#bytesMax) throw this.#tooLong();
      at = next;
    }
  }

  #tooLong(): ServiceError {
    return new ServiceError("ingest.record-too-long", "a line is longer than a record can be", {
      lineMaxBytes: this.#bytesMax,
    });
  }
}

/** The guard for a body of these options; undefined where it has no lines to be seen. */
export function guardFor(options: DecodeOptions): ((chunk: Uint8Array) => void) | undefined {
  if (options.encoding !== "identity" || !protocolsOfLines.has(options.protocol)) return undefined;
  const guard = new LineGuard();
  return (chunk) => guard.take(chunk);
}
