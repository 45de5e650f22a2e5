import { ServiceError } from "../../../kit/src/errors.ts";
import type { EntryHeader, LogPoint } from "./entry.ts";
import type { LogHole, ScannedEntry } from "./scan.ts";

/** An entry of a shard that was read at start; its body is still in the file. */
export interface RecoveredEntry extends ScannedEntry {
  readonly file: string;
  readonly sequence: number;
}

/** A hole, and the file that it is in. */
export interface FileHole extends LogHole {
  readonly file: string;
}

/** Where a shard's entries are not what they were. */
export interface LogDamage {
  readonly file: string;
  readonly offset: number;
  readonly reason: string;
  /** Harmless once the shard is sealed through this position; infinite where nobody knows how many entries there were. */
  readonly position: number;
  /** Entries are not there at all: what is known to be committed may be less than what was. */
  readonly isLost?: true;
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
  /** Holes that may have had entries of the shard, behind all that it has. */
  #holes: FileHole[];
  /** Holes that did, as what came behind them says. */
  readonly #lost: LogDamage[] = [];

  /** `passed`: holes before its first entry. */
  constructor(passed: readonly FileHole[] = []) {
    this.#holes = [...passed];
  }

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

  /** What comes next lies behind a hole. */
  hole(hole: FileHole): void {
    this.#holes.push(hole);
  }

  #place(entry: RecoveredEntry): void {
    const { epoch, position, committed } = entry.header;
    this.#committed = Math.max(this.#committed, committed);
    if (position > this.#endPosition) this.#tell(entry.header);
    const before = this.#entries.findLastIndex(({ header }) => header.position <= position);
    const at = this.#entries[before];
    if (at?.header.position !== position) this.#entries.splice(before + 1, 0, entry);
    else if (at.header.epoch === epoch) this.#entries[before] = entry;
    else this.#conflicts.push(entry);
  }

  get #endPosition(): number {
    return this.#entries.at(-1)?.header.position ?? (this.#end ?? this.#base)?.position ?? 0;
  }

  /** An entry behind the last one: it follows that, and then none is missing between them, or says which ones are. */
  #tell({ previousPosition: position }: EntryHeader): void {
    if (position > this.#endPosition) {
      for (const { file, offset } of this.#holes) {
        const reason = "entries are lost here";
        this.#lost.push({ file, offset, reason, position, isLost: true });
      }
    }
    this.#holes = [];
  }

  damages(): readonly LogDamage[] {
    const damages = [...this.#lost];
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
      if (!follows) {
        const { file, offset } = entry;
        const reason = "entry does not follow the one before it";
        damages.push({ file, offset, reason, position: previousPosition, isLost: true });
      }
      previous = { epoch, position };
    }
    for (const entry of this.#conflicts) {
      found(entry, "another entry stands at its position", entry.header.position);
    }
    for (const hole of this.#holes) damages.push(lostAt(hole));
    return damages;
  }

  #truncate(to: LogPoint): void {
    // What came behind the last one is gone all the same.
    if (to.position <= this.#endPosition) this.#holes = [];
    const kept = this.#entries.findLastIndex(({ header }) => header.position <= to.position);
    this.#entries.length = kept + 1;
    if (kept === -1) this.#end = to;
    this.#conflicts = this.#conflicts.filter(({ header }) => header.position <= to.position);
  }

  #reset(base: LogPoint): void {
    this.#entries.length = 0;
    this.#conflicts = [];
    this.#holes = [];
    this.#lost.length = 0;
    this.#base = base;
    this.#end = undefined;
  }
}

/** Damage of which nobody can tell whose last entries it has taken. */
export function lostAt({ file, offset }: Pick<FileHole, "file" | "offset">): LogDamage {
  const reason = "entries are lost here, and whose nobody can tell";
  return { file, offset, reason, position: Number.POSITIVE_INFINITY, isLost: true };
}

/** The error for damage, which names file and offset, and what goes on without the entries that are lost. */
export function damageError(
  { file, offset, reason }: Omit<LogDamage, "position">,
  shard?: number,
): ServiceError {
  if (shard === undefined) {
    return new ServiceError("storage.damaged", `commit log: ${reason}`, { file, offset });
  }
  const what = `${reason}; if no other replica has them, \`logkeep storage accept-loss\` gives them up`;
  return new ServiceError("storage.damaged", `commit log: ${what}`, { file, offset, shard });
}
