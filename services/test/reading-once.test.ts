// Goal: whatever seals, merges, moves and failures do meanwhile, a search that says it is complete has every record that was acknowledged before
// it began, none twice, and none that nobody sent.
// Method: a seed draws what is done to three real nodes of one process while searches run all the time; SEED=<n> replays
// the draws, LOGKEEP_SOAK_SEEDS says how many seeds.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ServiceError } from "../../kit/src/errors.ts";
import { Prng } from "../../kit/src/prng.ts";
import { ClusterGiven, type NodeGiven } from "./cluster-given.ts";

const only = process.env["SEED"];
const seeds = Number(process.env["LOGKEEP_SOAK_SEEDS"] ?? 2);
const steps = Number(process.env["LOGKEEP_DRAWN_STEPS"] ?? 10);
const shardCount = 6;

let all: ClusterGiven;

before(async () => {
  all = await ClusterGiven.open(3, shardCount);
});

after(() => all?.close());

class Run {
  readonly #name: string;
  readonly #random: Prng;
  readonly #acknowledged = new Set<string>();
  readonly #sent = new Set<string>();
  #isOver = false;
  #whole = 0;

  constructor(seed: number) {
    this.#name = `seed${seed}`;
    this.#random = new Prng(seed);
  }

  async run(): Promise<string> {
    // Node 1 stays, so that there is always one to ask.
    const asking = this.#askOn(1);
    // Heard of at the end, whatever else fails before.
    asking.catch(() => undefined);
    try {
      for (let step = 0; step < steps; step++) await this.#step(this.#random.below(11));
      for (const id of [2, 3]) if (this.#away(id)) await all.start(id);
      await all.settled();
      // At least one that nothing disturbs.
      const goal = this.#whole + 1;
      await all.until("a whole answer", () => this.#whole >= goal);
    } finally {
      this.#isOver = true;
      await asking;
    }
    for (const { id } of all.nodes) {
      await all.until(`node ${id} finds all`, () => this.#ask(id));
    }
    return `${this.#acknowledged.size} records, ${this.#whole} whole answers`;
  }

  async #step(kind: number): Promise<void> {
    if (kind < 4) return this.#ship(1 + this.#random.below(200));
    const node = this.#draw(all.nodes);
    if (kind === 4) await node.stored.store.seal();
    if (kind === 5) await all.seal();
    if (kind === 6) await node.stored.store.merge();
    if (kind === 7 || kind === 8) {
      const shard = this.#random.below(shardCount);
      await all.ownerOf(shard)?.stored.store.handOver(shard);
    }
    if (kind < 9) return;
    const gone = [2, 3].find((id) => this.#away(id));
    if (gone !== undefined) await all.start(gone);
    else {
      // Otherwise some shard may have nobody: its set has had no time to become two again.
      await all.settled();
      const leaving = all.node(2 + this.#random.below(2));
      await (kind === 9 ? leaving.close() : leaving.crash());
    }
  }

  async #ship(count: number): Promise<void> {
    const records = Array.from({ length: count }, (_, i) => {
      const id = `${this.#name}-${this.#sent.size}`;
      this.#sent.add(id);
      return { id, service: `s${this.#random.below(40)}`, _msg: `record ${i}` };
    });
    await all.ship(this.#draw(all.nodes).id, records);
    for (const { id } of records) this.#acknowledged.add(id);
  }

  async #askOn(id: number): Promise<void> {
    while (!this.#isOver) {
      if (await this.#ask(id)) this.#whole++;
      await sleep(20);
    }
  }

  /** Whether the answer was whole; throws when it was wrong. */
  async #ask(id: number): Promise<boolean> {
    const before = [...this.#acknowledged];
    const answer = await all.ask(id, `id:${this.#name}* | fields id`).catch((thrown: unknown) => {
      // What is refused is no answer.
      if (thrown instanceof ServiceError) return undefined;
      throw thrown;
    });
    if (answer === undefined) return false;
    const { rows, summary } = answer;
    const found = new Set(rows.map((row) => row["id"] as string));
    assert.equal(found.size, rows.length, "no record is there twice");
    for (const each of found) assert.ok(this.#sent.has(each), `${each} was never sent`);
    if (summary.status !== "complete") return false;
    const lost = before.filter((each) => !found.has(each));
    assert.deepEqual(lost.slice(0, 5), [], `${lost.length} of ${before.length} are not found`);
    return true;
  }

  #away(id: number): boolean {
    return all.nodes.every((node) => node.id !== id);
  }

  #draw(nodes: readonly NodeGiven[]): NodeGiven {
    return nodes[this.#random.below(nodes.length)] as NodeGiven;
  }
}

const drawn = only === undefined ? Array.from({ length: seeds }, (_, i) => i + 1) : [Number(only)];
for (const seed of drawn) {
  test(`searches during the changes of seed ${seed} have each record once`, async (t) => {
    try {
      t.diagnostic(await new Run(seed).run());
    } catch (thrown) {
      throw new Error(`SEED=${seed}`, { cause: thrown });
    }
  });
}
