import { BlockList, isIP } from "node:net";
import { ServiceError } from "../../kit/src/errors.ts";

/** Where a listener binds or a client connects; an IPv6 host stands without its brackets. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** `HOST:PORT` or `[IPV6]:PORT` as its parts; port 0 asks for a free one. Throws `config.invalid`. */
export function parseAddress(text: string): Address {
  const problem = addressProblem(text);
  if (problem !== undefined) throw new ServiceError("config.invalid", problem, { value: text });
  const colon = text.lastIndexOf(":");
  const host = text.slice(0, colon);
  return {
    host: host.startsWith("[") ? host.slice(1, -1) : host,
    port: Number(text.slice(colon + 1)),
  };
}

/** What keeps a text from being an address, with an example; undefined when nothing does. */
export function addressProblem(text: string): string | undefined {
  const colon = text.lastIndexOf(":");
  const host = text.slice(0, Math.max(colon, 0));
  const port = text.slice(colon + 1);
  if (colon < 0) return "needs a host and a port, as 127.0.0.1:7070";
  if (host === "")
    return `needs a host, as 127.0.0.1:${port} or, on every interface, 0.0.0.0:${port}`;
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) return "needs a port from 0 to 65535";
  const bracketed = /^\[(.*)\]$/.exec(host)?.[1];
  if (bracketed !== undefined) {
    return isIP(bracketed) === 6 ? undefined : "has brackets around what is no IPv6 address";
  }
  if (host.includes(":")) return `needs brackets around an IPv6 address, as [${host}]:${port}`;
  if (isIP(host) === 4) return undefined;
  // A name that ends in a number is a mistyped address: no top-level domain is a number.
  if (!isHostName(host) || /(^|\.)\d+$/.test(host))
    return "has a host that is no address and no name";
  return undefined;
}

/** The address as a text that `parseAddress` reads. */
export function printAddress({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** True for hosts that only this machine reaches: 127.0.0.0/8, ::1, their mapped forms, localhost. */
export function isLoopback(host: string): boolean {
  const version = isIP(host);
  if (version === 0) return /^(.+\.)?localhost\.?$/i.test(host);
  return loopback.check(host, version === 4 ? "ipv4" : "ipv6");
}

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");
loopback.addSubnet("::ffff:127.0.0.0", 104, "ipv6");

function isHostName(host: string): boolean {
  if (host.length > 253) return false;
  const label = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i;
  return host
    .replace(/\.$/, "")
    .split(".")
    .every((part) => label.test(part));
}
