import { z } from "zod";
import {
  type AuditHead,
  type ChainLink,
  chained,
  emptyChain,
} from "../../../api/src/audit-chain.ts";
import type { ZooKeeperClient } from "../../../coordinator/src/client/client.ts";
import { isZooKeeperError } from "../../../coordinator/src/client/errors.ts";
import { steps } from "../../../coordinator/src/client/multi.ts";
import type { RoleTerm } from "../../../coordinator/src/recipes/role-election.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import { pause } from "../../../kit/src/pause.ts";
import { retryMs } from "../limits.ts";
import { paths } from "../paths.ts";
import { settle } from "../settle.ts";
import { decodeZnode, encodeZnode } from "../znode-data.ts";

import { auditFoldMax, auditFoldWaitMs, auditReadsInFlight } from "./limits.ts";

const headSchema = z.object({
  count: z.int().nonnegative(),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
});

/** A link of the chain with its place in the order of all writes. */
export interface StoredLink extends ChainLink {
  readonly at: bigint;
}

/** Where folded entries go: filled in by the services, with storage. */
export interface AuditSink {
  /** Up to which czxid entries are stored; 0n before the first. */
  lastStored(): Promise<bigint>;
  /** Stores links that follow `previous`, each once; rejects when it is not known whether they are. */
  store(links: readonly StoredLink[], previous: bigint): Promise<void>;
}

export interface FolderOptions {
  readonly client: ZooKeeperClient;
  readonly sink: AuditSink;
  readonly logger: Logger;
}

/** How many entries there are, and the hash of the last. Entries that still wait are not in it. */
export async function auditHead(client: ZooKeeperClient): Promise<AuditHead> {
  const { data } = await settle(() => client.getData(paths.audit));
  return headOf(data);
}

function headOf(data: Uint8Array | null): AuditHead {
  if (data === null || data.length === 0) return emptyChain;
  return decodeZnode(headSchema, paths.audit, data);
}

/**
 * Work of the role `folder`: takes entries of the audit journal out of the coordinator, in the order of their commits, into storage. Their
 * hashes form a chain, whose end moves in the write that deletes them: what is folded again after a crash gets the very same hashes, and is
 * stored once since storage knows up to which czxid it has them.
 */
export async function foldAudit(term: RoleTerm, options: FolderOptions): Promise<void> {
  const { client, logger } = options;
  while (!term.signal.aborted) {
    const changed = Promise.withResolvers<void>();
    const { children } = await client.getChildren(paths.audit, {
      signal: term.signal,
      watch: () => changed.resolve(),
    });
    if (children.length === 0) {
      await aborted(changed.promise, term.signal);
      // What changes together is folded together.
      await pause(auditFoldWaitMs, term.signal);
      continue;
    }
    try {
      await foldSome(term, options, children);
    } catch (thrown) {
      if (term.signal.aborted) return;
      if (isZooKeeperError(thrown) && thrown.index === 0) {
        term.resign();
        return;
      }
      logger.warn({ err: thrown }, "the audit journal could not be folded, again");
      await pause(retryMs, term.signal);
    }
  }
}

/** The first entries by czxid. All names are looked at: sequence numbers are not the order of commits. */
async function foldSome(
  term: RoleTerm,
  { client, sink }: FolderOptions,
  children: readonly string[],
): Promise<void> {
  const { data, stat } = await settle(() => client.getData(paths.audit));
  const head = headOf(data);
  const found: { readonly path: string; readonly at: bigint; readonly entry: string }[] = [];
  for (let at = 0; at < children.length; at += auditReadsInFlight) {
    const some = children.slice(at, at + auditReadsInFlight);
    found.push(
      ...(await Promise.all(
        some.map(async (name) => {
          const path = `${paths.audit}/${name}`;
          const { data: text, stat: of } = await settle(() => client.getData(path));
          return { path, at: of.czxid, entry: Buffer.from(text ?? []).toString() };
        }),
      )),
    );
  }
  found.sort((a, b) => (a.at < b.at ? -1 : 1));
  const first = found.slice(0, auditFoldMax);
  const named = first.map(({ at, entry }) => ({ czxid: at.toString(16), entry }));
  const links = chained(head, named).map((link, i) => ({ ...link, at: first[i]?.at ?? 0n }));
  const stored = await sink.lastStored();
  const fresh = links.filter(({ at }) => at > stored);
  if (fresh.length > 0) await sink.store(fresh, stored);
  const last = links.at(-1) as StoredLink;
  const next: AuditHead = { count: last.number, hash: last.hash };
  await settle(() =>
    client.multi(
      term.guard([
        steps.setData(paths.audit, encodeZnode(next), stat.version),
        ...first.map(({ path }) => steps.delete(path)),
      ]),
    ),
  ).catch(async (thrown: unknown) => {
    // An earlier try of this very write may have happened.
    if (!isZooKeeperError(thrown, "BADVERSION")) throw thrown;
    const now = await auditHead(client);
    if (now.hash !== next.hash) throw thrown;
  });
}

async function aborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  const gone = Promise.withResolvers<void>();
  const leave = (): void => gone.resolve();
  signal.addEventListener("abort", leave, { once: true });
  if (signal.aborted) leave();
  await Promise.race([promise, gone.promise]);
  signal.removeEventListener("abort", leave);
}
