import { createHash } from "node:crypto";

/** The end of the audit journal's hash chain. */
export interface AuditHead {
  /** Entries in the chain. */
  readonly count: number;
  /** SHA-256 in hex; of the empty chain 64 zeros. */
  readonly hash: string;
}

export const emptyChain: AuditHead = { count: 0, hash: "0".repeat(64) };

/** An entry of the chain. */
export interface ChainLink {
  /** From 1. */
  readonly number: number;
  /** Of the change, in hex. */
  readonly czxid: string;
  readonly hash: string;
  /** Its very text. */
  readonly entry: string;
}

/** The links of entries that come next, in the order of their czxids. */
export function chained(
  head: AuditHead,
  entries: readonly Pick<ChainLink, "czxid" | "entry">[],
): ChainLink[] {
  let { count, hash } = head;
  return entries.map(({ czxid, entry }) => {
    count++;
    hash = linkHash(hash, { czxid, entry });
    return { number: count, czxid, hash, entry };
  });
}

/** What a link's hash is, as anybody can compute it: SHA-256 of three lines, each ended by a newline. */
export function linkHash(
  before: string,
  { czxid, entry }: Pick<ChainLink, "czxid" | "entry">,
): string {
  return createHash("sha256").update(`${before}\n${czxid}\n${entry}\n`).digest("hex");
}

/**
 * Checks that links follow each other from `from` on and, when it is given, end at `head`. Undefined when they do; else what is
 * wrong first, in words.
 */
export function chainFault(
  links: readonly ChainLink[],
  from: AuditHead,
  head: AuditHead | undefined,
): string | undefined {
  let before = from;
  for (const link of links) {
    if (link.number !== before.count + 1) {
      return `entry ${before.count + 1} is missing: the next one is ${link.number}`;
    }
    if (link.hash !== linkHash(before.hash, link)) {
      return `entry ${link.number} is not what was journalled, or one before it is not`;
    }
    before = { count: link.number, hash: link.hash };
  }
  if (head === undefined) return undefined;
  if (before.count < head.count) return `entries ${before.count + 1} to ${head.count} are missing`;
  if (before.count > head.count) return `entry ${head.count + 1} was never journalled`;
  return before.hash === head.hash ? undefined : `entry ${head.count} ends another chain`;
}
