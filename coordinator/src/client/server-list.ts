import { lookup } from "node:dns/promises";
import { isIP } from "node:net";

import type { ServerAddress } from "./paths.ts";

/** One address of one server. */
export interface Target {
  /** As the connect string names it: what a certificate is checked against. */
  readonly server: ServerAddress;
  /** An IP address. */
  readonly host: string;
  readonly port: number;
}

/** All addresses of a name; rejects when it has none. */
export type Resolve = (host: string) => Promise<readonly string[]>;

export const resolveAll: Resolve = async (host) =>
  (await lookup(host, { all: true })).map(({ address }) => address);

/** A number in [0, 1). */
export type Random = () => number;

/**
 * The servers of an ensemble in the order in which they are tried: drawn anew for each round, each name resolved
 * when its turn comes, every address of it tried.
 */
export class ServerList {
  readonly #random: Random;
  readonly #resolve: Resolve;
  #servers: readonly ServerAddress[];
  #round: ServerAddress[];
  #targets: Target[] = [];
  /** Whether the round's order is meant, and stands whatever the last connection was. */
  #isSteered = false;

  /** `servers`: at least one. */
  constructor(servers: readonly ServerAddress[], random: Random, resolve: Resolve) {
    this.#servers = servers;
    this.#random = random;
    this.#resolve = resolve;
    this.#round = shuffled(servers, random);
  }

  get count(): number {
    return this.#servers.length;
  }

  /** Who is next in this round; undefined when all have had their turn, and then the next round begins. */
  async next(): Promise<Target | undefined> {
    for (;;) {
      this.#isSteered = false;
      const target = this.#targets.shift();
      if (target !== undefined) return target;
      const server = this.#round.shift();
      if (server === undefined) {
        this.#round = shuffled(this.#servers, this.#random);
        return undefined;
      }
      // A name that is not known is passed over like a server that is down.
      const hosts = await this.#hosts(server).catch(() => []);
      // The list may have been replaced meanwhile.
      if (this.#servers.some((each) => isSame(each, server))) {
        const drawn = shuffled([...new Set(hosts)], this.#random);
        this.#targets = drawn.map((host) => ({ server, host, port: server.port }));
      }
    }
  }

  /** Begins a round in which this server comes last: it has just let go of us. */
  beginAfter(server: ServerAddress | undefined): void {
    if (this.#isSteered) return;
    this.#targets = [];
    const others = this.#servers.filter((each) => server === undefined || !isSame(each, server));
    this.#round = shuffled(others, this.#random);
    if (server !== undefined && others.length < this.#servers.length) this.#round.push(server);
  }

  /** Begins a round with this address. */
  beginWith(target: Target): void {
    this.#round = shuffled(this.#servers, this.#random);
    this.#targets = [target];
    this.#isSteered = true;
  }

  /**
   * Takes another list, and says whether who is connected to `current` should move: such that, when every client draws
   * for itself, the servers of the new list end up with equal shares and as few clients as possible move.
   * (A. Shraer et al., Dynamic Reconfiguration of Primary/Backup Clusters, USENIX ATC 2012, section 4.) One that `stays` moves
   * only away from a server that the list has no more.
   */
  replace(
    servers: readonly ServerAddress[],
    current: ServerAddress | undefined,
    stays = false,
  ): boolean {
    const before = this.#servers;
    const kept = servers.filter((each) => before.some((old) => isSame(old, each)));
    const added = servers.filter((each) => !kept.includes(each));
    this.#servers = servers;
    this.#targets = [];
    this.#round = shuffled(servers, this.#random);
    if (current === undefined) return false;
    const isKept = kept.some((each) => isSame(each, current));
    if (isKept && stays) return false;
    if (servers.length > before.length) {
      // Each old server keeps as many clients as it would have been given among the new ones.
      if (isKept && this.#random() < before.length / servers.length) return false;
      this.#prefer(added, kept);
      return true;
    }
    if (isKept) return false;
    const leaving = before.length - kept.length;
    const toKept = (kept.length * (before.length - servers.length)) / (servers.length * leaving);
    if (this.#random() < toKept) this.#prefer(kept, added);
    else this.#prefer(added, kept);
    return true;
  }

  #prefer(first: readonly ServerAddress[], then: readonly ServerAddress[]): void {
    this.#round = [...shuffled(first, this.#random), ...shuffled(then, this.#random)];
    this.#isSteered = true;
  }

  async #hosts({ host }: ServerAddress): Promise<readonly string[]> {
    return isIP(host) === 0 ? await this.#resolve(host) : [host];
  }
}

function isSame(a: ServerAddress, b: ServerAddress): boolean {
  return a.host === b.host && a.port === b.port;
}

/** Fisher and Yates. */
function shuffled<T>(items: readonly T[], random: Random): T[] {
  const drawn = [...items];
  for (let at = drawn.length - 1; at > 0; at--) {
    const other = at - Math.floor(random() * (at + 1));
    [drawn[at], drawn[other]] = [drawn[other] as T, drawn[at] as T];
  }
  return drawn;
}
