import type { Connection } from "../../src/server/connection.ts";
import type { Read } from "../../src/server/read.ts";
import { setWatches } from "../../src/server/reads-watches.ts";
import type { Tree } from "../../src/tree/tree.ts";
import { none } from "../../src/tree/znodes.ts";
import { encode } from "../../src/wire/codec.ts";
import { eventTypes, opCodes, xids } from "../../src/wire/constants.ts";
import { JuteReader } from "../../src/wire/reader.ts";
import { SetWatchesRequest } from "../../src/wire/records.ts";
import { JuteWriter } from "../../src/wire/writer.ts";
import { Violation } from "./state.ts";

type Kind = "data" | "children";

/**
 * A session's place at one member, as a watcher of its tree: it remembers what its client has read and
 * watches, and no change of that may be seen before its event.
 */
export class Seat {
  readonly out = new JuteWriter();
  readonly ids = [];
  /** Stamps of what is watched: `data /a` → mzxid, `children /a` → pzxid; -1 where there is no znode. */
  readonly #seen: Map<string, number>;

  /** Takes over what was watched at another seat of the session. */
  constructor(before?: Seat) {
    this.#seen = new Map(before === undefined ? [] : before.#seen);
  }

  /** Reads and watches. */
  read(tree: Tree<Seat>, path: string, kind: Kind): void {
    this.#check(tree, path, kind);
    const stamp = stampOf(tree, path, kind);
    if (kind === "children" && stamp === -1) return;
    this.#seen.set(`${kind} ${path}`, stamp);
    if (kind === "data") tree.watches.addData(path, this);
    else tree.watches.addChildren(path, this);
  }

  /** A watch went off. */
  hear(type: number, path: string): void {
    const { childrenChanged, deleted } = eventTypes;
    if (type !== childrenChanged) this.#seen.delete(`data ${path}`);
    if (type === childrenChanged || type === deleted) this.#seen.delete(`children ${path}`);
  }

  /** As a client does that comes to another server, having seen this zxid; then nothing is missed. */
  resume(tree: Tree<Seat>, zxidSeen: number): void {
    const watched = [...this.#seen].map(([key, stamp]) => {
      const [kind = "", path = ""] = key.split(" ");
      return { kind, path, stamp };
    });
    const paths = (holds: (each: (typeof watched)[number]) => boolean) =>
      watched.filter(holds).map(({ path }) => path);
    const request = {
      relativeZxid: BigInt(zxidSeen),
      data: paths(({ kind, stamp }) => kind === "data" && stamp !== -1),
      exists: paths(({ kind, stamp }) => kind === "data" && stamp === -1),
      children: paths(({ kind }) => kind === "children"),
    };
    // The product's own answer to setWatches; of a connection it wants what a seat has.
    setWatches({
      tree: tree as unknown as Tree<Connection>,
      connection: this as unknown as Connection,
      xid: xids.setWatches,
      type: opCodes.setWatches,
      from: new JuteReader(encode(SetWatchesRequest, request)),
    } satisfies Read);
    for (const { type, path } of this.#eventsTaken()) this.hear(type, path);
    for (const key of this.#seen.keys()) {
      const [kind = "", path = ""] = key.split(" ");
      this.#check(tree, path, kind as Kind);
    }
  }

  /** What is watched and has not been told of is as it was. */
  #check(tree: Tree<Seat>, path: string, kind: Kind): void {
    const seen = this.#seen.get(`${kind} ${path}`);
    if (seen === undefined || seen === stampOf(tree, path, kind)) return;
    throw new Violation(`watch order: a change of the ${kind} of ${path} is seen before its event`);
  }

  *#eventsTaken(): Iterable<{ readonly type: number; readonly path: string }> {
    const bytes = this.out.copy();
    this.out.reset();
    const from = new JuteReader(bytes);
    while (from.remaining > 0) {
      const frame = new JuteReader(from.buffer() ?? Buffer.alloc(0));
      if (frame.int() !== xids.event) continue;
      frame.long();
      frame.int();
      const type = frame.int();
      frame.int();
      yield { type, path: frame.string() };
    }
  }
}

function stampOf({ znodes }: Tree<Seat>, path: string, kind: Kind): number {
  const id = znodes.find(path);
  if (id === none) return -1;
  return kind === "data" ? znodes.mzxid(id) : znodes.pzxid(id);
}
