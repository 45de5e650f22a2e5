import { type Metric, metricsOf } from "./metrics.ts";
import type { CoordinatorServer } from "./server.ts";
import { versionText } from "./version.ts";

/** `mntr`: name, tab, value. */
export function monitorText(server: CoordinatorServer): string {
  return monitorLines(server)
    .map(([name, value]) => `zk_${name}\t${value}\n`)
    .join("");
}

/** Names and forms are ZooKeeper's. */
export function monitorLines(
  server: CoordinatorServer,
): readonly (readonly [string, string | number])[] {
  const { mode, replica } = server;
  const { kind } = replica.role;
  return [
    ["version", versionText],
    ["server_state", mode],
    ...(replica.isEnsemble
      ? [["peer_state", `${kind} - ${replica.quorum.zabState}`] as const]
      : []),
    ...metricsOf(server).flatMap(metricLines),
  ];
}

function metricLines(metric: Metric): readonly (readonly [string, string | number])[] {
  const { name } = metric;
  if (metric.kind !== "summary") {
    return [[name, name.startsWith("avg_") ? decimal(metric.value) : metric.value]];
  }
  const { count, sum, min, max, quantile } = metric.summary;
  const lines: [string, string | number][] = [
    [`avg_${name}`, decimal(count === 0 ? 0 : sum / count)],
    [`max_${name}`, max],
    [`cnt_${name}`, count],
    [`sum_${name}`, sum],
  ];
  if (min !== undefined) lines.splice(1, 0, [`min_${name}`, min]);
  if (quantile === undefined) return lines;
  return [
    ...lines,
    [`p50_${name}`, quantile(0.5)],
    [`p95_${name}`, quantile(0.95)],
    [`p99_${name}`, quantile(0.99)],
    [`p999_${name}`, quantile(0.999)],
  ];
}

/** Java prints an average with at least one digit after the point. */
export function decimal(value: number): string {
  const rounded = Math.round(value * 10_000) / 10_000;
  return Number.isInteger(rounded) ? `${rounded}.0` : String(rounded);
}
