import { ZooKeeperError } from "./errors.ts";

/** Throws BADARGUMENTS unless it is an absolute path without empty, `.` or `..` names or control characters. */
export function checkPath(path: string, options: { readonly isSequential?: boolean } = {}): void {
  // The server puts the number behind the last slash, so a sequential path may end with one.
  const whole = options.isSequential === true ? `${path}0` : path;
  if (!isPath(whole)) throw new ZooKeeperError("BADARGUMENTS", { path });
}

function isPath(path: string): boolean {
  if (path === "/") return true;
  if (!path.startsWith("/")) return false;
  for (const name of path.slice(1).split("/")) {
    if (name === "" || name === "." || name === "..") return false;
  }
  for (let at = 0; at < path.length; at++) if (isRefused(path.charCodeAt(at))) return false;
  return true;
}

/** What Apache's servers refuse: controls, surrogates, private use and the specials. */
function isRefused(unit: number): boolean {
  if (unit < 0x20) return true;
  if (unit < 0x7f) return false;
  return unit <= 0x9f || (unit >= 0xd800 && unit <= 0xf8ff) || unit >= 0xfff0;
}

/** Maps between the paths of a client and those of the server, which lie below `chroot`. */
export class Chroot {
  readonly #prefix: string;

  /** `chroot`: "" or "/" for none. */
  constructor(chroot: string) {
    this.#prefix = chroot === "/" ? "" : chroot;
    if (this.#prefix !== "") checkPath(this.#prefix);
  }

  /** The same map with no prefix: for paths that are the server's own, whatever the chroot. */
  static readonly none = new Chroot("");

  outer(path: string): string {
    if (this.#prefix === "") return path;
    return path === "/" ? this.#prefix : this.#prefix + path;
  }

  inner(path: string): string {
    if (this.#prefix === "" || !path.startsWith(this.#prefix)) return path;
    const rest = path.slice(this.#prefix.length);
    return rest === "" ? "/" : rest;
  }
}

export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

/** `host:port,host:port/chroot`; `[::1]:2181` for IPv6; the port defaults to 2181. Throws BADARGUMENTS. */
export function parseConnectString(text: string): {
  readonly servers: readonly ServerAddress[];
  readonly chroot: string;
} {
  const slash = text.indexOf("/");
  const hosts = slash === -1 ? text : text.slice(0, slash);
  const chroot = slash === -1 ? "" : text.slice(slash);
  const servers = hosts.split(",").map((part) => parseServer(part.trim()));
  return { servers, chroot: chroot === "/" ? "" : chroot };
}

function parseServer(text: string): ServerAddress {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+))(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? 2181 : Number(match[3]);
  if (host === undefined || port < 1 || port > 65_535) {
    throw new ZooKeeperError("BADARGUMENTS", { path: text });
  }
  return { host, port };
}

/** The path of a child. */
export function childPath(parent: string, name: string): string {
  return parent === "/" ? `/${name}` : `${parent}/${name}`;
}

/** The paths above, nearest first, ending with "/"; nothing for "/" itself. */
export function* parentPaths(path: string): Iterable<string> {
  if (path === "/") return;
  for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
    yield path.slice(0, at);
  }
  yield "/";
}
