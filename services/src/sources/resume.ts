import { z } from "zod";
import { decodeZnode, encodeZnode } from "../../../cluster/src/znode-data.ts";
import type { ZooKeeperClient } from "../../../coordinator/src/client/client.ts";
import { isZooKeeperError } from "../../../coordinator/src/client/errors.ts";
import { steps } from "../../../coordinator/src/client/multi.ts";
import type { RoleTerm } from "../../../coordinator/src/recipes/role-election.ts";
import type { Acl } from "../../../coordinator/src/wire/records.ts";

/** How messages become records: with another one they might go to another shard. */
export const readingSchema = z.strictObject({
  tenant: z.string(),
  format: z.enum(["json", "text"]),
  stream: z.array(z.string()).optional(),
  time: z.array(z.string()),
  msg: z.array(z.string()),
  extra: z.record(z.string(), z.string()),
});
export type Reading = z.output<typeof readingSchema>;

const offset = z.int().nonnegative();

const resumeSchema = z.strictObject({
  /** `kafka/<cluster id>/<topic>`. */
  source: z.string(),
  readings: z.array(readingSchema),
  /** By partition: the offset of the next message, and which of the readings holds from there. */
  partitions: z.record(z.string(), z.strictObject({ next: offset, reading: offset })),
});

export interface ResumeOptions {
  readonly client: ZooKeeperClient;
  /** Below the role's znode, whose holder writes it. */
  readonly path: string;
  readonly acl: readonly Acl[];
  readonly term: RoleTerm;
  readonly source: string;
}

export interface ResumeEntry {
  readonly next: number;
  readonly reading: Reading;
}

/** Where each partition is read on, and how: kept in a znode that only the holder of the role moves. */
export class Resume {
  /** Whether nothing of this topic was read before. */
  readonly isFirst: boolean;
  readonly #options: ResumeOptions;
  readonly #entries: Map<number, ResumeEntry>;
  #isThere: boolean;
  #isDirty = false;
  #saving: Promise<void> = Promise.resolve();

  private constructor(
    options: ResumeOptions,
    entries: Map<number, ResumeEntry> | undefined,
    isThere: boolean,
  ) {
    this.#options = options;
    this.isFirst = entries === undefined;
    this.#entries = entries ?? new Map();
    this.#isThere = isThere;
  }

  /** Rejects with what the coordinator says, and with `cluster.malformed`. */
  static async open(options: ResumeOptions): Promise<Resume> {
    const { client, path, source } = options;
    const found = await client.getData(path).catch((thrown: unknown) => {
      if (isZooKeeperError(thrown, "NONODE")) return undefined;
      throw thrown;
    });
    if (found === undefined) return new Resume(options, undefined, false);
    const state = decodeZnode(resumeSchema, path, found.data);
    // Another topic or cluster is another source: what was read of the one before says nothing about it.
    if (state.source !== source) return new Resume(options, undefined, true);
    const entries = new Map<number, ResumeEntry>();
    for (const [partition, { next, reading: index }] of Object.entries(state.partitions)) {
      const reading = state.readings[index];
      if (reading !== undefined) entries.set(Number(partition), { next, reading });
    }
    return new Resume(options, entries, true);
  }

  entryOf(partition: number): ResumeEntry | undefined {
    return this.#entries.get(partition);
  }

  /** By partition, the offset of the next message. */
  offsets(): ReadonlyMap<number, number> {
    return new Map([...this.#entries].map(([partition, { next }]) => [partition, next]));
  }

  set(partition: number, entry: ResumeEntry): void {
    this.#entries.set(partition, entry);
    this.#isDirty = true;
  }

  /** Everything below `next` is stored. */
  moved(partition: number, next: number): void {
    const entry = this.#entries.get(partition);
    if (entry !== undefined && entry.next !== next) this.set(partition, { ...entry, next });
  }

  /** Writes what has changed; says whether there was anything. Rejects, and ends the term when it was over. */
  async save(): Promise<boolean> {
    const before = this.#saving;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#saving = promise;
    await before;
    try {
      if (!this.#isDirty) return false;
      this.#isDirty = false;
      await this.#write();
      return true;
    } catch (thrown) {
      this.#isDirty = true;
      throw thrown;
    } finally {
      resolve();
    }
  }

  async #write(): Promise<void> {
    const { client, path, acl, term } = this.#options;
    const data = encodeZnode(this.#state());
    const step = this.#isThere ? steps.setData(path, data) : steps.create(path, data, { acl });
    try {
      await client.multi(term.guard([step]));
      this.#isThere = true;
    } catch (thrown) {
      // Made by the attempt before, whose outcome was unknown.
      if (isZooKeeperError(thrown, "NODEEXISTS")) this.#isThere = true;
      if (isZooKeeperError(thrown, "NONODE")) this.#isThere = false;
      if (isZooKeeperError(thrown, "BADVERSION")) term.resign();
      throw thrown;
    }
  }

  #state(): z.output<typeof resumeSchema> {
    const texts: string[] = [];
    const readings: Reading[] = [];
    const partitions: Record<string, { next: number; reading: number }> = {};
    for (const [partition, { next, reading }] of this.#entries) {
      const text = keyOf(reading);
      let index = texts.indexOf(text);
      if (index < 0) index = texts.push(text) - 1;
      readings[index] = reading;
      partitions[partition] = { next, reading: index };
    }
    return { source: this.#options.source, readings, partitions };
  }
}

/** Equal for readings that are. */
export function keyOf({ tenant, format, stream, time, msg, extra }: Reading): string {
  return JSON.stringify([tenant, format, stream ?? null, time, msg, Object.entries(extra).sort()]);
}
