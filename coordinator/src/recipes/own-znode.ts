import { randomUUID } from "node:crypto";

import { pause } from "../../../kit/src/pause.ts";
import type { ZooKeeperClient } from "../client/client.ts";
import { isOutcomeUnknown, isZooKeeperError } from "../client/errors.ts";
import { steps } from "../client/multi.ts";
import { childPath } from "../client/paths.ts";
import type { Acl } from "../wire/records.ts";
import { ensurePath } from "./ensure-path.ts";
import { lateMs, retryMs } from "./limits.ts";
import { abortable, isPassing, untilDone } from "./until-done.ts";

export interface OwnZnodeOptions {
  readonly client: ZooKeeperClient;
  /** Made when it is missing. */
  readonly parent: string;
  /** Stands before the name. */
  readonly kind: string;
  readonly data: Uint8Array | null;
  readonly acl: readonly Acl[];
}

/** An ephemeral of this client under a name that nobody else has. */
export interface OwnZnode {
  readonly name: string;
  readonly path: string;
  readonly czxid: bigint;
  readonly sessionId: bigint;
  /** Whether the answer to an earlier attempt was lost. */
  readonly isLate: boolean;
  /** The path of another ephemeral, which was made in one txn with it and goes in one. */
  readonly claim?: string;
}

/**
 * Makes an ephemeral named `<kind>-<uuid>`. Since the name is ours alone, an attempt whose answer is lost is simply
 * repeated. When the signal aborts, or anything fails, what may have been made is removed: `cleaning` is told the work.
 */
export async function makeOwnZnode(
  options: OwnZnodeOptions,
  signal: AbortSignal,
  cleaning: (work: Promise<void>) => void,
): Promise<OwnZnode> {
  const { client, parent, kind } = options;
  for (;;) {
    const name = `${kind}-${randomUUID()}`;
    const path = childPath(parent, name);
    const attempt = { isUnknown: false };
    const making = makeAt(options, path, signal, attempt);
    try {
      const made = await abortable(making, signal);
      // Of a session that ended meanwhile: it goes by itself.
      if (made !== undefined) return { name, path, ...made, isLate: attempt.isUnknown };
    } catch (thrown) {
      const ended = making.then(nothing, nothing);
      cleaning(ended.then(() => removeOwnZnode(client, path, { isLate: attempt.isUnknown })));
      throw thrown;
    }
  }
}

/** Deletes it, whatever happens to the connection; one of a session that ended has gone by itself. */
export async function removeOwnZnode(
  client: ZooKeeperClient,
  path: string,
  { isLate, claim }: Pick<OwnZnode, "isLate" | "claim">,
): Promise<void> {
  const paths = claim === undefined ? [path] : [path, claim];
  try {
    await untilDone(() => deleteIfThere(client, paths));
  } catch (thrown) {
    // With the client its session ends, and with that the znode; who may not delete could not create either.
    if (!isZooKeeperError(thrown)) throw thrown;
  }
  if (isLate) void removeLate(client, path, claim);
}

async function removeLate(
  client: ZooKeeperClient,
  path: string,
  claim: string | undefined,
): Promise<void> {
  await pause(lateMs, undefined, { ref: false });
  const rest = claim === undefined ? {} : { claim };
  await removeOwnZnode(client, path, { isLate: false, ...rest });
}

async function makeAt(
  options: OwnZnodeOptions,
  path: string,
  signal: AbortSignal,
  attempt: { isUnknown: boolean },
): Promise<{ readonly czxid: bigint; readonly sessionId: bigint } | undefined> {
  const { client, parent, data, acl } = options;
  for (;;) {
    await client.connected({ signal });
    try {
      // Not given up once it is sent: what becomes of it must be known.
      const { stat } = await client.create(path, data, { mode: "ephemeral", acl });
      return { czxid: stat.czxid, sessionId: stat.ephemeralOwner };
    } catch (thrown) {
      if (isOutcomeUnknown(thrown)) attempt.isUnknown = true;
      if (isZooKeeperError(thrown, "NONODE")) {
        await untilDone(() => ensurePath(client, parent, { acl, signal }), signal);
      } else if (isZooKeeperError(thrown, "NODEEXISTS")) {
        const stat = await untilDone(() => client.exists(path), signal);
        if (stat === null || stat.ephemeralOwner !== client.sessionId) return undefined;
        return { czxid: stat.czxid, sessionId: stat.ephemeralOwner };
      } else if (!isPassing(thrown)) throw thrown;
      else if (!isOutcomeUnknown(thrown)) await pause(retryMs, signal);
      signal.throwIfAborted();
    }
  }
}

function nothing(): void {}

/** All of them in one txn; none, when the first is not there. */
async function deleteIfThere(client: ZooKeeperClient, paths: readonly string[]): Promise<void> {
  try {
    await client.multi(paths.map((path) => steps.delete(path)));
  } catch (thrown) {
    if (!isZooKeeperError(thrown, "NONODE")) throw thrown;
  }
}
