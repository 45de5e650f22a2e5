import { join } from "node:path";
import { type Disk, replaceFile } from "../log/disk.ts";

/** A block of a segment that a reader found damaged. */
export interface DamagedBlock {
  readonly shard: number;
  /** Of the segment. */
  readonly uuid: string;
  /** Ordinal of the block in its segment. */
  readonly block: number;
  /** What the reader found. */
  readonly reason: string;
}

/** A segment that a reader found damaged as a whole: none of its blocks can be told. */
export type DamagedSegment = Omit<DamagedBlock, "block"> & { readonly block: undefined };

const fileName = "damaged-blocks.json";

/** Blocks that are set aside, remembered over restarts in a small file. */
export class DamageList {
  readonly #disk: Disk;
  readonly #path: string;
  #blocks: readonly DamagedBlock[];
  #writing: Promise<void> = Promise.resolve();

  private constructor(disk: Disk, path: string, blocks: readonly DamagedBlock[]) {
    this.#disk = disk;
    this.#path = path;
    this.#blocks = blocks;
  }

  static open(disk: Disk, directory: string): DamageList {
    const path = join(directory, fileName);
    if (!disk.readdir(directory).includes(fileName)) return new DamageList(disk, path, []);
    const fd = disk.open(path, "r");
    const bytes = Buffer.alloc(disk.size(fd));
    disk.read(fd, bytes, 0);
    disk.close(fd);
    return new DamageList(disk, path, decode(bytes));
  }

  get blocks(): readonly DamagedBlock[] {
    return this.#blocks;
  }

  blocksOf(uuid: string): number[] {
    return this.#blocks.filter((found) => found.uuid === uuid).map(({ block }) => block);
  }

  /** Remembers a block; resolves when that is on disk. */
  add(found: DamagedBlock): Promise<void> {
    if (this.blocksOf(found.uuid).includes(found.block)) return this.#writing;
    this.#blocks = [...this.#blocks, found];
    return this.#store();
  }

  /** Forgets segments that are gone. */
  forget(uuids: ReadonlySet<string>): Promise<void> {
    const kept = this.#blocks.filter(({ uuid }) => !uuids.has(uuid));
    if (kept.length === this.#blocks.length) return this.#writing;
    this.#blocks = kept;
    return this.#store();
  }

  #store(): Promise<void> {
    const store = async (): Promise<void> => {
      const bytes = Buffer.from(`${JSON.stringify({ version: 1, blocks: this.#blocks })}\n`);
      await replaceFile(this.#disk, this.#path, bytes);
    };
    this.#writing = this.#writing.then(store, store);
    return this.#writing;
  }
}

/** Only a help to readers, who find damage by themselves: an unreadable list is an empty one. */
function decode(bytes: Buffer): readonly DamagedBlock[] {
  try {
    const { version, blocks } = JSON.parse(bytes.toString()) as {
      readonly version: number;
      readonly blocks: readonly DamagedBlock[];
    };
    return version === 1 && Array.isArray(blocks) ? blocks : [];
  } catch {
    return [];
  }
}
