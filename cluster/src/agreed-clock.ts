import { z } from "zod";
import type { Clock } from "../../kit/src/clock.ts";
import type { Closable } from "../../kit/src/lifecycle.ts";
import { clockSayMs, clocksWithinMs, clockTrustedMs } from "./limits.ts";
import { nodeOfReplica } from "./node.ts";
import type { Peers } from "./peers/peers.ts";
import type { Topology } from "./topology.ts";

export interface AgreedClockOptions {
  readonly peers: Pick<Peers, "self" | "links" | "send" | "onMessage" | "onLink">;
  /** All nodes whose clocks count, this one too, whether they are there or not. */
  readonly nodes: () => ReadonlySet<number>;
  readonly clock: Clock;
}

/** What another node's clock showed: by its wall clock, and by the monotonic one of this node when it was told. */
interface Told {
  readonly wallMs: number;
  readonly atMs: number;
}

const channel = "clock";
const toldSchema = z.object({ wallMs: z.number().positive() });

/**
 * The time on which most nodes agree, for what must not be done too early by one wrong clock. Nodes tell each other their wall
 * clocks over the links they have; what was told goes on by the monotonic clock, so that a jump of the own one changes only that.
 */
export class AgreedClock implements Closable {
  readonly #options: AgreedClockOptions;
  readonly #told = new Map<number, Told>();
  readonly #stops: (() => void)[];

  constructor(options: AgreedClockOptions) {
    this.#options = options;
    const { peers, clock } = options;
    const timer = setInterval(() => this.#tellAll(), clockSayMs);
    timer.unref();
    this.#stops = [
      () => clearInterval(timer),
      peers.onMessage(channel, ({ nodeId }, _, { head }) => {
        const told = toldSchema.safeParse(head);
        if (!told.success) return;
        this.#told.set(nodeId, { wallMs: told.data.wallMs, atMs: clock.monotonicMs() });
      }),
      peers.onLink((node, link) => {
        if (link !== undefined) this.#tell(node);
      }),
    ];
  }

  /** Milliseconds since the epoch, by the slowest of the clocks that agree; undefined while those of most nodes do not. */
  nowMs(): number | undefined {
    const nodes = this.#options.nodes();
    return agreedMs(this.#clocks(nodes), nodes.size);
  }

  async close(): Promise<void> {
    for (const stop of this.#stops) stop();
  }

  #clocks(nodes: ReadonlySet<number>): number[] {
    const { clock, peers } = this.#options;
    const nowMs = clock.monotonicMs();
    const clocks = [clock.now()];
    for (const [node, { wallMs, atMs }] of this.#told) {
      const isNow = nowMs < atMs + clockTrustedMs;
      if (isNow && nodes.has(node) && node !== peers.self.nodeId)
        clocks.push(wallMs + nowMs - atMs);
    }
    return clocks;
  }

  #tellAll(): void {
    for (const { identity } of this.#options.peers.links()) this.#tell(identity.nodeId);
  }

  /** A queue that is full loses it: the next one comes soon. */
  #tell(node: number): void {
    const { clock, peers } = this.#options;
    peers.send(node, channel, { head: { wallMs: clock.now() }, bytes: [] });
  }
}

/**
 * The earliest of the largest group of clocks that lie within ten minutes; undefined when that is not more than half of
 * `nodes`. Clocks are milliseconds since the epoch.
 */
export function agreedMs(clocks: readonly number[], nodes: number): number | undefined {
  const sorted = [...clocks].sort((a, b) => a - b);
  let best: { readonly earliestMs: number; readonly count: number } | undefined;
  for (const [at, earliestMs] of sorted.entries()) {
    const end = sorted.findLastIndex((each) => each <= earliestMs + clocksWithinMs);
    const count = end - at + 1;
    if (best === undefined || count > best.count) best = { earliestMs, count };
  }
  return best !== undefined && 2 * best.count > nodes ? best.earliestMs : undefined;
}

/** Nodes that are there, and those that are to hold copies of shards, there or not. */
export function clockNodes(topology: Topology): ReadonlySet<number> {
  const nodes = new Set(topology.nodes().map(({ nodeId }) => nodeId));
  for (const { replicas } of topology.shards()) {
    for (const replica of replicas) nodes.add(nodeOfReplica(replica));
  }
  return nodes;
}
