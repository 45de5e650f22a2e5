import { join } from "node:path";
import { crc32 } from "node:zlib";
import { assert } from "../../../kit/src/assert.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import { type Disk, replaceFile } from "./disk.ts";
import type { LogPoint } from "./entry.ts";
import { lineageMax } from "./limits.ts";

/** Where an epoch's entries begin in a shard's log. */
export interface LineageStep {
  readonly epoch: number;
  readonly firstPosition: number;
}

/** What a replica keeps of a shard beside its entries, and longer than them. */
export interface ShardEpochs {
  /** The highest epoch promised: entries of lower ones are refused. */
  readonly promised: number;
  /** Ascending. */
  readonly lineage: readonly LineageStep[];
  /** At least up to here the log was committed once; damage below is never a torn tail. */
  readonly committed: number;
  /**
   * Up to here the log let go of entries, since segments hold them: where it ends when it has none. Left out before the first,
   * and of files that knew no followers.
   */
  readonly sealed?: LogPoint | undefined;
  /**
   * Where the log was damaged so that nobody can tell whether its last entries of the shard are lost: that outlives the file. Left out where
   * it was not.
   */
  readonly lost?: LostPlace | undefined;
}

/** Of a log, at which bytes of which file. */
export interface LostPlace {
  readonly file: string;
  readonly offset: number;
}

const fileName = "epochs";
const none: ShardEpochs = { promised: 0, lineage: [], committed: 0 };

/**
 * Promised epochs, lineage and committed positions of all shards of a disk, in one small file that is
 * replaced whole. A change has happened when its promise resolves; changes asked meanwhile share the next write.
 */
export class EpochFile {
  readonly #disk: Disk;
  readonly #path: string;
  readonly #shards: Map<number, ShardEpochs>;
  #writing: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  private constructor(disk: Disk, path: string, shards: Map<number, ShardEpochs>) {
    this.#disk = disk;
    this.#path = path;
    this.#shards = shards;
  }

  /** Throws `storage.damaged`: without its promises a replica may not take part. */
  static open(disk: Disk, directory: string): EpochFile {
    const path = join(directory, fileName);
    if (!disk.readdir(directory).includes(fileName)) return new EpochFile(disk, path, new Map());
    const fd = disk.open(path, "r");
    try {
      const bytes = Buffer.alloc(disk.size(fd));
      disk.read(fd, bytes, 0);
      return new EpochFile(disk, path, decode(bytes, path));
    } finally {
      disk.close(fd);
    }
  }

  of(shard: number): ShardEpochs {
    return this.#shards.get(shard) ?? none;
  }

  /** Promises to take no entry below these epochs; each must be above what was promised before. */
  promise(epochs: ReadonlyMap<number, number>): Promise<void> {
    for (const [shard, epoch] of epochs) {
      const known = this.of(shard);
      assert(epoch > known.promised, "a promise is above the one before");
      this.#shards.set(shard, { ...known, promised: epoch });
    }
    return this.#store();
  }

  /** Notes where epochs begin, ahead of their first entries. */
  begin(steps: ReadonlyMap<number, LineageStep>): Promise<void> {
    for (const [shard, step] of steps) {
      const known = this.of(shard);
      assert(step.epoch <= known.promised, "an epoch begins after it was promised");
      // An epoch whose first entry never got written begins nothing.
      const kept = known.lineage.filter(({ firstPosition }) => firstPosition < step.firstPosition);
      this.#shards.set(shard, { ...known, lineage: [...kept, step].slice(-lineageMax) });
    }
    return this.#store();
  }

  /** Notes committed positions; those that would go back are left as they are. */
  commit(positions: ReadonlyMap<number, number>): Promise<void> {
    for (const [shard, committed] of positions) {
      const known = this.of(shard);
      if (committed > known.committed) this.#shards.set(shard, { ...known, committed });
    }
    return this.#store();
  }

  /** Replaces promise, lineage and committed position of a shard. */
  replace(shard: number, record: Omit<ShardEpochs, "sealed" | "lost">): Promise<void> {
    const { lost, sealed, promised } = this.of(shard);
    assert(record.promised >= promised, "a promise is not taken back");
    const lineage = record.lineage.slice(-lineageMax);
    this.#shards.set(shard, { ...record, lineage, sealed, lost });
    return this.#store();
  }

  /** Notes up to where a shard is held in segments; on disk with the next change. */
  noteSealed(shard: number, sealed: LogPoint): void {
    const known = this.of(shard);
    if (sealed.position > (known.sealed?.position ?? 0))
      this.#shards.set(shard, { ...known, sealed });
  }

  /** The log begins anew behind a position: what was sealed beyond it need not be here, and what is lost is of no interest. On disk with the next change. */
  noteReset(shard: number, position: number): void {
    const known = this.of(shard);
    const isSealed = known.sealed !== undefined && known.sealed.position <= position;
    const sealed = isSealed ? known.sealed : undefined;
    this.#shards.set(shard, { ...known, sealed, lost: undefined });
  }

  /** Notes where shards may have lost their last entries. */
  lose(places: ReadonlyMap<number, LostPlace>): Promise<void> {
    for (const [shard, lost] of places) this.#shards.set(shard, { ...this.of(shard), lost });
    return this.#store();
  }

  /**
   * A person gives up what is lost: of a shard whose log ends before what was committed once, that was as long as the log is. Returns the entries
   * between, as far as is known here, and where shards may have lost their last ones.
   */
  async acceptLost(endOf: (shard: number) => number): Promise<{
    readonly entries: readonly { shard: number; from: number; through: number }[];
    readonly places: readonly LostPlace[];
  }> {
    const entries: { shard: number; from: number; through: number }[] = [];
    const places: LostPlace[] = [];
    for (const [shard, known] of this.#shards) {
      const { committed, lost, sealed } = known;
      const end = Math.max(endOf(shard), sealed?.position ?? 0);
      if (lost !== undefined) places.push(lost);
      if (end < committed) entries.push({ shard, from: end + 1, through: committed });
      const kept = Math.min(committed, end);
      this.#shards.set(shard, { ...known, committed: kept, lost: undefined });
    }
    if (entries.length + places.length > 0) await this.#store();
    return { entries, places };
  }

  /** Writes what was noted. */
  flush(): Promise<void> {
    return this.#store();
  }

  /** Waits for a write that has not begun yet, and so holds what was just set. */
  #store(): Promise<void> {
    this.#next ??= this.#storeAfter(this.#writing);
    return this.#next;
  }

  async #storeAfter(earlier: Promise<void> | undefined): Promise<void> {
    // A failure of the write before is told to those who waited for it.
    await (earlier ?? Promise.resolve()).catch(() => undefined);
    this.#writing = this.#next;
    this.#next = undefined;
    await replaceFile(this.#disk, this.#path, encode(this.#shards));
  }
}

function encode(shards: ReadonlyMap<number, ShardEpochs>): Buffer {
  const text = JSON.stringify({ version: 1, shards: [...shards] });
  return Buffer.from(`${crc32(text).toString(16).padStart(8, "0")} ${text}\n`);
}

function decode(bytes: Buffer, path: string): Map<number, ShardEpochs> {
  const line = bytes.toString();
  const text = line.slice(9, -1);
  if (line.slice(0, 9) !== `${crc32(text).toString(16).padStart(8, "0")} `) {
    throw new ServiceError("storage.damaged", "file of epochs is damaged", { file: path });
  }
  const { version, shards } = JSON.parse(text) as {
    readonly version: number;
    readonly shards: readonly [number, ShardEpochs][];
  };
  if (version !== 1) {
    throw new ServiceError("storage.damaged", "file of epochs is of an unknown version", {
      file: path,
      version,
    });
  }
  return new Map(shards);
}
