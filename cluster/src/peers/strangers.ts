import { isIPv6, type Socket } from "node:net";
import { handshakeMs, handshakesMax, handshakesOfAddressMax } from "./limits.ts";

/**
 * Connections that have proved nothing yet: few at a time, few of one address, each for a short time. When there are too many, the
 * oldest gives way: who knows the secret needs moments, and so comes through whoever else holds places.
 */
export class Strangers {
  /** By the other end, in the order of their coming. */
  readonly #places = new Map<string, Place>();

  /**
   * Takes one in, and ends it when its time is over. False where its address has too many places, or the other end has gone: it is
   * ended.
   */
  take(socket: Socket): boolean {
    const end = endOf(socket);
    const address = networkOf(socket.remoteAddress ?? "");
    const ofAddress = [...this.#places.values()].filter((other) => other.address === address);
    if (end === undefined || ofAddress.length >= handshakesOfAddressMax) {
      socket.destroy();
      return false;
    }
    const [oldest] = this.#places;
    if (oldest !== undefined && this.#places.size >= handshakesMax) {
      this.#leave(oldest[0]);
      oldest[1].socket.destroy();
    }
    const late = setTimeout(() => socket.destroy(), handshakeMs);
    this.#places.set(end, { socket, address, late });
    socket.once("close", () => this.#leave(end));
    return true;
  }

  /** It has proved that it knows the secret; `socket` may be the one of TLS over the one that was taken in. */
  proved(socket: Socket): void {
    const end = endOf(socket);
    if (end !== undefined) this.#leave(end);
  }

  /** Ends all of them. */
  close(): void {
    for (const { socket } of this.#places.values()) socket.destroy();
  }

  #leave(end: string): void {
    clearTimeout(this.#places.get(end)?.late);
    this.#places.delete(end);
  }
}

interface Place {
  readonly socket: Socket;
  /** What it counts for. */
  readonly address: string;
  readonly late: NodeJS.Timeout;
}

/** Undefined once the other end has gone. */
function endOf({ remoteAddress, remotePort }: Socket): string | undefined {
  return remoteAddress === undefined ? undefined : `${remoteAddress} ${remotePort}`;
}

/** Whoever has an address of IPv6 has a network of them: the last 64 bits are the interface's (RFC 4291, 2.5.4). */
export function networkOf(address: string): string {
  const plain = address.startsWith("::ffff:") ? address.slice("::ffff:".length) : address;
  if (!isIPv6(plain)) return plain;
  const [head = "", tail] = (plain.split("%")[0] ?? "").split("::");
  const groupsOf = (text: string): string[] => (text === "" ? [] : text.split(":"));
  const [first, last] = [groupsOf(head), groupsOf(tail ?? "")];
  // The zeros that were left out, where some were.
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - first.length - last.length);
  return [...first, ...Array.from({ length: zeros }, () => "0"), ...last].slice(0, 4).join(":");
}
