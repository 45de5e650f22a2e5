import { ServiceError } from "../../../kit/src/errors.ts";
import type { LogPoint } from "./entry.ts";
import type { ScannedEntry } from "./scan.ts";

/** An entry of a shard that was read at start; its body is still in the file. */
export interface RecoveredEntry extends ScannedEntry {
  readonly file: string;
  readonly sequence: number;
}

/** Where a shard's entries are not what they were. */
export interface LogDamage {
  readonly file: string;
  readonly offset: number;
  readonly reason: string;
  /** Harmless once the shard is sealed through this position. */
  readonly position: number;
}

/** What a log has of a shard. */
export interface RecoveredShard {
  /** What the first entry follows; where the log ends when there is none. */
  readonly base: LogPoint;
  /** In the order of their positions. */
  readonly entries: readonly RecoveredEntry[];
  /** At least up to here the shard was committed once, as its entries say. */
  readonly committed: number;
}

/**
 * Collects a shard's entries in the order in which they lie in the log: most follow the one before, some
 * were written again behind later ones when their file was let go, and a truncation ends what came before it.
 */
export class RecoveredEntries implements RecoveredShard {
  readonly #entries: RecoveredEntry[] = [];
  /** As a reset says. */
  #base: LogPoint | undefined;
  /** As a truncation says, after which there was none left. */
  #end: LogPoint | undefined;
  #committed = 0;
  /** Entries of which another stands at their position. */
  #conflicts: RecoveredEntry[] = [];

  get entries(): readonly RecoveredEntry[] {
    return this.#entries;
  }

  get committed(): number {
    return this.#committed;
  }

  get base(): LogPoint {
    const first = this.#entries[0]?.header;
    if (first === undefined) return this.#end ?? this.#base ?? { epoch: 0, position: 0 };
    return { epoch: first.previousEpoch, position: first.previousPosition };
  }

  add(entry: RecoveredEntry): void {
    const { kind, epoch, position } = entry.header;
    if (kind === "truncate") this.#truncate({ epoch, position });
    else if (kind === "reset") this.#reset({ epoch, position });
    else this.#place(entry);
  }

  #place(entry: RecoveredEntry): void {
    const { epoch, position, committed } = entry.header;
    this.#committed = Math.max(this.#committed, committed);
    const before = this.#entries.findLastIndex(({ header }) => header.position <= position);
    const at = this.#entries[before];
    if (at?.header.position !== position) this.#entries.splice(before + 1, 0, entry);
    else if (at.header.epoch === epoch) this.#entries[before] = entry;
    else this.#conflicts.push(entry);
  }

  damages(): readonly LogDamage[] {
    const damages: LogDamage[] = [];
    const found = ({ file, offset }: RecoveredEntry, reason: string, position: number) =>
      damages.push({ file, offset, reason, position });
    let previous = this.#base ?? this.base;
    for (const entry of this.#entries) {
      const { epoch, position, previousEpoch, previousPosition } = entry.header;
      const follows =
        position === previousPosition + 1 &&
        epoch >= previousEpoch &&
        previousPosition === previous.position &&
        previousEpoch === previous.epoch;
      if (entry.isDamaged) found(entry, "body is damaged", position);
      if (!follows) found(entry, "entry does not follow the one before it", previousPosition);
      previous = { epoch, position };
    }
    for (const entry of this.#conflicts) {
      found(entry, "another entry stands at its position", entry.header.position);
    }
    return damages;
  }

  #truncate(to: LogPoint): void {
    const kept = this.#entries.findLastIndex(({ header }) => header.position <= to.position);
    this.#entries.length = kept + 1;
    if (kept === -1) this.#end = to;
    this.#conflicts = this.#conflicts.filter(({ header }) => header.position <= to.position);
  }

  #reset(base: LogPoint): void {
    this.#entries.length = 0;
    this.#conflicts = [];
    this.#base = base;
    this.#end = undefined;
  }
}

/** The error for damage, which names file and offset. */
export function damageError(damage: Omit<LogDamage, "position">, shard?: number): ServiceError {
  const fields = {
    file: damage.file,
    offset: damage.offset,
    ...(shard !== undefined && { shard }),
  };
  return new ServiceError("storage.damaged", `commit log: ${damage.reason}`, fields);
}
