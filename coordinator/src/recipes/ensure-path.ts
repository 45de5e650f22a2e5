import type { ZooKeeperClient } from "../client/client.ts";
import { isZooKeeperError } from "../client/errors.ts";
import type { CallOptions } from "../client/options.ts";
import { parentPaths } from "../client/paths.ts";
import type { Acl } from "../wire/records.ts";

/**
 * Makes a persistent znode with what is missing above it. Says whether it was made now; data and ACL of one that is
 * there stay as they are.
 */
export async function ensurePath(
  client: ZooKeeperClient,
  path: string,
  options: CallOptions & { readonly data?: Uint8Array; readonly acl?: readonly Acl[] } = {},
): Promise<boolean> {
  const { data = null, ...rest } = options;
  const missing = [path];
  const above = parentPaths(path)[Symbol.iterator]();
  for (let made = false; missing.length > 0; ) {
    const at = missing.at(-1) as string;
    try {
      if (at !== "/") await client.create(at, at === path ? data : null, rest);
      made = at === path && at !== "/";
    } catch (thrown) {
      if (isZooKeeperError(thrown, "NONODE")) {
        const next = above.next();
        if (next.done === true) throw thrown;
        missing.push(next.value);
        continue;
      }
      if (!isZooKeeperError(thrown, "NODEEXISTS")) throw thrown;
    }
    missing.pop();
    if (missing.length === 0) return made;
  }
  return false;
}
