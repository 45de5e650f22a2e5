import type { ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import { isZooKeeperError } from "../../coordinator/src/client/errors.ts";
import { type MultiStep, steps } from "../../coordinator/src/client/multi.ts";
import { childPath } from "../../coordinator/src/client/paths.ts";
import type { RoleTerm } from "../../coordinator/src/recipes/role-election.ts";
import { inboxDeletesInFlight, inboxDeletesMax } from "./limits.ts";
import { settle } from "./settle.ts";

/**
 * Deletes stored records of an inbox, which tells their senders so, as holder of the drainer's role. Whatever its version:
 * a record is what it was when it was read. Throws, and ends the term, when the role has gone to another.
 */
export async function deleteRecords(
  client: ZooKeeperClient,
  term: RoleTerm,
  inboxPath: string,
  names: readonly string[],
): Promise<void> {
  const chunks: string[][] = [];
  for (let at = 0; at < names.length; at += inboxDeletesMax) {
    const chunk = names.slice(at, at + inboxDeletesMax);
    chunks.push(chunk.map((name) => childPath(inboxPath, name)));
  }
  const remove = async (): Promise<void> => {
    for (let chunk = chunks.shift(); chunk !== undefined; chunk = chunks.shift()) {
      await deleteChunk(client, term, chunk);
    }
  };
  await Promise.all(Array.from({ length: inboxDeletesInFlight }, remove));
}

async function deleteChunk(
  client: ZooKeeperClient,
  term: RoleTerm,
  paths: readonly string[],
): Promise<void> {
  try {
    await guarded(
      client,
      term,
      paths.map((path) => steps.delete(path)),
    );
  } catch (thrown) {
    // One that has gone or has children fails them all: then each for itself.
    if (!isZooKeeperError(thrown, "NONODE", "NOTEMPTY")) throw thrown;
    await Promise.all(paths.map((path) => deleteOne(client, term, path)));
  }
}

async function deleteOne(client: ZooKeeperClient, term: RoleTerm, path: string): Promise<void> {
  for (;;) {
    try {
      await guarded(client, term, [steps.delete(path)]);
      return;
    } catch (thrown) {
      if (isZooKeeperError(thrown, "NONODE")) return;
      if (!isZooKeeperError(thrown, "NOTEMPTY")) throw thrown;
    }
    // A sender has put znodes below its record: they are no records and go with it.
    const { children } = await settle(() => client.getChildren(path));
    for (const name of children) await deleteOne(client, term, childPath(path, name));
  }
}

async function guarded(
  client: ZooKeeperClient,
  term: RoleTerm,
  operations: readonly MultiStep[],
): Promise<void> {
  try {
    await settle(() => client.multi(term.guard(operations)));
  } catch (thrown) {
    if (isZooKeeperError(thrown) && thrown.index === 0) {
      term.resign();
      throw new Error("the role of the drainer has gone to another", { cause: thrown });
    }
    throw thrown;
  }
}
