import type { ZooKeeperClient } from "../client/client.ts";
import { isZooKeeperError } from "../client/errors.ts";
import { childPath } from "../client/paths.ts";
import { type ReadResult, reads } from "../client/reads.ts";
import { readsAtOnce } from "./limits.ts";
import { untilDone } from "./until-done.ts";

/** One who holds or waits: a child named `<kind>-<uuid>`. */
export interface Entry {
  readonly name: string;
  readonly kind: string;
  /** Who came earlier has the smaller one. */
  readonly czxid: bigint;
  readonly data: Buffer | null;
}

/** The entries of a znode. What was read of one before is not read again, since entries do not change. */
export class Entries {
  readonly #client: ZooKeeperClient;
  readonly #path: string;
  #known: ReadonlyMap<string, Entry> = new Map();

  constructor(client: ZooKeeperClient, path: string) {
    this.#client = client;
    this.#path = path;
  }

  /** Who is there now, oldest first; nobody when there is no such znode. Children of other names are passed over. */
  async look(signal?: AbortSignal): Promise<readonly Entry[]> {
    const before = this.#known;
    const now = new Map<string, Entry>();
    const unknown: string[] = [];
    for (const name of await this.#names(signal)) {
      const entry = before.get(name);
      if (entry !== undefined) now.set(name, entry);
      else if (entryName.test(name)) unknown.push(name);
    }
    for (let at = 0; at < unknown.length; at += readsAtOnce) {
      const some = unknown.slice(at, at + readsAtOnce);
      const asked = some.map((name) => reads.data(childPath(this.#path, name)));
      const results = await untilDone(() => this.#client.multiRead(asked), signal);
      for (const [index, name] of some.entries()) {
        const entry = entryOf(name, results[index]);
        if (entry !== undefined) now.set(name, entry);
      }
    }
    this.#known = now;
    return [...now.values()].sort((a, b) => (a.czxid < b.czxid ? -1 : 1));
  }

  async #names(signal: AbortSignal | undefined): Promise<readonly string[]> {
    try {
      return (await untilDone(() => this.#client.getChildren(this.#path), signal)).children;
    } catch (thrown) {
      if (isZooKeeperError(thrown, "NONODE")) return [];
      throw thrown;
    }
  }
}

const entryName = /^([a-z]+)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Undefined for one that has gone. */
function entryOf(name: string, result: ReadResult | undefined): Entry | undefined {
  if (result?.kind === "data") {
    const kind = entryName.exec(name)?.[1] as string;
    return { name, kind, czxid: result.stat.czxid, data: result.data };
  }
  // Whoever cannot be seen cannot be waited for.
  if (result?.kind === "error" && result.error.code !== "NONODE") throw result.error;
  return undefined;
}
