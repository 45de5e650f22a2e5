import type { ServiceError } from "../../../kit/src/errors.ts";
import { routeHoldMs, routePauseMsMax, routePauseMsMin } from "../limits.ts";

/**
 * Whether what failed so may be stored by another try, at this node or another: the shard moves, its owner is gone, or the connection to it.
 * What is stored then is stored once, since a part carries its key.
 */
export function isPassing({ code }: ServiceError): boolean {
  switch (code) {
    case "ingest.unavailable":
    case "ingest.busy":
    case "peer.unavailable":
    case "service.stopping":
    case "storage.failed":
      return true;
    default:
      return false;
  }
}

/** Whether a part that failed so may be stored all the same, now or later. */
export function isUnknown({ code, fields }: ServiceError): boolean {
  if (code === "peer.unavailable") return fields["sent"] !== false;
  return code === "ingest.unavailable" || code === "storage.failed" || code === "service.stopping";
}

/** How long parts are held that could not be stored, and when they are tried again. Times are monotonic milliseconds. */
export class Hold {
  readonly #untilMs: number;
  #pauseMs = routePauseMsMin;

  constructor(nowMs: number, patienceMs = routeHoldMs) {
    this.#untilMs = nowMs + Math.min(patienceMs, routeHoldMs);
  }

  leftMs(nowMs: number): number {
    return Math.max(0, this.#untilMs - nowMs);
  }

  /** The longest wait for another owner before the next try; undefined: it is given up. */
  next(nowMs: number): number | undefined {
    const leftMs = this.leftMs(nowMs);
    if (leftMs === 0) return undefined;
    const pauseMs = Math.min(this.#pauseMs, leftMs);
    this.#pauseMs = Math.min(routePauseMsMax, this.#pauseMs * 2);
    return pauseMs;
  }
}
