import assert from "node:assert/strict";
import type { Service } from "../service.ts";
import { Nodes, type NodesOptions } from "./nodes.ts";
import { Queriers } from "./queriers.ts";
import { faultsOf, Shippers, type ShippersOptions } from "./shippers.ts";

export interface StoryOptions extends NodesOptions {
  /** Whom shippers and queriers ask; by default all that run. */
  readonly targets?: (nodes: Nodes) => readonly Service[];
  readonly queriers?: number;
  /** How fast records come. */
  readonly shipping?: Pick<ShippersOptions, "recordsPerBatch" | "pauseMs">;
}

/** Who listens to what a story has to say. */
export interface Telling {
  diagnostic(text: string): void;
}

/** A cluster under constant ingest and queries, to which something happens. */
export class Story {
  readonly nodes: Nodes;
  readonly shippers: Shippers;
  readonly queriers: Queriers;

  private constructor(nodes: Nodes, shippers: Shippers, queriers: Queriers) {
    this.nodes = nodes;
    this.shippers = shippers;
    this.queriers = queriers;
  }

  /** Resolves when the cluster serves and has taken records and answered. */
  static async begin(options: StoryOptions): Promise<Story> {
    const nodes = await Nodes.start(options);
    const targets = () => options.targets?.(nodes) ?? nodes.running();
    const shippers = new Shippers({ targets, ...options.shipping });
    const queriers = new Queriers({ targets, shippers, queriers: options.queriers ?? 1 });
    const story = new Story(nodes, shippers, queriers);
    try {
      await shippers.more(400);
      await queriers.more(1);
    } catch (thrown) {
      const { log } = nodes;
      await story.end();
      throw new Error(`the cluster took nothing, or told nothing\n${log}`, { cause: thrown });
    }
    return story;
  }

  /**
   * Every acknowledged record is there once, seen from each node, and no answer since the beginning was wrong. Shipping stops for
   * the look, since what is under way may or may not be there.
   */
  async check(told: Telling): Promise<void> {
    const { nodes, queriers, shippers } = this;
    await nodes.serving();
    await shippers.stop();
    told.diagnostic(`${shippers.facts}; ${queriers.facts}`);
    for (const node of nodes.running()) {
      assert.deepEqual(
        await faultsOf(node, shippers.acknowledged),
        [],
        `seen from ${node.http}\n${nodes.log}`,
      );
    }
    assert.deepEqual(queriers.faults, []);
    shippers.resume();
  }

  async end(): Promise<void> {
    await this.queriers.stop();
    // What is not acknowledged by now will not be: the nodes may be gone.
    await Promise.all([this.nodes.close(), this.shippers.end()]);
  }
}
