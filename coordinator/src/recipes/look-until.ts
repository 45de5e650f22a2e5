import type { ZooKeeperClient } from "../client/client.ts";
import type { WatchOptions } from "../client/options.ts";
import { abortable, untilDone } from "./until-done.ts";

/** What a look says: what was waited for; that a change is to be waited for; or to look again at once. */
export type Look<T> = { readonly found: T } | "wait" | "again";

/**
 * Looks, and again after each change of what was looked at, until it is found. `look` gives its reads the options it
 * is called with, which watch. It is repeated when the connection is lost. No watch is left behind. Rejects with the
 * signal's reason, CLOSED, and what else `look` throws.
 */
export async function lookUntil<T>(
  client: ZooKeeperClient,
  look: (watching: WatchOptions) => Promise<Look<T>>,
  signal?: AbortSignal,
): Promise<T> {
  for (;;) {
    const over = new AbortController();
    const changed = Promise.withResolvers<void>();
    const watching = { watch: () => changed.resolve(), watchSignal: over.signal };
    // The next look then says CLOSED.
    const stop = client.onSession(({ kind }) => {
      if (kind === "closed") changed.resolve();
    });
    try {
      const seen = await untilDone(() => look(watching), signal);
      if (typeof seen === "object") return seen.found;
      if (seen === "wait") await abortable(changed.promise, signal);
    } finally {
      over.abort();
      stop();
    }
  }
}

/** Resolves once one of these znodes is not there. Watches each of them and nothing else. */
export function untilOneGone(
  client: ZooKeeperClient,
  paths: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  const look = async (watching: WatchOptions): Promise<Look<void>> => {
    const stats = await Promise.all(paths.map((path) => client.exists(path, watching)));
    return stats.includes(null) ? { found: undefined } : "wait";
  };
  return lookUntil(client, look, signal);
}
