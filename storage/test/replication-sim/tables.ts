import type { Entry } from "../../src/replication/core/types.ts";
import type { Body } from "./checker.ts";

/** The body of an entry as the simulated host makes it. */
export interface Part {
  /** Of the router, the same for each try. */
  readonly key: string | undefined;
  readonly body: Body;
}

interface Delete {
  readonly position: number;
  readonly record: number;
}

/** What an owner knows beside its records, rebuilt from a checkpoint and the entries behind it. */
export class Tables {
  readonly keys: Map<string, number>;
  deletes: Delete[];
  /** Everything up to here is in them. */
  through: number;

  constructor(before?: Tables, through = before?.through ?? 0) {
    this.through = through;
    this.keys = new Map(before === undefined ? [] : [...before.keys].filter(isThrough));
    this.deletes = (before?.deletes ?? []).filter(({ position }) => position <= through);
    function isThrough([, position]: readonly [string, number]): boolean {
      return position <= through;
    }
  }

  take({ position, body }: Entry, withKeys = true): void {
    const part = body as Part;
    this.through = position;
    if (part.key !== undefined && withKeys) this.keys.set(part.key, position);
    if (part.body.kind === "delete") this.deletes.push({ position, record: part.body.record });
  }

  /** Takes back what entries behind a position did. */
  forget(after: number): void {
    for (const [key, position] of this.keys) if (position > after) this.keys.delete(key);
    this.deletes = this.deletes.filter(({ position }) => position <= after);
    this.through = Math.min(this.through, after);
  }
}
