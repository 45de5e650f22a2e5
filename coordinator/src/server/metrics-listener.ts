import { createServer, type IncomingMessage, type Server } from "node:http";
import { cpuUsage, memoryUsage } from "node:process";

import { isNamedSo } from "./admin.ts";
import { adminConnectionsMax, adminRequestMs } from "./limits.ts";
import { type Metric, metricsOf } from "./metrics.ts";
import type { CoordinatorServer } from "./server.ts";

/** `metricsProvider.*` of a zoo.cfg. */
export interface MetricsOptions {
  readonly host: string;
  readonly port: number;
  /** Whether the process's own figures are shown, too (`exportJvmInfo`). */
  readonly ofProcess: boolean;
}

/**
 * `/metrics` as ZooKeeper's PrometheusMetricsProvider shows it: the figures of `mntr` under the same names, in Prometheus'
 * text format 0.0.4. On loopback it answers only to a name of this machine: a page in a browser has another.
 */
export function metricsServer(coordinator: CoordinatorServer, options: MetricsOptions): Server {
  const limits = { requestTimeout: adminRequestMs, headersTimeout: adminRequestMs };
  const server = createServer(limits, (request, response) => {
    const status = statusOf(request, options.host);
    const body = status === 200 ? metricsText(coordinator, options.ofProcess) : "";
    const type = "text/plain; version=0.0.4; charset=utf-8";
    response.writeHead(status, { "content-type": type, "cache-control": "no-store" });
    // A body that nobody reads would hold the connection.
    request.resume();
    response.end(body);
  });
  server.maxConnections = adminConnectionsMax;
  return server;
}

function statusOf({ url = "", method, headers }: IncomingMessage, host: string): number {
  const isLocal = /^(127\.|::1$|localhost$)/.test(host);
  if (isLocal && !isNamedSo(headers.host ?? "", host)) return 421;
  if (url.split("?", 1)[0] !== "/metrics") return 404;
  return method === "GET" || method === "HEAD" ? 200 : 405;
}

function metricsText(server: CoordinatorServer, ofProcess: boolean): string {
  const all = [...metricsOf(server), ...ownMetrics(server), ...(ofProcess ? processMetrics() : [])];
  return all.map(metricText).join("");
}

function metricText(metric: Metric): string {
  const { name, kind } = metric;
  const head = `# HELP ${name} ${name}\n# TYPE ${name} ${kind}\n`;
  if (metric.kind !== "summary") return `${head}${name} ${numberText(metric.value)}\n`;
  const { count, sum, quantile } = metric.summary;
  const shares = quantile === undefined ? [] : [0.5, 0.9, 0.99];
  const quantiles = shares.map((share) => {
    const value = count === 0 ? Number.NaN : quantile!(share);
    return `${name}{quantile="${share}",} ${numberText(value)}\n`;
  });
  return `${head}${quantiles.join("")}${name}_count ${numberText(count)}\n${name}_sum ${numberText(sum)}\n`;
}

/** As Java prints a double, for values that are no larger than ours. */
function numberText(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

/** ZooKeeper has none of these. */
function ownMetrics({ figures }: CoordinatorServer): readonly Metric[] {
  const { availability } = figures.availability();
  const { txnsPerMember, txnsPerNotification } = figures.propagation().window;
  const gauges: readonly (readonly [string, number | undefined])[] = [
    ["logkeep_coordinator_availability", availability],
    ["logkeep_coordinator_txns_per_member", txnsPerMember],
    ["logkeep_coordinator_txns_per_notification", txnsPerNotification],
  ];
  return gauges.map(([name, value]) => ({ kind: "gauge", name, value: value ?? Number.NaN }));
}

function processMetrics(): readonly Metric[] {
  const { user, system } = cpuUsage();
  const startedSeconds = (performance.timeOrigin / 1000).toFixed(3);
  return [
    { kind: "counter", name: "process_cpu_seconds_total", value: (user + system) / 1e6 },
    { kind: "gauge", name: "process_resident_memory_bytes", value: memoryUsage.rss() },
    { kind: "gauge", name: "process_start_time_seconds", value: Number(startedSeconds) },
  ];
}
