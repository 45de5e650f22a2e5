import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { ServiceError } from "../../../kit/src/errors.ts";

/**
 * Refuses what a web page of somebody else could bring a browser to send: a `Host` that is a name
 * not of this service (DNS rebinding), and a write whose `Origin` is another site.
 */
export function checkHost(request: IncomingMessage, hosts: readonly string[]): void {
  const host = request.headers.host;
  if (host !== undefined && !isOurs(hostnameOf(`http://${host}`), hosts)) {
    throw new ServiceError("request.host", "the Host header names another service", { host });
  }
  const { origin } = request.headers;
  const writes = request.method !== "GET" && request.method !== "HEAD";
  if (writes && origin !== undefined && !isSameSite(origin, host, hosts)) {
    throw new ServiceError("request.host", "the Origin header names another site", { origin });
  }
}

function hostnameOf(url: string): string {
  try {
    return new URL(url).hostname.replace(/^\[|\]$/g, "");
  } catch {
    return "";
  }
}

function isSameSite(origin: string, host: string | undefined, hosts: readonly string[]): boolean {
  return (
    origin === `http://${host}` ||
    origin === `https://${host}` ||
    hosts.includes(hostnameOf(origin))
  );
}

function isOurs(hostname: string, hosts: readonly string[]): boolean {
  if (hostname === "localhost" || isIP(hostname) !== 0) return true;
  return hosts.includes(hostname);
}
