import { randomBytes } from "node:crypto";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import { messageOf, ServiceError } from "../../../kit/src/errors.ts";
import {
  agree,
  checkProof,
  type Greeting,
  handshakeEnd,
  helloOf,
  printHandshake,
  proofOf,
  readHello,
  readProof,
  type Transcript,
} from "./handshake.ts";
import { handshakeMs } from "./limits.ts";
import type { PeerIdentity } from "./peers.ts";

/** A connection whose other end has proved that it knows the secret. */
export interface Greeted {
  readonly identity: PeerIdentity;
  /** What came behind the handshake. */
  readonly rest: Buffer;
}

/** What TLS exports for it is of this connection alone, so that a proof cannot be carried over to another. */
const exporterLabel = "EXPORTER-logkeep-peer";
const exporterBytes = 32;

/**
 * The handshake of the side that dialled: it proves itself first, so that whoever connects learns nothing to try guesses of the secret on.
 * Rejects with `peer.refused`, `peer.malformed` and `peer.unavailable`; the socket is destroyed then.
 */
export function greetAsDialler(socket: Duplex, greeting: Greeting): Promise<Greeted> {
  return greeted(socket, async (reader) => {
    const own = printHandshake(helloOf(greeting, randomBytes(32).toString("hex")));
    socket.write(own);
    const other = await reader.next();
    const hello = readHello(other);
    const protocol = agree(greeting, hello);
    const transcript: Transcript = { dialler: own, listener: other, binding: bindingOf(socket) };
    const { secret } = greeting;
    socket.write(printHandshake({ proof: proofOf(secret, "dialler", transcript) }));
    checkProof(readProof(await reader.next()), proofOf(secret, "listener", transcript));
    const { nodeId, diskId, incarnation } = hello;
    return { nodeId, diskId, incarnation, cluster: hello.cluster ?? undefined, protocol };
  });
}

/**
 * The handshake of the side that was dialled. `admit` throws `peer.refused` for who is known but not taken in, before the last word is said.
 * Rejects as `greetAsDialler`, after it has told the other side why.
 */
export function greetAsListener(
  socket: Duplex,
  greeting: Greeting,
  admit: (identity: PeerIdentity) => void,
): Promise<Greeted> {
  return greeted(socket, async (reader) => {
    try {
      const other = await reader.next();
      const hello = readHello(other);
      const protocol = agree(greeting, hello);
      const own = printHandshake(helloOf(greeting, randomBytes(32).toString("hex")));
      socket.write(own);
      const transcript: Transcript = { dialler: other, listener: own, binding: bindingOf(socket) };
      const { secret } = greeting;
      checkProof(readProof(await reader.next()), proofOf(secret, "dialler", transcript));
      const { nodeId, diskId, incarnation } = hello;
      const cluster = hello.cluster ?? undefined;
      const identity = { nodeId, diskId, incarnation, cluster, protocol };
      admit(identity);
      socket.write(printHandshake({ proof: proofOf(secret, "listener", transcript) }));
      return identity;
    } catch (thrown) {
      if (thrown instanceof ServiceError && thrown.code === "peer.refused") {
        const { why } = thrown.fields;
        socket.end(printHandshake({ refused: why, reason: thrown.message }));
      }
      throw thrown;
    }
  });
}

function bindingOf(socket: Duplex): Buffer {
  if (!(socket instanceof TLSSocket)) return Buffer.alloc(0);
  return socket.exportKeyingMaterial(exporterBytes, exporterLabel, Buffer.alloc(0));
}

/** Runs a side of the handshake within its time. The socket is paused afterwards. */
async function greeted(
  socket: Duplex,
  side: (reader: HandshakeReader) => Promise<PeerIdentity>,
): Promise<Greeted> {
  const reader = new HandshakeReader(socket);
  const timer = setTimeout(() => {
    reader.fail(new ServiceError("peer.unavailable", "the handshake took too long"));
  }, handshakeMs);
  try {
    const identity = await side(reader);
    return { identity, rest: reader.release() };
  } catch (thrown) {
    reader.release();
    // A refusal is on its way out; the other side closes, or the socket goes with what is left of it.
    if (socket.writableEnded) socket.once("finish", () => socket.destroy());
    else socket.destroy();
    throw thrown;
  } finally {
    clearTimeout(timer);
  }
}

/** Reads a handshake's messages from a socket. */
class HandshakeReader {
  readonly #socket: Duplex;
  #bytes = Buffer.alloc(0);
  #waiting: PromiseWithResolvers<Buffer> | undefined;
  #failure: ServiceError | undefined;
  readonly #onData = (chunk: Buffer): void => {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    this.#look();
  };
  readonly #onError = (thrown: Error): void => {
    const what = "the connection broke in the handshake";
    this.fail(new ServiceError("peer.unavailable", `${what}: ${messageOf(thrown)}`));
  };
  readonly #onEnd = (): void => {
    this.fail(new ServiceError("peer.unavailable", "the peer ended the handshake"));
  };

  constructor(socket: Duplex) {
    this.#socket = socket;
    socket.on("data", this.#onData);
    socket.on("error", this.#onError);
    socket.on("end", this.#onEnd);
    socket.on("close", this.#onEnd);
  }

  next(): Promise<Buffer> {
    const waiting = Promise.withResolvers<Buffer>();
    this.#waiting = waiting;
    this.#look();
    if (this.#failure !== undefined) waiting.reject(this.#failure);
    return waiting.promise;
  }

  fail(error: ServiceError): void {
    this.#failure ??= error;
    this.#waiting?.reject(this.#failure);
    this.#waiting = undefined;
  }

  /** Leaves the socket paused, with what was read beyond the handshake. */
  release(): Buffer {
    this.#socket.pause();
    this.#socket.off("data", this.#onData);
    this.#socket.off("end", this.#onEnd);
    this.#socket.off("close", this.#onEnd);
    // Nobody may listen yet when it breaks; the link looks at `destroyed` when it takes over.
    this.#socket.off("error", this.#onError);
    this.#socket.on("error", () => undefined);
    return this.#bytes;
  }

  /** Bounded: a side that says more than its turn is stopped by the longest message's length. */
  #look(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    try {
      const end = handshakeEnd(this.#bytes);
      if (end === undefined) return;
      waiting.resolve(this.#bytes.subarray(0, end));
      this.#bytes = this.#bytes.subarray(end);
    } catch (thrown) {
      waiting.reject(thrown);
    }
    this.#waiting = undefined;
  }
}
