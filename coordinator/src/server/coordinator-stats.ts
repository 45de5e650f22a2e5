import type { AvailabilityFigures } from "./availability-keeper.ts";
import type { PropagationFigures } from "./ensemble-figures.ts";
import type { CoordinatorServer } from "./server.ts";

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
    connectionsRejected: server.rejected + server.sessions.throttle.refused,
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
