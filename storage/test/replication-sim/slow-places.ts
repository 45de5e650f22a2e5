import type { Prng } from "../../../kit/src/prng.ts";
import type { Effect } from "../../src/replication/core/types.ts";
import type { Process } from "./process.ts";
import type { ShardWorld } from "./shard-world.ts";

/** How much later than usual a slow link brings each message, each way: below a member's patience, and beyond it. */
const slowLinkMs: readonly number[] = [150, 600, 1_500, 3_000];

/**
 * What goes wrong without anybody dying: links of a node that are slow, disks that have no room for a while, and sessions that end just while
 * their process takes the shard over. A seed's own numbers decide, so that what else it draws means what it meant.
 */
export class SlowPlaces {
  readonly #world: ShardWorld;
  readonly #prng: Prng;
  readonly #isOn: () => boolean;

  constructor(world: ShardWorld, prng: Prng, isOn: () => boolean) {
    this.#world = world;
    this.#prng = prng;
    this.#isOn = isOn;
  }

  start(): void {
    const { timeline } = this.#world;
    timeline.after(300 + this.#prng.below(4_000), () => {
      if (!this.#isOn()) return;
      this.#disturb();
      this.start();
    });
  }

  /** Called before each effect. */
  before(process: Process, { kind }: Effect): void {
    const isStep = kind === "persist" || kind === "multi" || kind === "load";
    if (!isStep || process.role.kind !== "taking" || !this.#prng.chance(0.15)) return;
    const { coordinator, timeline } = this.#world;
    this.#world.saw("session ended in a takeover");
    const { session } = process.seat.client;
    timeline.after(this.#prng.below(this.#prng.chance(0.5) ? 2 : 40), () => {
      if (this.#isOn()) coordinator.end(session);
    });
  }

  #disturb(): void {
    const { network, nodes, processes, timeline } = this.#world;
    const all = [...processes.values()];
    const process = all[this.#prng.below(all.length)];
    const ms = this.#prng.below(12_000);
    if (process === undefined) return;
    if (this.#prng.chance(0.6)) {
      const node = this.#prng.chance(0.3) ? process.node : this.#prng.pick(nodes);
      this.#world.saw("slow links");
      network.slow(node, this.#prng.pick(slowLinkMs));
      timeline.after(ms, () => network.slow(node, 0));
      return;
    }
    this.#world.saw("full disk");
    process.lanes.full(this.#prng.below(6_000));
    process.input({ kind: "strain", isStrained: true });
    timeline.after(ms, () => process.input({ kind: "strain", isStrained: false }));
  }
}
