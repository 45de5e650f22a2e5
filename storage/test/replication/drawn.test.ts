// Goal: on real disks each acknowledged record is in each later cut exactly once, whatever happens to nodes, links and sessions,
// and to the replication itself, which then opens its shard again.
// Method: a seed draws what is done to three stores over links and a coordinator in memory, while records with keys are sent and
// sent again; SEED=<n> replays the draws, LOGKEEP_SOAK_SEEDS says how many seeds.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../../../kit/src/prng.ts";
import { closeAfter, temp } from "../log/temp.ts";
import { type Node, Nodes, until } from "./nodes.ts";

const only = process.env["SEED"];
const seeds = Number(process.env["LOGKEEP_SOAK_SEEDS"] ?? 4);
const steps = Number(process.env["LOGKEEP_DRAWN_STEPS"] ?? 25);
const ids = [1, 2, 3] as const;

class Run {
  readonly #random: Prng;
  readonly #nodes: Nodes;
  readonly #running = new Map<number, Node>();
  readonly #acknowledged = new Set<string>();
  /** What a cut has shown may not vanish. */
  readonly #shown = new Set<string>();
  #sent = 0;

  constructor(seed: number, nodes: Nodes) {
    this.#random = new Prng(seed);
    this.#nodes = nodes;
  }

  async run(): Promise<void> {
    await this.#nodes.found(ids);
    await Promise.all(ids.map((id) => this.#start(id)));
    for (let step = 0; step < steps; step++) {
      await this.#step(this.#random.below(13));
      await this.#check();
    }
    for (const id of ids) if (!this.#running.has(id)) await this.#start(id);
    for (const { links } of this.#running.values()) links.beforeSend = () => undefined;
    this.#join();
    await until("all are in sync", () => this.#nodes.coordinator.node(0).inSync.length === 3);
    await this.#send(1);
    await until("a cut is opened", () => this.#check());
    // Each replica has it all: whoever is left last shows it.
    for (const id of [...this.#running.keys()].slice(1)) await this.#stop(id);
    await until("the last one shows all", () => this.#check());
  }

  async #step(kind: number): Promise<void> {
    const node = this.#draw();
    if (kind < 5) return this.#send(1 + this.#random.below(8));
    if (kind === 5) await this.#serving()?.store.seal();
    if (kind === 6) await this.#serving()?.store.merge();
    if (kind === 7) await this.#serving()?.store.handOver(0);
    if (kind === 8 && this.#running.size > 2 && node !== undefined) await this.#stop(node.id);
    if (kind === 9) {
      const away = ids.find((id) => !this.#running.has(id));
      if (away !== undefined) await this.#start(away);
    }
    if (kind === 10 && node !== undefined) await this.#disturb(node);
    if (kind === 12 && node !== undefined) await this.#fail(node);
    if (kind === 11 && this.#running.size > 2 && node !== undefined) await this.#isolate(node);
  }

  /** Links of one node are cut for a while, in which records come. */
  async #disturb({ id, member }: Node): Promise<void> {
    for (const other of ids) if (other !== id) this.#nodes.net.cut(member, this.#member(other));
    await this.#send(2);
    this.#join();
  }

  /** Replication of one node fails at a message to come, whichever it is. */
  async #fail({ links }: Node): Promise<void> {
    let left = 1 + this.#random.below(8);
    links.beforeSend = () => {
      if (--left === 0) throw new Error("a failure that passes");
    };
    await this.#send(3);
  }

  /** A node that nobody hears any more, and that does not know, ends later. */
  async #isolate(node: Node): Promise<void> {
    this.#running.delete(node.id);
    this.#nodes.isolate(node);
    const unheard = this.#try(node, `unheard ${++this.#sent}`);
    await this.#send(2);
    await this.#nodes.close(node.id);
    await unheard;
    await this.#start(node.id);
  }

  /** Sends records, each again until it is acknowledged or it has taken too long. */
  async #send(count: number): Promise<void> {
    await Promise.all(
      Array.from({ length: count }, async () => {
        const name = `record ${++this.#sent}`;
        const deadline = Date.now() + 8_000;
        while (Date.now() < deadline) {
          const node = this.#serving();
          if (node !== undefined && (await this.#try(node, name))) return;
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      }),
    );
  }

  async #try(node: Node, name: string): Promise<boolean> {
    const dedupeKey = Buffer.alloc(16);
    dedupeKey.write(name.slice(-16));
    try {
      // A routers' wait has an end: then it sends the same again.
      const late = Promise.withResolvers<"late">();
      const timer = setTimeout(() => late.resolve("late"), 3_000);
      const result = await Promise.race([node.append([name], { dedupeKey }), late.promise]);
      clearTimeout(timer);
      if (result === "late") return false;
    } catch {
      return false;
    }
    this.#acknowledged.add(name);
    return true;
  }

  /** Every cut that is opened has what was acknowledged before, and what was shown before. */
  async #check(): Promise<boolean> {
    const before = [...this.#acknowledged, ...this.#shown];
    let isOpened = false;
    for (const node of this.#running.values()) {
      const found = await node.read();
      if (found === undefined) continue;
      isOpened = true;
      const names = new Set(found);
      assert.equal(names.size, found.length, "no record is there twice");
      for (const name of before) assert.ok(names.has(name), `node ${node.id} lost ${name}`);
      for (const name of names) this.#shown.add(name);
    }
    return isOpened;
  }

  #draw(): Node | undefined {
    const all = [...this.#running.values()];
    return all[this.#random.below(Math.max(1, all.length))];
  }

  #serving(): Node | undefined {
    return [...this.#running.values()].find(({ isServing }) => isServing);
  }

  #member(id: number): string {
    return this.#running.get(id)?.member ?? `${id}/away`;
  }

  #join(): void {
    const members = [...this.#running.values()].map(({ member }) => member);
    for (const [i, a] of members.entries()) {
      for (const b of members.slice(i + 1)) this.#nodes.net.connect(a, b);
    }
  }

  async #start(id: number): Promise<void> {
    this.#running.set(id, await this.#nodes.start(id));
  }

  async #stop(id: number): Promise<void> {
    this.#running.delete(id);
    await this.#nodes.close(id);
  }
}

const drawn = only === undefined ? Array.from({ length: seeds }, (_, i) => i + 1) : [Number(only)];
for (const seed of drawn) {
  test(`three stores of seed ${seed} lose nothing and repeat nothing`, async (t) => {
    const nodes = new Nodes(temp(t));
    closeAfter(t, () => nodes.closeAll());
    try {
      await new Run(seed, nodes).run();
    } catch (thrown) {
      throw new Error(`SEED=${seed}`, { cause: thrown });
    }
  });
}
