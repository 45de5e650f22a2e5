import { crc32 } from "node:zlib";

import type { Tree } from "./tree.ts";

/**
 * One short text for everything replicated: equal for equal trees, whatever order they were built
 * in. For tests and for comparing members; not Apache's digest.
 */
export function treeFingerprint<W extends object>(tree: Tree<W>): string {
  let sum = 0n;
  let count = 0;
  const add = (text: string): void => {
    count++;
    // Two sums of different seeds, so that one collision is not enough.
    sum += (BigInt(crc32(text)) << 32n) + BigInt(crc32(text, 0x5bd1e995));
  };
  for (let id = 0; id < tree.znodes.idEnd; id++) {
    if (!tree.znodes.isLive(id)) continue;
    const { data, acl, ephemeralOwner, ...stat } = tree.znodes.state(id);
    const text = data === null ? null : Buffer.from(data).toString("base64");
    const children = tree.znodes.childCount(id);
    const owner = String(ephemeralOwner);
    add(JSON.stringify([tree.znodes.path(id), text, tree.acls.list(acl), owner, stat, children]));
  }
  for (const [session, timeoutMs] of tree.sessions.entries())
    add(`session ${session} ${timeoutMs}`);
  for (const [session, paths] of tree.sessions.owners()) {
    for (const path of paths) add(`ephemeral ${session} ${path}`);
  }
  return `${tree.zxidLast.toString(16)}-${count}-${BigInt.asUintN(64, sum).toString(16)}`;
}
