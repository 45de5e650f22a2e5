/** What a znode was from a txn on. */
interface Stage {
  readonly zxid: number;
  /** Undefined: it was not there. */
  readonly znode: Znode | undefined;
}

export interface Znode {
  readonly data: unknown;
  readonly version: number;
  /** The session that it ends with; undefined for one that stays. */
  readonly session: number | undefined;
}

export type Op =
  /** Version -1: that it is there. */
  | { readonly op: "check"; readonly path: string; readonly version: number }
  | {
      readonly op: "create";
      readonly path: string;
      readonly data: unknown;
      readonly isEphemeral?: boolean;
    }
  | { readonly op: "delete"; readonly path: string }
  | { readonly op: "set"; readonly path: string; readonly data: unknown; readonly version: number };

export type Refusal = "BADVERSION" | "NONODE" | "NODEEXISTS" | "SESSIONEXPIRED";

/** The coordinator's tree with all it ever was: txns in order, each with the time at which it came to be. */
export class Znodes {
  readonly #stages = new Map<string, Stage[]>();
  /** When the txn of a zxid was committed; the first has zxid 1. */
  readonly #times: number[] = [0];

  get zxid(): number {
    return this.#times.length - 1;
  }

  /** The last txn that was committed at or before a time. */
  zxidAt(time: number): number {
    let zxid = this.zxid;
    while (zxid > 0 && (this.#times[zxid] as number) > time) zxid--;
    return zxid;
  }

  /** A znode as it was after a txn. */
  get(path: string, zxid: number = this.zxid): Znode | undefined {
    const stages = this.#stages.get(path) ?? [];
    for (let at = stages.length - 1; at >= 0; at--) {
      const stage = stages[at] as Stage;
      if (stage.zxid <= zxid) return stage.znode;
    }
    return undefined;
  }

  /** All whose path begins so, as they were after a txn. */
  list(prefix: string, zxid: number = this.zxid): readonly Znode[] {
    return [...this.#stages.keys()]
      .filter((path) => path.startsWith(prefix))
      .map((path) => this.get(path, zxid))
      .filter((znode) => znode !== undefined);
  }

  /** All or nothing. Answers the zxid, or why nothing was changed. */
  multi(now: number, session: number, ops: readonly Op[]): number | Refusal {
    const changed = new Map<string, Znode | undefined>();
    for (const op of ops) {
      const { path } = op;
      const known = changed.has(path) ? changed.get(path) : this.get(path);
      if (op.op === "create") {
        if (known !== undefined) return "NODEEXISTS";
        const ends = op.isEphemeral === true ? session : undefined;
        changed.set(path, { data: op.data, version: 0, session: ends });
        continue;
      }
      if (known === undefined) return "NONODE";
      if (op.op === "delete") {
        changed.set(path, undefined);
        continue;
      }
      if (op.version !== -1 && op.version !== known.version) return "BADVERSION";
      if (op.op === "set") {
        changed.set(path, { ...known, data: op.data, version: known.version + 1 });
      }
    }
    return this.#commit(now, changed);
  }

  /** The session is over: what it made for as long as it lasts goes. */
  end(now: number, session: number): void {
    const gone = new Map<string, undefined>();
    for (const path of this.#stages.keys()) {
      if (this.get(path)?.session === session) gone.set(path, undefined);
    }
    this.#commit(now, gone);
  }

  #commit(now: number, changed: ReadonlyMap<string, Znode | undefined>): number {
    this.#times.push(now);
    const { zxid } = this;
    for (const [path, znode] of changed) {
      const stages = this.#stages.get(path) ?? [];
      stages.push({ zxid, znode });
      this.#stages.set(path, stages);
    }
    return zxid;
  }
}
