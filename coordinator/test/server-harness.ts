import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { TestContext } from "node:test";

import {
  type Coordinator,
  type CoordinatorOptions,
  startCoordinator,
} from "../src/server/start.ts";
import { type Codec, encode } from "../src/wire/codec.ts";
import { errorNameOf, type OpName, opCodes, xids } from "../src/wire/constants.ts";
import { FrameSplitter } from "../src/wire/frames.ts";
import { JuteReader } from "../src/wire/reader.ts";
import {
  type Acl,
  AuthRequest,
  ConnectRequest,
  ConnectResponse,
  CreateRequest,
  WatchedRequest,
  WatcherEvent,
} from "../src/wire/records.ts";
import { temporaryDirectory } from "./log-harness.ts";

export const open: readonly Acl[] = [{ perms: 31, id: { scheme: "world", id: "anyone" } }];

/** A coordinator in this process that goes with the test. Any fatal error fails it. */
export async function serve(
  context: TestContext,
  options: Partial<CoordinatorOptions> = {},
): Promise<Coordinator> {
  const coordinator = await startCoordinator({
    dataDir: temporaryDirectory(context),
    tickTimeMs: 100,
    connectionsPerAddress: 0,
    fatal: (error) => {
      throw error;
    },
    ...options,
  });
  context.after(() => coordinator.close());
  return coordinator;
}

/** An answer or an event; `body` is what follows the header. */
export interface Answer {
  readonly xid: number;
  readonly zxid: bigint;
  readonly error: string;
  readonly body: JuteReader;
}

/** A client of bytes: what it sends and hears is exactly what lies on the wire. */
export class RawClient {
  readonly socket: Socket;
  readonly #frames: Buffer[] = [];
  readonly #splitter = new FrameSplitter(16 * 1024 * 1024);
  #wake: (() => void) | undefined;
  #isClosed = false;
  #xid = 0;

  /** A port of this machine, or a socket that is connected. */
  constructor(to: number | Socket) {
    this.socket = typeof to === "number" ? connect({ host: "127.0.0.1", port: to }) : to;
    this.socket.setNoDelay(true);
    this.socket.on("data", (chunk: Buffer) => {
      this.#splitter.push(chunk, (frame) => this.#frames.push(Buffer.from(frame)));
      this.#wake?.();
    });
    this.socket.on("error", () => undefined);
    this.socket.on("close", () => {
      this.#isClosed = true;
      this.#wake?.();
    });
  }

  static async open(
    context: TestContext,
    to: number | Socket,
    request: Partial<ConnectRequest> = {},
  ): Promise<{ readonly client: RawClient; readonly session: ConnectResponse | undefined }> {
    const client = new RawClient(to);
    context.after(() => client.socket.destroy());
    if (client.socket.connecting) await once(client.socket, "connect");
    client.frame(
      encode(ConnectRequest, {
        protocolVersion: 0,
        lastZxidSeen: 0n,
        timeoutMs: 5000,
        sessionId: 0n,
        password: Buffer.alloc(16),
        readOnly: false,
        ...request,
      }),
    );
    const frame = await client.frameNext();
    const session = frame === undefined ? undefined : ConnectResponse.read(new JuteReader(frame));
    return { client, session };
  }

  frame(bytes: Uint8Array): void {
    const head = Buffer.alloc(4);
    head.writeInt32BE(bytes.length);
    this.socket.write(Buffer.concat([head, bytes]));
  }

  /** The next frame; undefined once the server has closed. */
  async frameNext(): Promise<Buffer | undefined> {
    while (this.#frames.length === 0 && !this.#isClosed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#frames.shift();
  }

  /** Sends a request and returns its xid. */
  send<T>(op: OpName, codec?: Codec<T>, body?: T, xid: number = ++this.#xid): number {
    const head = Buffer.alloc(8);
    head.writeInt32BE(xid, 0);
    head.writeInt32BE(opCodes[op], 4);
    const bytes = codec === undefined ? Buffer.alloc(0) : encode(codec, body as T);
    this.frame(Buffer.concat([head, bytes]));
    return xid;
  }

  async answer(): Promise<Answer | undefined> {
    const frame = await this.frameNext();
    if (frame === undefined) return undefined;
    const body = new JuteReader(frame);
    const xid = body.int();
    const zxid = body.long();
    return { xid, zxid, error: errorNameOf(body.int()) ?? "?", body };
  }

  async ask<T>(op: OpName, codec?: Codec<T>, body?: T, xid?: number): Promise<Answer> {
    this.send(op, codec, body, xid);
    const answer = await this.answer();
    if (answer === undefined) throw new Error("the server closed");
    return answer;
  }

  async create(path: string, flags = 0, acl: readonly Acl[] = open): Promise<string> {
    const data = Buffer.from(path);
    const { error, body } = await this.ask("create", CreateRequest, { path, data, acl, flags });
    return error === "OK" ? body.string() : error;
  }

  async exists(path: string): Promise<boolean> {
    const { error } = await this.ask("exists", WatchedRequest, { path, watch: false });
    return error === "OK";
  }

  async authenticate(credentials: string): Promise<string> {
    const auth = Buffer.from(credentials);
    const request = { type: 0, scheme: "digest", auth };
    return (await this.ask("auth", AuthRequest, request, xids.auth)).error;
  }
}

/** The event in an answer with xid -1. */
export function eventOf(answer: Answer | undefined): WatcherEvent | undefined {
  return answer?.xid === xids.event ? WatcherEvent.read(answer.body) : undefined;
}

/** Sends a four-letter word and returns the whole answer. */
export async function fourLetters(port: number, word: string): Promise<string> {
  const socket = connect({ host: "127.0.0.1", port });
  socket.write(word);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
