import type { Tree } from "../src/tree/tree.ts";
import { none } from "../src/tree/znodes.ts";
import { adler32 } from "../src/wire/adler32.ts";
import {
  FileHeader,
  fileVersion,
  SnapshotAcls,
  SnapshotNode,
  SnapshotSeal,
  SnapshotSessions,
  snapshotDbid,
  snapshotMagic,
  snapshotPathEnd,
} from "../src/wire/files.ts";
import { JuteWriter } from "../src/wire/writer.ts";

/**
 * A snapshot as Apache's servers write it: sessions and ACLs at once, then znode after znode from the root
 * down, while the tree changes. It holds some of what comes meanwhile; replaying all of that makes it right.
 */
export class FuzzySnapshot {
  /** Everything through here is in it. */
  readonly zxid: number;
  readonly #tree: Tree;
  readonly #writer = new JuteWriter();
  readonly #paths = ["/"];

  constructor(tree: Tree) {
    this.#tree = tree;
    this.zxid = tree.zxidLast;
    FileHeader.write(this.#writer, {
      magic: snapshotMagic,
      version: fileVersion,
      dbid: snapshotDbid,
    });
    const sessions = [...tree.sessions.entries()];
    SnapshotSessions.write(
      this.#writer,
      sessions.map(([sessionId, timeoutMs]) => ({ sessionId, timeoutMs })),
    );
    const acls = [...tree.acls.entries()];
    SnapshotAcls.write(
      this.#writer,
      acls.map(({ number, acl }) => ({ number: BigInt(number), acl })),
    );
  }

  /** Writes the next znode. False when there is none left. */
  step(): boolean {
    const path = this.#paths.pop();
    if (path === undefined) return false;
    const { znodes } = this.#tree;
    const id = znodes.find(path);
    // Deleted since its parent was written.
    if (id === none) return true;
    const stat = znodes.state(id);
    this.#writer.string(path === "/" ? "" : path);
    SnapshotNode.write(this.#writer, { data: stat.data, acl: stat.acl, stat });
    const prefix = path === "/" ? "/" : `${path}/`;
    for (const name of znodes.childNames(id)) this.#paths.push(prefix + name);
    return true;
  }

  /** The whole file, once every znode is written. */
  bytes(): Buffer {
    this.#writer.string(snapshotPathEnd);
    const body = this.#writer.copy();
    SnapshotSeal.write(this.#writer, {
      checksum: BigInt(adler32(body, 0, body.length)),
      path: snapshotPathEnd,
    });
    return this.#writer.copy();
  }
}
