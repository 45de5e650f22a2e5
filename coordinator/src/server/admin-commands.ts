import { statSync } from "node:fs";

import { filesNamed } from "../log/files.ts";
import { sumText } from "../tree/tree-digest.ts";
import { digestVersion } from "../tree/znode-digest.ts";
import type { Connection } from "./connection.ts";
import {
  directoryBytes,
  environmentFields,
  operationText,
  statsReset,
} from "./four-letter-words.ts";
import { decimal, monitorLines } from "./monitor.ts";
import {
  initialConfigurationFields,
  leaderFields,
  observersFields,
  quorumConfiguration,
  votingViewFields,
  zabStateFields,
} from "./quorum-commands.ts";
import type { CoordinatorServer } from "./server.ts";
import { versionText } from "./version.ts";

type Fields = Readonly<Record<string, unknown>>;

/** With what stands behind the question mark. */
type Command = (server: CoordinatorServer, query: URLSearchParams) => Fields;

/** Commands by their names in ZooKeeper; the first of several names is the one that an answer carries. */
const commands: readonly (readonly [readonly string[], Command])[] = [
  [["availability"], availability],
  [["configuration", "conf", "config"], configuration],
  [
    ["connection_stat_reset", "crst"],
    (server) => {
      for (const { stats } of server.connections) stats.reset();
      return {};
    },
  ],
  [["connections", "cons"], connections],
  [["dirs"], directories],
  [["dump"], dump],
  [["environment", "env", "envi"], () => Object.fromEntries(environmentFields())],
  [["get_trace_mask", "gtmk"], ({ traceMask }) => ({ tracemask: traceMask })],
  [["hash"], digests],
  [["is_read_only", "isro"], ({ mode }) => ({ read_only: mode === "read-only" })],
  [["initial_configuration", "icfg"], initialConfigurationFields],
  [["last_snapshot", "lsnp"], lastSnapshot],
  [["leader", "lead"], leaderFields],
  [["monitor", "mntr"], monitor],
  // Nothing is counted of an observer's connection.
  [["observer_connection_stat_reset", "orst"], () => ({})],
  [["observers", "obsr"], observersFields],
  [["ruok"], () => ({})],
  [["server_stats", "srvr"], serverStats],
  [["set_trace_mask", "stmk"], traceMaskSet],
  [
    ["stat_reset", "srst"],
    (server) => {
      statsReset(server);
      return {};
    },
  ],
  [["stats", "stat"], (server) => ({ ...serverStats(server), ...connections(server) })],
  [["system_properties", "sysp"], ({ settings }) => properties(settings.properties)],
  [["voting_view"], votingViewFields],
  [["watch_summary", "wchs"], watchSummary],
  [["watches", "wchc"], watches],
  [["watches_by_path", "wchp"], watchesByPath],
  [["zabstate"], zabStateFields],
];

/** Those that answer also while this member has no leader. */
const always: ReadonlySet<string> = new Set([
  "availability",
  "environment",
  "get_trace_mask",
  "set_trace_mask",
  "system_properties",
  "zabstate",
]);

const byName = new Map(
  commands.flatMap(([names, run]) =>
    names.map((name) => [name, { name: names[0]!, run }] as const),
  ),
);

/** What the page of commands lists. */
export const adminNames: readonly string[] = commands.map(([[name]]) => name!);

/** The fields of a command's answer; undefined for one that is not known. */
export function adminAnswer(
  server: CoordinatorServer,
  command: string,
  query: URLSearchParams,
): Fields | undefined {
  const found = byName.get(command);
  if (found === undefined) return undefined;
  const { name, run } = found;
  if (!server.isAnswering && !always.has(name)) {
    const error = "This ZooKeeper instance is not currently serving requests";
    return { command: name, error };
  }
  return { error: null, ...run(server, query), command: name };
}

/** Not ZooKeeper's: what this member has seen of its ensemble. */
function availability({ figures }: CoordinatorServer): Fields {
  const answer = { ...figures.availability(), propagation: figures.propagation() };
  return snakeNamed(answer) as Fields;
}

function snakeNamed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeNamed);
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value).map(([name, each]) => {
    const snake = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    return [snake, snakeNamed(each)] as const;
  });
  return Object.fromEntries(fields);
}

function configuration(server: CoordinatorServer): Fields {
  const { settings, replica } = server;
  const bytes = directoryBytes(replica.directory);
  return {
    client_port: server.address.port,
    secure_client_port: server.secureAddress?.port ?? -1,
    data_dir: replica.directory,
    data_dir_size: bytes,
    data_log_dir: replica.logDirectory,
    data_log_size: directoryBytes(replica.logDirectory),
    tick_time: settings.tickTimeMs,
    max_client_cnxns: settings.connectionsPerAddress,
    min_session_timeout: settings.minSessionTimeoutMs,
    max_session_timeout: settings.maxSessionTimeoutMs,
    server_id: settings.serverId,
    ...(snakeNamed(Object.fromEntries(quorumConfiguration(server))) as Fields),
  };
}

function connections(server: CoordinatorServer): Fields {
  const all = [...server.connections];
  const isSecure = ({ socket }: Connection): boolean => "encrypted" in socket;
  return {
    connections: all.filter((one) => !isSecure(one)).map(connectionFields),
    secure_connections: all.filter(isSecure).map(connectionFields),
  };
}

function connectionFields(connection: Connection): Fields {
  const { address, port, stats } = connection;
  return {
    remote_socket_address: address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`,
    interest_ops: connection.state === "open" ? 1 : 0,
    outstanding_requests: connection.waiting.length,
    packets_received: stats.received,
    packets_sent: stats.sent,
    session_id: connection.sessionId,
    last_operation: operationText(connection),
    established: connection.establishedMs,
    session_timeout: connection.timeoutMs,
    last_cxid: connection.lastCxid,
    last_zxid: connection.lastZxid,
    last_response_time: Math.round(connection.lastResponseMs),
    last_latency: stats.latencyLast,
    min_latency: stats.latencyMin,
    avg_latency: Math.round(stats.latencyAverage),
    max_latency: stats.latencyMax,
  };
}

function digests({ replica }: CoordinatorServer): Fields {
  const entries = replica.tree.digests.entries();
  return {
    digests: entries.map((entry) => ({
      zxid: entry.zxid,
      digest: BigInt(sumText(entry)),
      digestVersion,
    })),
  };
}

function directories(server: CoordinatorServer): Fields {
  const bytes = directoryBytes(server.replica.directory);
  return { datadir_size: bytes, logdir_size: directoryBytes(server.replica.logDirectory) };
}

function dump(server: CoordinatorServer): Fields {
  const { sessions } = server.replica.tree;
  const owners = [...sessions.owners()].map(([id, paths]) => [String(id), [...paths]] as const);
  const timeouts = [...sessions.entries()].map(([id, timeout]) => [String(id), timeout] as const);
  return {
    session_id_to_timeout: Object.fromEntries(timeouts),
    session_id_to_ephemeral_paths: Object.fromEntries(owners),
  };
}

function lastSnapshot(server: CoordinatorServer): Fields {
  const snapshot = filesNamed(server.replica.directory, "snapshot").at(-1);
  if (snapshot === undefined) return { zxid: "-1", timestamp: -1 };
  const { mtimeMs } = statSync(snapshot.path);
  return { zxid: snapshot.zxid.toString(16), timestamp: Math.floor(mtimeMs / 1000) };
}

function monitor(server: CoordinatorServer): Fields {
  const fields = monitorLines(server).map(([name, value]) => {
    const isDecimal = typeof value === "string" && /^\d+\.\d+$/.test(value);
    return [name, isDecimal ? Number(value) : value] as const;
  });
  return Object.fromEntries(fields);
}

function serverStats(server: CoordinatorServer): Fields {
  const { totals, replica, settings } = server;
  const bytes = directoryBytes(replica.directory);
  return {
    version: versionText,
    read_only: server.mode === "read-only",
    server_stats: {
      packets_sent: totals.sent,
      packets_received: totals.received,
      data_dir_size: bytes,
      log_dir_size: bytes,
      last_processed_zxid: replica.tree.zxidLast,
      outstanding_requests: replica.uncommitted,
      server_state: server.mode,
      avg_latency: Number(decimal(totals.latencyAverage)),
      min_latency: totals.latencyMin,
      max_latency: totals.latencyMax,
      num_alive_client_connections: server.connections.size,
      uptime: settings.clock.now() - server.startedMs,
    },
    ...(replica.isEnsemble && replica.isLeading ? { proposal_stats: proposalStats(server) } : {}),
    node_count: replica.tree.znodes.size + 1,
  };
}

function proposalStats({ replica }: CoordinatorServer): Fields {
  const { last, min, max } = replica.proposalSizes;
  return { last_buffer_size: last, min_buffer_size: min, max_buffer_size: max };
}

/** What a JVM would have got by -D; secrets stay in. */
function properties(given: ReadonlyMap<string, string>): Fields {
  const shown = [...given].filter(([name]) => !/password|digest$/i.test(name));
  return Object.fromEntries(shown.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function traceMaskSet(server: CoordinatorServer, query: URLSearchParams): Fields {
  const text = query.get("traceMask");
  const error = "setTraceMask requires long traceMask argument";
  if (text === null) return { error };
  const isLong = /^[+-]?\d{1,19}$/.test(text) && BigInt.asIntN(64, BigInt(text)) === BigInt(text);
  if (!isLong) return { error: `${error}, got ${text}` };
  server.traceMask = BigInt(text);
  return { tracemask: server.traceMask };
}

function watchSummary(server: CoordinatorServer): Fields {
  const { watcherCount, pathCount, count } = server.replica.tree.watches;
  return { num_connections: watcherCount, num_paths: pathCount, num_total_watches: count };
}

function watches(server: CoordinatorServer): Fields {
  const all = [...server.replica.tree.watches.dataByWatcher()];
  const bySession = all.map(([{ sessionId }, paths]) => [String(sessionId), [...paths]] as const);
  return { session_id_to_watched_paths: Object.fromEntries(bySession) };
}

function watchesByPath(server: CoordinatorServer): Fields {
  const all = [...server.replica.tree.watches.dataByPath()];
  const byPath = all.map(
    ([path, watchers]) => [path, [...watchers].map(({ sessionId }) => sessionId)] as const,
  );
  return { path_to_session_ids: Object.fromEntries(byPath) };
}
