import { hash } from "node:crypto";

import type { InboxBatch, InboxId, InboxRecord, InboxSink } from "../src/inbox-sink.ts";

const shards = 4;

/**
 * Shards as storage keeps them, in memory: a part is taken only if it goes on where the shard's knowledge of the source
 * ends. A shard follows from the record.
 */
export class ModelSink implements InboxSink {
  readonly records: InboxRecord[] = [];
  readonly refused: string[] = [];
  /** How often it was asked what is stored. */
  askedCount = 0;
  isDown = false;
  failNext: "before" | "after" | undefined;
  /** Runs between storing and answering. */
  onStored: (() => Promise<void>) | undefined;
  readonly #ends = new Map<string, Map<number, bigint>>();

  /** Shards have no common order; the records' czxids have. */
  ordered(): readonly InboxRecord[] {
    return this.records.toSorted(compare);
  }

  texts(): string[] {
    return this.ordered().map(({ body }) => String(body.bytes ?? ""));
  }

  async lastStored(source: string): Promise<ReadonlyMap<number, bigint>> {
    this.askedCount++;
    return new Map(this.#ends.get(source));
  }

  async store({
    source,
    records,
    ends,
    through,
  }: InboxBatch): Promise<ReadonlyMap<number, bigint>> {
    if (this.isDown) throw new Error("the sink is down");
    if (this.#takeFailure("before")) throw new Error("it failed before it stored");
    const held = this.#ends.get(source) ?? new Map<number, bigint>();
    this.#ends.set(source, held);
    const moved = new Map<number, bigint>();
    for (let shard = 0; shard < shards; shard++) {
      const previous = ends.get(shard) ?? 0n;
      const part = records.filter((each) => shardOf(each) === shard && each.czxid > previous);
      if (part.length === 0) continue;
      if ((held.get(shard) ?? 0n) !== previous) throw new Error("the shard holds another end");
      this.records.push(...part);
      held.set(shard, through);
      moved.set(shard, through);
    }
    await this.onStored?.();
    if (this.#takeFailure("after")) throw new Error("it failed after it stored");
    return moved;
  }

  async reject(_inbox: InboxId, names: readonly string[]): Promise<void> {
    this.refused.push(...names);
  }

  #takeFailure(when: "before" | "after"): boolean {
    if (this.failNext !== when) return false;
    this.failNext = undefined;
    return true;
  }
}

function shardOf({ body }: InboxRecord): number {
  return Number.parseInt(hash("md5", body.bytes ?? Buffer.alloc(0)).slice(0, 2), 16) % shards;
}

function compare(a: InboxRecord, b: InboxRecord): number {
  if (a.czxid !== b.czxid) return a.czxid < b.czxid ? -1 : 1;
  return a.name < b.name ? -1 : 1;
}
