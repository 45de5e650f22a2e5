import { messageOf } from "../../../kit/src/errors.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import type { MultiOutcome, ShardFacts } from "./core/types.ts";
import type { ShardChange, SharedOwnership } from "./ownership.ts";

/** Asks the coordinator for all shards of a node: those that are to be looked at in one step share a barrier write. */
export class CoordinatorCalls {
  readonly #ownership: SharedOwnership;
  readonly #logger: Logger;
  #looks: { readonly shard: number; readonly done: (facts: ShardFacts | undefined) => void }[] = [];

  constructor(ownership: SharedOwnership, logger: Logger) {
    this.#ownership = ownership;
    this.#logger = logger;
  }

  /** Calls with what is there, or with undefined when the coordinator could not be asked. */
  look(shard: number, done: (facts: ShardFacts | undefined) => void): void {
    this.#looks.push({ shard, done });
    // In a turn of its own: however often is looked, what the disk has done is heard of in between.
    if (this.#looks.length === 1) setImmediate(() => void this.#read());
  }

  async change(shard: number, version: number, change: ShardChange): Promise<MultiOutcome> {
    try {
      return await this.#ownership.change(shard, version, change);
    } catch (thrown) {
      this.#logger.warn({ shard, reason: messageOf(thrown) }, "outcome of a change is unknown");
      return { kind: "unknown" };
    }
  }

  async #read(): Promise<void> {
    const looks = this.#looks;
    this.#looks = [];
    const shards = [...new Set(looks.map(({ shard }) => shard))];
    let facts: ReadonlyMap<number, ShardFacts>;
    try {
      const read = await this.#ownership.read(shards);
      facts = new Map(shards.map((shard, index) => [shard, read[index]!]));
    } catch (thrown) {
      this.#logger.warn({ shards, reason: messageOf(thrown) }, "shards could not be looked at");
      facts = new Map();
    }
    for (const { shard, done } of looks) done(facts.get(shard));
  }
}
