import { Socket, type SocketConstructorOpts } from "node:net";
import { TLSSocket } from "node:tls";

/**
 * What Node keeps of a connection inside of a `Socket`, and gives no other access to. A server hands out sockets that read
 * into a new buffer of 64 KiB each time, which is cut down to the few hundred bytes that came: that, and the garbage of it, is
 * a good part of what a small request costs. `onread` of `node:net` reads into one buffer, but only of who connects.
 */
interface SocketParts {
  _handle?: unknown;
}

/** Every socket of the process reads into this one: it is handed on before the next read begins. */
const bytesRead = Buffer.allocUnsafeSlow(64 * 1024);

/**
 * A socket in place of one that is connected, from which nothing was read yet. `onBytes` is given what comes as a view that
 * the next read of any socket overwrites. It is the same socket, read in the usual way, where it is one of TLS, or where this
 * Node keeps its handle elsewhere.
 */
export function readShared(socket: Socket, onBytes: (bytes: Buffer) => void): Socket {
  const parts = socket as unknown as SocketParts;
  const { _handle: handle } = parts;
  if (socket instanceof TLSSocket || handle === undefined || handle === null) {
    socket.on("data", onBytes);
    return socket;
  }
  const onread = {
    buffer: bytesRead,
    callback: (length: number): boolean => {
      onBytes(bytesRead.subarray(0, length));
      return true;
    },
  };
  parts._handle = null;
  const shared = new Socket({ handle, onread } as unknown as SocketConstructorOpts);
  // Whoever holds the one learns what becomes of the other: a server counts its connections by the first.
  shared.once("close", () => socket.destroy());
  socket.once("close", () => shared.destroy());
  // With no "data" to wait for, this is what makes the end known.
  shared.resume();
  return shared;
}
