import { Counter, Gauge, type Registry } from "prom-client";
import type { RoutingPart } from "./routing-part.ts";

const counters = {
  sentParts: [
    "logkeep_routed_parts_total",
    "Parts of requests sent to the owners of their shards.",
  ],
  sentBytes: ["logkeep_routed_bytes_total", "Bytes of those parts."],
  retries: ["logkeep_route_retries_total", "Parts that were tried again, as their shard moved."],
  givenUp: ["logkeep_route_given_up_total", "Parts whose shard had no owner for too long."],
} as const;

const fragmentCounters = {
  asked: ["logkeep_query_remote_pieces_total", "Pieces of queries asked of other nodes."],
  elsewhere: [
    "logkeep_query_copy_pieces_total",
    "Pieces asked of another copy, as the first was away, damaged or slow.",
  ],
  askedTwice: [
    "logkeep_query_hedged_pieces_total",
    "Pieces asked of a second copy beside the first, which took long.",
  ],
  secondWasFirst: ["logkeep_query_hedges_won_total", "Of these, those where the second was first."],
} as const;

/** Shows the connections to other nodes, and what goes over them for want of an owner here. */
export function registerRoutingMetrics(
  registry: Registry,
  { counts, links, stragglers }: RoutingPart,
): void {
  for (const [key, [name, help]] of Object.entries(counters)) {
    count(registry, name, help, () => counts[key as keyof typeof counters]);
  }
  for (const [key, [name, help]] of Object.entries(fragmentCounters)) {
    count(registry, name, help, () => stragglers.counts[key as keyof typeof fragmentCounters]);
  }
  new Gauge({
    name: "logkeep_route_held",
    help: "Parts that wait for their shard to have an owner.",
    registers: [registry],
    collect() {
      this.set(counts.held);
    },
  });
  new Gauge({
    name: "logkeep_peer_link_queued_bytes",
    help: "Of each node that is connected: what waits to be sent to it.",
    labelNames: ["peer"],
    registers: [registry],
    collect() {
      this.reset();
      for (const { identity, queuedBytes } of links()) {
        this.set({ peer: identity.nodeId }, queuedBytes);
      }
    },
  });
}

function count(registry: Registry, name: string, help: string, value: () => number): void {
  new Counter({
    ...{ name, help, registers: [registry] },
    collect() {
      this.reset();
      this.inc(value());
    },
  });
}
