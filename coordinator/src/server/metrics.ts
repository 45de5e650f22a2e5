import { readdirSync, readFileSync } from "node:fs";

import { statsOf } from "./coordinator-stats.ts";
import type { CoordinatorServer } from "./server.ts";
import type { SummaryView } from "./value-summary.ts";

/** One figure under ZooKeeper's name. */
export type Metric =
  | {
      readonly kind: "gauge" | "counter";
      readonly name: string;
      readonly value: number;
    }
  | { readonly kind: "summary"; readonly name: string; readonly summary: SummaryView };

/** What is measured here of what ZooKeeper's servers tell; fewer, since each is measured. */
export function metricsOf(server: CoordinatorServer): readonly Metric[] {
  const stats = statsOf(server);
  const { replica, totals } = server;
  return [
    gauge("avg_latency", stats.latencyMsAverage),
    gauge("max_latency", stats.latencyMsMax),
    gauge("min_latency", stats.latencyMsMin),
    gauge("packets_received", stats.received),
    gauge("packets_sent", stats.sent),
    gauge("num_alive_connections", stats.connections),
    gauge("outstanding_requests", stats.outstanding),
    gauge("uptime", stats.uptimeMs),
    // ZooKeeper counts the root twice.
    gauge("znode_count", stats.znodes + 1),
    gauge("watch_count", stats.watches),
    gauge("ephemerals_count", stats.ephemerals),
    gauge("approximate_data_size", stats.dataBytes),
    gauge("global_sessions", stats.sessions),
    gauge("open_file_descriptor_count", descriptorCount()),
    gauge("max_file_descriptor_count", descriptorMax()),
    gauge("outstanding_changes_queued", replica.outstandingChanges),
    ...ensembleMetrics(server),
    counter("connection_rejected", stats.connectionsRejected),
    ...throttlingMetrics(server),
    counter("stale_sessions_expired", stats.sessionsExpired),
    counter("digest_mismatches_count", replica.tree.digests.mismatches),
    { kind: "summary", name: "fsynctime", summary: syncSummary(server) },
    { kind: "summary", name: "readlatency", summary: totals.reads },
    { kind: "summary", name: "updatelatency", summary: totals.updates },
  ];
}

function throttlingMetrics({ sessions, throttle }: CoordinatorServer): readonly Metric[] {
  const connections = sessions.throttle;
  return [
    counter("connection_request_count", connections.admitted),
    gauge("connection_drop_probability", connections.dropProbability),
    { kind: "summary", name: "connection_token_deficit", summary: connections.deficits },
    counter("request_throttle_wait_count", throttle.waits),
    { kind: "summary", name: "request_throttle_queue_time_ms", summary: throttle.queueTime },
    counter("throttled_ops", throttle.throttled),
    counter("stale_requests", throttle.stale),
    counter("stale_requests_dropped", throttle.staleDropped),
  ];
}

function ensembleMetrics(server: CoordinatorServer): readonly Metric[] {
  const { replica, figures } = server;
  if (!replica.isEnsemble) return [];
  const { ensemble } = replica.quorum;
  return [
    gauge("quorum_size", ensemble.voters.ids.length),
    ...(replica.isLeading ? leaderMetrics(server) : []),
    counter("looking_count", figures.elections),
    { kind: "summary", name: "election_time", summary: figures.electionTime },
    { kind: "summary", name: "unavailable_time", summary: figures.unavailableTime },
    { kind: "summary", name: "leader_unavailable_time", summary: figures.leaderUnavailableTime },
  ];
}

function leaderMetrics({ replica, figures }: CoordinatorServer): readonly Metric[] {
  const { learners, pendingSyncs, ensemble } = replica.quorum;
  const synced = learners.filter(({ isSynced }) => isSynced);
  const followers = synced.filter(({ isObserver }) => !isObserver);
  const { proposalSizes } = replica;
  return [
    gauge("learners", learners.length),
    gauge("synced_followers", followers.length),
    gauge(
      "synced_non_voting_followers",
      followers.filter(({ peer }) => !ensemble.voters.has(peer)).length,
    ),
    gauge("synced_observers", synced.length - followers.length),
    gauge("pending_syncs", pendingSyncs),
    gauge("leader_uptime", Math.round(figures.stateMs)),
    gauge("last_proposal_size", proposalSizes.last),
    gauge("max_proposal_size", proposalSizes.max),
    gauge("min_proposal_size", proposalSizes.min),
  ];
}

function syncSummary({ replica }: CoordinatorServer): SummaryView {
  const { count, msSum, msMax } = replica.syncStats;
  const [sum, max] = [Math.round(msSum), Math.round(msMax)];
  return { count, sum, max, min: undefined, quantile: undefined };
}

function gauge(name: string, value: number): Metric {
  return { kind: "gauge", name, value };
}

function counter(name: string, value: number): Metric {
  return { kind: "counter", name, value };
}

/** -1 where the system does not tell. */
function descriptorMax(): number {
  try {
    const limits = readFileSync("/proc/self/limits", "utf8");
    return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? -1);
  } catch {
    return -1;
  }
}

/** -1 where the system does not tell. */
function descriptorCount(): number {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch {
    return -1;
  }
}
