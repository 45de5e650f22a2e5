import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type Codec, decode, encode } from "../../coordinator/src/wire/codec.ts";
import {
  type ErrorName,
  errorNameOf,
  opCodes,
  xids,
} from "../../coordinator/src/wire/constants.ts";
import { FrameSplitter } from "../../coordinator/src/wire/frames.ts";
import { JuteReader } from "../../coordinator/src/wire/reader.ts";
import {
  ConnectRequest,
  ConnectResponse,
  ReplyHeader,
  RequestHeader,
  WatcherEvent,
} from "../../coordinator/src/wire/records.ts";

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface SessionPlace {
  readonly addresses: readonly Address[];
  /** Index of the address that is tried first. */
  readonly first: number;
  readonly timeoutMs: number;
  /** A server that says nothing for so long is left for the next one. Default 2.5 s. */
  readonly silenceMsMax?: number;
}

/** What became of a request. `order` counts the frames that this client got, so that what came first is known exactly. */
export type Outcome<T> =
  | { readonly kind: "ok"; readonly value: T; readonly zxid: number; readonly order: number }
  | { readonly kind: "error"; readonly error: ErrorName; readonly zxid: number }
  /** Sent, and nobody knows more. */
  | { readonly kind: "lost" }
  /** There was no connection: it can have no effect. */
  | { readonly kind: "unsent" };

export interface SessionListener {
  /** A session, or the same one on another connection. */
  attached(session: string, isNew: boolean): void;
  detached(order: number): void;
  expired(session: string): void;
  event(event: {
    readonly type: number;
    readonly path: string;
    readonly zxid: number;
    readonly order: number;
  }): void;
}

interface Waiting {
  readonly xid: number;
  settle(outcome: "lost" | { error: number; zxid: number; order: number; body: JuteReader }): void;
}

const silenceMsMax = 2_500;
const pingMs = 500;
const redialMs = 60;
const connectMsMax = 3_000;

/**
 * One client that hides nothing: a session over one connection at a time to one of the addresses in turn, kept by id
 * and password, begun anew after expiry. Requests leave at once and are never sent again; watches are not set again.
 */
export class ClientSession {
  readonly #addresses: readonly Address[];
  readonly #timeoutMs: number;
  readonly #silenceMsMax: number;
  readonly #listener: SessionListener;
  #at: number;
  #socket: Socket | undefined;
  #isAttached = false;
  #isEnded = false;
  #id = 0n;
  #password: Uint8Array = Buffer.alloc(16);
  #zxidSeen = 0n;
  #xid = 0;
  #order = 0;
  #receivedMs = 0;
  #waiting: Waiting[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(place: SessionPlace, listener: SessionListener) {
    this.#addresses = place.addresses;
    this.#at = place.first;
    this.#timeoutMs = place.timeoutMs;
    this.#silenceMsMax = place.silenceMsMax ?? silenceMsMax;
    this.#listener = listener;
    this.#timer = setInterval(() => this.#tick(), pingMs);
    this.#dial();
  }

  /** The session's id in hex; "0" before the first and after expiry. */
  get id(): string {
    return BigInt.asUintN(64, this.#id).toString(16);
  }

  get isAttached(): boolean {
    return this.#isAttached;
  }

  /** Resolves when there is a connection, with false when there is none before `untilMs` (of `performance.now`). */
  async ready(untilMs: number): Promise<boolean> {
    while (!this.#isAttached) {
      if (this.#isEnded || performance.now() > untilMs) return false;
      await sleep(10);
    }
    return true;
  }

  /** Never rejects but for an answer that cannot be read. */
  ask<Q, A>(op: number, query: Codec<Q>, body: Q, answer: Codec<A>): Promise<Outcome<A>> {
    if (!this.#isAttached) return Promise.resolve({ kind: "unsent" });
    const xid = ++this.#xid;
    const bytes = Buffer.concat([encode(RequestHeader, { xid, type: op }), encode(query, body)]);
    return new Promise((resolve, reject) => {
      this.#waiting.push({
        xid,
        settle: (outcome) => {
          if (outcome === "lost") return resolve({ kind: "lost" });
          const { error, zxid, order, body: from } = outcome;
          if (error !== 0) {
            return resolve({ kind: "error", error: errorNameOf(error) ?? "APIERROR", zxid });
          }
          try {
            resolve({ kind: "ok", value: answer.read(from), zxid, order });
          } catch (thrown) {
            reject(thrown);
          }
        },
      });
      this.#send(bytes);
    });
  }

  /** Ends the session at the server, and then the connection. Says whether the server answered. */
  async close(): Promise<boolean> {
    const empty: Codec<undefined> = { read: () => undefined, write: () => undefined };
    const { kind } = await this.ask(opCodes.closeSession, empty, undefined, empty);
    this.abandon();
    return kind === "ok";
  }

  /** Leaves without a word: the session ends when the servers think so. */
  abandon(): void {
    this.#isEnded = true;
    clearInterval(this.#timer);
    this.#drop();
  }

  #dial(): void {
    if (this.#isEnded) return;
    const { host, port } = this.#addresses[this.#at % this.#addresses.length] as Address;
    this.#at++;
    const socket = connect({ host, port, noDelay: true });
    this.#socket = socket;
    const splitter = new FrameSplitter(64 * 1024 * 1024);
    const request = {
      protocolVersion: 0,
      lastZxidSeen: this.#zxidSeen,
      timeoutMs: this.#timeoutMs,
      sessionId: this.#id,
      password: this.#password,
      readOnly: false,
    };
    const late = setTimeout(() => socket.destroy(), connectMsMax);
    socket.once("connect", () => this.#send(encode(ConnectRequest, request)));
    socket.on("data", (chunk) => {
      this.#receivedMs = performance.now();
      splitter.push(chunk, (bytes) => {
        if (this.#socket !== socket) return;
        if (this.#isAttached) this.#frame(bytes);
        else this.#attach(decode(ConnectResponse, bytes), late);
      });
    });
    socket.on("error", () => undefined);
    socket.once("close", () => {
      clearTimeout(late);
      if (this.#socket === socket) this.#drop();
    });
  }

  #attach(response: ConnectResponse, late: NodeJS.Timeout): void {
    clearTimeout(late);
    if (response.timeoutMs <= 0) {
      const { id } = this;
      this.#id = 0n;
      this.#password = Buffer.alloc(16);
      this.#listener.expired(id);
      this.#drop();
      return;
    }
    const isNew = this.#id !== response.sessionId;
    this.#id = response.sessionId;
    this.#password = Buffer.from(response.password ?? Buffer.alloc(16));
    this.#isAttached = true;
    this.#listener.attached(this.id, isNew);
  }

  #frame(bytes: Buffer): void {
    const order = ++this.#order;
    const body = new JuteReader(bytes);
    const { xid, zxid, error } = ReplyHeader.read(body);
    if (xid === xids.ping) return;
    if (xid === xids.event) {
      const { type, path } = WatcherEvent.read(body);
      this.#listener.event({ type, path, zxid: Number(zxid), order });
      return;
    }
    const first = this.#waiting.shift();
    if (first?.xid !== xid) throw new Error(`an answer to ${xid}, not to ${first?.xid}`);
    if (zxid > this.#zxidSeen) this.#zxidSeen = zxid;
    first.settle({ error, zxid: Number(zxid), order, body });
  }

  #tick(): void {
    if (!this.#isAttached) return;
    if (performance.now() - this.#receivedMs > this.#silenceMsMax) this.#drop();
    else this.#send(encode(RequestHeader, { xid: xids.ping, type: opCodes.ping }));
  }

  #send(bytes: Uint8Array): void {
    const length = Buffer.alloc(4);
    length.writeInt32BE(bytes.length);
    this.#socket?.write(Buffer.concat([length, bytes]));
  }

  #drop(): void {
    const wasAttached = this.#isAttached;
    this.#isAttached = false;
    this.#socket?.destroy();
    this.#socket = undefined;
    const lost = this.#waiting;
    this.#waiting = [];
    if (wasAttached) this.#listener.detached(++this.#order);
    for (const { settle } of lost) settle("lost");
    if (!this.#isEnded) setTimeout(() => this.#dial(), redialMs);
  }
}
