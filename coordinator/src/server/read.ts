import type { Tree } from "../tree/tree.ts";
import type { JuteReader } from "../wire/reader.ts";
import type { JuteWriter } from "../wire/writer.ts";
import type { Connection } from "./connection.ts";
import { replyStart } from "./replies.ts";

/** A read that is due: everything the session asked before it is answered. */
export interface Read {
  readonly tree: Tree<Connection>;
  readonly connection: Connection;
  readonly xid: number;
  readonly type: number;
  readonly from: JuteReader;
}

/** Begins the answer's body, and gives back what `frameEnd` wants. */
export function bodyStart({ tree, connection, xid }: Read): number {
  return replyStart(connection.out, xid, tree.zxidLast);
}

/** The vector of a znode's children. */
export function childNamesWrite(out: JuteWriter, tree: Tree<Connection>, id: number): void {
  const names = tree.znodes.childNames(id);
  out.int(names.length);
  for (const name of names) out.string(name);
}
