import { once } from "node:events";
import net from "node:net";
import { type Address, isLoopback, parseAddress } from "../../../config/src/address.ts";
import { messageOf, ServiceError } from "../../../kit/src/errors.ts";
import { connectionsMax, dialMs, strangersSayMs } from "./limits.ts";
import { Strangers } from "./strangers.ts";
import { secured, secureServer, type WireKeys } from "./wire-tls.ts";

/** A connection on which nothing was said yet. */
export interface Wire {
  readonly socket: net.Socket;
  /** Whether the other end is on this machine: then frames are neither encrypted nor packed. */
  readonly isLocal: boolean;
}

/** The first byte of a TLS record of a handshake (RFC 8446, 5.1). */
const tlsHandshakeByte = 0x16;

export interface DialOptions {
  /** Ends the attempt. */
  readonly stop?: AbortSignal;
  /** TLS also within this machine. */
  readonly remoteAlways?: boolean;
}

/** Connects; beyond this machine with TLS. Rejects with `peer.unavailable`. */
export async function dial(
  address: string,
  keys: WireKeys,
  { stop, remoteAlways = false }: DialOptions = {},
): Promise<Wire> {
  const { host, port } = parseAddress(address);
  const isLocal = !remoteAlways && isLoopback(host);
  const plain = net.connect({ host, port, noDelay: true });
  const socket = isLocal ? plain : secured(plain, keys);
  const late = AbortSignal.timeout(dialMs);
  const signal = stop === undefined ? late : AbortSignal.any([late, stop]);
  try {
    await once(socket, isLocal ? "connect" : "secureConnect", { signal });
    return { socket, isLocal };
  } catch (thrown) {
    socket.on("error", () => undefined);
    socket.destroy();
    plain.destroy();
    const reason = late.aborted ? "it took too long" : messageOf(thrown);
    throw new ServiceError("peer.unavailable", "a node cannot be reached", { address, reason });
  }
}

export interface Listener {
  readonly address: Address;
  /** Says of a connection that it need not be ended soon. */
  proved(socket: net.Socket): void;
  close(): Promise<void>;
}

/**
 * Listens, and hands on each connection with TLS below it where the other end asks for it; one from beyond this machine that does not is
 * dropped. `onDropped` says why. Rejects with `config.invalid` when the address cannot be bound.
 */
export async function listen(
  at: Address,
  keys: WireKeys,
  { onWire, onDropped }: ListenerEvents,
): Promise<Listener> {
  const strangers = new Strangers();
  let saidMs = Number.NEGATIVE_INFINITY;
  const secure = secureServer(keys, {
    onSecure: (socket) => onWire({ socket, isLocal: false }),
    onError: (error, socket) => {
      onDropped(messageOf(error), socket.remoteAddress);
      socket.destroy();
    },
  });
  const server = net.createServer({ noDelay: true }, (socket) => {
    // It may be ended before anybody listens.
    socket.on("error", () => undefined);
    if (!strangers.take(socket)) {
      if (performance.now() - saidMs < strangersSayMs) return;
      saidMs = performance.now();
      onDropped("its address has too many connections that prove nothing", socket.remoteAddress);
      return;
    }
    accept(socket, (over) => secure.take(over)).then(
      (wire) => wire && onWire(wire),
      (thrown: unknown) => {
        onDropped(messageOf(thrown), socket.remoteAddress);
        socket.destroy();
      },
    );
  });
  // Those of nodes, and of strangers, of whom there are never so many.
  server.maxConnections = connectionsMax;
  server.listen({ host: at.host, port: at.port });
  try {
    await once(server, "listening");
  } catch (thrown) {
    const facts = { listen: `${at.host}:${at.port}`, reason: messageOf(thrown) };
    throw new ServiceError("config.invalid", "the address for peers cannot be bound", facts);
  }
  // Running out of descriptors, for example: the next connection may come through.
  server.on("error", (error) => onDropped(messageOf(error), undefined));
  const { address, port } = server.address() as net.AddressInfo;
  return {
    address: { host: address, port },
    proved: (socket) => strangers.proved(socket),
    close: async () => {
      const closed = once(server, "close");
      server.close();
      secure.close();
      strangers.close();
      await closed;
    },
  };
}

export interface ListenerEvents {
  readonly onWire: (wire: Wire) => void;
  readonly onDropped: (reason: string, remote: string | undefined) => void;
}

/** Looks at the first byte: a plain handshake, or TLS, which is handed on. */
async function accept(
  socket: net.Socket,
  onTls: (socket: net.Socket) => void,
): Promise<Wire | undefined> {
  // The address is unknown once the other end has gone.
  const { remoteAddress = "" } = socket;
  const ended = new AbortController();
  socket.once("close", () => ended.abort());
  await once(socket, "readable", { signal: ended.signal }).catch(() => undefined);
  const first: unknown = socket.read(1);
  if (!Buffer.isBuffer(first)) throw new Error("it said nothing");
  socket.unshift(first);
  if (first[0] === tlsHandshakeByte) {
    onTls(socket);
    return undefined;
  }
  const isLocal = isLoopback(remoteAddress);
  if (!isLocal) throw new Error("a connection from another machine needs TLS");
  return { socket, isLocal };
}
