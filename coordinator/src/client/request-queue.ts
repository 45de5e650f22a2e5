import type { JuteReader } from "../wire/reader.ts";
import { ZooKeeperError } from "./errors.ts";
import {
  bytesInFlightMax,
  bytesWaitingMax,
  requestsInFlightMax,
  requestsWaitingMax,
} from "./limits.ts";

/** A request and what to do with its reply; exactly one of `replied` and `failed` is called, once. */
export interface Request {
  /** Length, header (its xid is put in when it is sent), body. */
  readonly frame: Buffer;
  readonly path: string | undefined;
  /** `body` is valid during the call and empty when `error` is not 0. */
  replied(error: number, body: JuteReader): void;
  failed(error: ZooKeeperError): void;
}

/** Requests in order: those that wait, then those on the wire. Both ends are bounded in number and bytes. */
export class RequestQueue {
  #waiting: Request[] = [];
  #waitingBytes = 0;
  #inFlight: { readonly request: Request; readonly xid: number }[] = [];
  /** Replied ones at the front of `inFlight`, dropped from it in bulk. */
  #repliedCount = 0;
  #inFlightBytes = 0;
  #sentCount = 0;
  #xidLast = 0;

  get inFlightCount(): number {
    return this.#inFlight.length - this.#repliedCount;
  }

  /** Throws BUSY when too much waits. */
  add(request: Request): void {
    const waitingCount = this.#waiting.length - this.#sentCount;
    const isFull =
      waitingCount >= requestsWaitingMax ||
      this.#waitingBytes + request.frame.length > bytesWaitingMax;
    if (isFull) throw new ZooKeeperError("BUSY", pathOf(request));
    this.#waiting.push(request);
    this.#waitingBytes += request.frame.length;
  }

  /** Forgets a request that was not sent yet; says whether it was. */
  drop(request: Request): boolean {
    const at = this.#waiting.indexOf(request, this.#sentCount);
    if (at === -1) return false;
    this.#waiting.splice(at, 1);
    this.#waitingBytes -= request.frame.length;
    return true;
  }

  /** The next frame to send, its xid set; undefined when nothing waits or the window is full. */
  next(): Buffer | undefined {
    const request = this.#waiting[this.#sentCount];
    if (request === undefined) return undefined;
    const bytes = this.#inFlightBytes + request.frame.length;
    const isFull =
      this.inFlightCount >= requestsInFlightMax ||
      (bytes > bytesInFlightMax && this.inFlightCount > 0);
    if (isFull) return undefined;
    this.#sentCount++;
    if (this.#sentCount > 1_024 || this.#sentCount === this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#sentCount);
      this.#sentCount = 0;
    }
    this.#waitingBytes -= request.frame.length;
    this.#inFlightBytes = bytes;
    this.#xidLast = this.#xidLast === 0x7fffffff ? 1 : this.#xidLast + 1;
    this.#inFlight.push({ request, xid: this.#xidLast });
    request.frame.writeInt32BE(this.#xidLast, 4);
    return request.frame;
  }

  /** The request that a reply belongs to; servers answer in order, so another xid is undefined. */
  reply(xid: number): Request | undefined {
    const first = this.#inFlight[this.#repliedCount];
    if (first === undefined || first.xid !== xid) return undefined;
    this.#repliedCount++;
    if (this.#repliedCount > 1_024 || this.#repliedCount === this.#inFlight.length) {
      this.#inFlight = this.#inFlight.slice(this.#repliedCount);
      this.#repliedCount = 0;
    }
    this.#inFlightBytes -= first.request.frame.length;
    return first.request;
  }

  /** Fails what is on the wire: nobody knows whether it was done. */
  failInFlight(code: "CONNECTIONLOSS" | "CLOSED"): void {
    const lost = this.#inFlight.slice(this.#repliedCount);
    this.#inFlight = [];
    this.#repliedCount = 0;
    this.#inFlightBytes = 0;
    for (const { request } of lost) {
      request.failed(new ZooKeeperError(code, { ...pathOf(request), isOutcomeUnknown: true }));
    }
  }

  /** Fails what was never sent. */
  failWaiting(code: "SESSIONEXPIRED" | "AUTHFAILED" | "CLOSED"): void {
    const waiting = this.#waiting.slice(this.#sentCount);
    this.#waiting = [];
    this.#sentCount = 0;
    this.#waitingBytes = 0;
    for (const request of waiting) request.failed(new ZooKeeperError(code, pathOf(request)));
  }
}

function pathOf(request: Request): { readonly path?: string } {
  return request.path === undefined ? {} : { path: request.path };
}
