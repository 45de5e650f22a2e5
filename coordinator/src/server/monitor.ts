import { readdirSync, readFileSync } from "node:fs";

import type { AvailabilityFigures } from "./availability-keeper.ts";
import type { PropagationFigures } from "./ensemble-figures.ts";
import type { CoordinatorServer } from "./server.ts";
import { versionText } from "./version.ts";

/** Numbers of a running coordinator, for metrics and for tests. Milliseconds and bytes. */
export interface CoordinatorStats {
  readonly zxidLast: number;
  readonly znodes: number;
  readonly ephemerals: number;
  readonly sessions: number;
  readonly sessionsExpired: number;
  readonly connections: number;
  readonly connectionsRejected: number;
  readonly watches: number;
  readonly outstanding: number;
  readonly received: number;
  readonly sent: number;
  readonly latencyMsMin: number;
  readonly latencyMsAverage: number;
  readonly latencyMsMax: number;
  readonly dataBytes: number;
  readonly memoryBytes: number;
  readonly syncs: number;
  readonly syncMsAverage: number;
  readonly syncMsMax: number;
  readonly uptimeMs: number;
  /** What this member is in its ensemble, as ZooKeeper names it. */
  readonly mode: CoordinatorServer["mode"];
  readonly availability: AvailabilityFigures;
  readonly propagation: PropagationFigures;
}

export function statsOf(server: CoordinatorServer): CoordinatorStats {
  const { replica, totals, settings } = server;
  const { tree, syncStats } = replica;
  return {
    zxidLast: tree.zxidLast,
    znodes: tree.znodes.size,
    ephemerals: tree.sessions.ephemeralCount,
    sessions: tree.sessions.size,
    sessionsExpired: server.sessions.expired,
    connections: server.connections.size,
    connectionsRejected: server.rejected,
    watches: tree.watches.count,
    outstanding: replica.uncommitted,
    received: totals.received,
    sent: totals.sent,
    latencyMsMin: totals.latencyMin,
    latencyMsAverage: totals.latencyAverage,
    latencyMsMax: totals.latencyMax,
    dataBytes: tree.znodes.approximateBytes,
    memoryBytes: tree.znodes.bytesReserved,
    syncs: syncStats.count,
    syncMsAverage: syncStats.count === 0 ? 0 : syncStats.msSum / syncStats.count,
    syncMsMax: syncStats.msMax,
    uptimeMs: settings.clock.now() - server.startedMs,
    mode: server.mode,
    availability: server.figures.availability(),
    propagation: server.figures.propagation(),
  };
}

/** `mntr`: name, tab, value. */
export function monitorText(server: CoordinatorServer): string {
  return monitorLines(server)
    .map(([name, value]) => `zk_${name}\t${value}\n`)
    .join("");
}

/** Names are ZooKeeper's; there are fewer, since each here is measured. */
export function monitorLines(
  server: CoordinatorServer,
): readonly (readonly [string, string | number])[] {
  const stats = statsOf(server);
  const { syncStats } = server.replica;
  return [
    ["version", versionText],
    ["server_state", server.mode],
    ["ephemerals_count", stats.ephemerals],
    ["num_alive_connections", stats.connections],
    ["avg_latency", decimal(stats.latencyMsAverage)],
    ["outstanding_requests", stats.outstanding],
    ["znode_count", stats.znodes + 1],
    ["global_sessions", stats.sessions],
    ["packets_sent", stats.sent],
    ["packets_received", stats.received],
    ["watch_count", stats.watches],
    ["min_latency", stats.latencyMsMin],
    ["max_latency", stats.latencyMsMax],
    ["approximate_data_size", stats.dataBytes],
    ["open_file_descriptor_count", descriptorCount()],
    ["max_file_descriptor_count", descriptorMax()],
    ["uptime", stats.uptimeMs],
    ["connection_rejected", stats.connectionsRejected],
    ["stale_sessions_expired", stats.sessionsExpired],
    ["digest_mismatches_count", server.replica.tree.digests.mismatches],
    ["outstanding_changes_queued", server.replica.outstandingChanges],
    ["cnt_fsynctime", stats.syncs],
    ["avg_fsynctime", decimal(stats.syncMsAverage)],
    ["max_fsynctime", Math.round(syncStats.msMax)],
    ["sum_fsynctime", Math.round(syncStats.msSum)],
  ];
}

/** Java prints an average with at least one digit after the point. */
export function decimal(value: number): string {
  const rounded = Math.round(value * 10_000) / 10_000;
  return Number.isInteger(rounded) ? `${rounded}.0` : String(rounded);
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
