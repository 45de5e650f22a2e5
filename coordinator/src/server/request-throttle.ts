import { opCodes } from "../wire/constants.ts";
import { QuantileSummary } from "./value-summary.ts";

/** How many requests may be under way, and what becomes of those that wait long; ZooKeeper's `request_throttle_*`. */
export interface RequestThrottleSettings {
  /** As many of them under way hold up all others (`request_throttle_max_requests`). 0: any number. */
  readonly requestsMax: number;
  /** While they are held up, it is looked this often at least whether they may go on (`request_throttle_stall_time`). */
  readonly stallMs: number;
  /** A stale request is dropped with its connection (`request_throttle_drop_stale`). */
  readonly dropsStale: boolean;
  /** One that waited longer than its session's timeout is stale (`request_stale_latency_check`). */
  readonly isStaleByLatency: boolean;
  /** One that waited longer is answered THROTTLEDOP (`throttled_op_wait_time`). 0: none is. */
  readonly opWaitMs: number;
}

/** ZooKeeper's, where nothing is said. */
export const requestThrottleDefault: RequestThrottleSettings = {
  requestsMax: 0,
  stallMs: 100,
  dropsStale: true,
  isStaleByLatency: false,
  opWaitMs: 0,
};

/** A request that was held up, before it is taken up. */
export interface HeldRequest {
  /** With its header; a frame that is too short for one has no type. */
  readonly frame: Buffer;
  readonly waitedMs: number;
  readonly sessionTimeoutMs: number;
}

/**
 * What becomes of requests that had to wait until fewer were under way, as ZooKeeper's `RequestThrottler`; it holds none
 * itself. Those of a connection wait in the order in which they came, so one that is dropped takes all behind it along.
 */
export class RequestThrottle {
  readonly settings: RequestThrottleSettings;
  /** Times that the server held up its clients, or looked and went on to. */
  waits = 0;
  /** Answered THROTTLEDOP. */
  throttled = 0;
  /** Taken up although they were stale. */
  stale = 0;
  staleDropped = 0;
  /** Milliseconds that they waited. */
  readonly queueTime: QuantileSummary = new QuantileSummary();

  constructor(settings: RequestThrottleSettings) {
    this.settings = settings;
  }

  /** So many under way hold up all others. */
  get requestsMax(): number {
    const { requestsMax } = this.settings;
    return requestsMax === 0 ? Number.POSITIVE_INFINITY : requestsMax;
  }

  /** `drop` closes its connection. `nowMs` is monotonic. */
  judge(
    { frame, waitedMs, sessionTimeoutMs }: HeldRequest,
    nowMs: number,
  ): "serve" | "refuse" | "drop" {
    const { requestsMax, dropsStale, isStaleByLatency, opWaitMs } = this.settings;
    const type = frame.length < headerBytes ? undefined : frame.readInt32BE(typeAt);
    const isStale =
      isStaleByLatency && waitedMs > sessionTimeoutMs && type !== opCodes.closeSession;
    if (isStale && dropsStale && requestsMax > 0) {
      this.staleDropped++;
      return "drop";
    }
    if (isStale) this.stale++;
    this.queueTime.add(waitedMs, nowMs);
    if (opWaitMs === 0 || waitedMs <= opWaitMs || type === undefined) return "serve";
    if (alwaysServed.has(type)) return "serve";
    this.throttled++;
    return "refuse";
  }

  /** A connection was closed on which so many still waited. */
  closed(held: number): void {
    if (this.settings.requestsMax > 0) this.staleDropped += held;
  }
}

/** Those that keep or end a session, and proofs, which are no requests to the tree. */
const alwaysServed: ReadonlySet<number> = new Set([
  opCodes.ping,
  opCodes.closeSession,
  opCodes.createSession,
  opCodes.auth,
  opCodes.sasl,
]);

const typeAt = 4;
const headerBytes = 8;
