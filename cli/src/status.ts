import type { Command } from "commander";
import { type ClusterAnswer, clusterAnswerSchema } from "../../api/src/answers.ts";
import { ServiceClient, type ServiceOptions, withService } from "./client.ts";
import { CliExit, type CliIo, print } from "./io.ts";
import { isLed } from "./leader.ts";
import { printCount, printDurationRough, printSize } from "./numbers.ts";
import { type Style, styleOf, tableOf } from "./style.ts";

/** Adds `status`. */
export function registerStatus(program: Command, io: CliIo): void {
  withService(program.command("status"))
    .description("show nodes, coordinator, shards, ingest rate and disk")
    .option("--json", "as JSON")
    .addHelpText(
      "after",
      `
Exits with 1 when a shard is offline, a node is not live, a disk is full or the coordinator is without a leader.
"silent for": the node that is asked does not hear that one, though its session at the coordinator has not ended.

Examples:
  logkeep status
  logkeep status --url http://logs.example.org:7070 --json`,
    )
    .action((options: ServiceOptions & { json?: boolean }) => status(io, options));
}

async function status(io: CliIo, options: ServiceOptions & { json?: boolean }): Promise<void> {
  const client = new ServiceClient(io, options);
  const answer = await client.json(client.urlOf("/api/v1/cluster"), { signal: io.signal });
  const parsed = clusterAnswerSchema.safeParse(answer);
  if (options.json === true) await print(io.stdout, `${JSON.stringify(answer, undefined, 2)}\n`);
  if (!parsed.success)
    throw new CliExit(1, "the answer is no status; is the service of this version?");
  if (options.json !== true) await print(io.stdout, statusText(parsed.data, styleOf(io, io.isTTY)));
  const isWell =
    isLed(parsed.data.coordinator) &&
    parsed.data.shards.offline.length === 0 &&
    parsed.data.disk.isFull !== true &&
    parsed.data.nodes.every(isNodeWell);
  if (!isWell) throw new CliExit(1);
}

function isNodeWell({ state, silentMs, disk }: ClusterAnswer["nodes"][number]): boolean {
  return state === "live" && silentMs === undefined && disk?.isFull !== true;
}

/** A coordinator that is alone is led by itself: there is nothing to tell. */
function ensembleRow(
  { state: mode, availability }: ClusterAnswer["coordinator"],
  style: Style,
): readonly (readonly string[])[] {
  if (availability === undefined || mode === "standalone") return [];
  const { state, share, low } = availability;
  const percent = (of: number | undefined): string =>
    of === undefined ? "unknown" : `${(of * 100).toFixed(of > 0.999 ? 5 : 2)} %`;
  const bound = low === undefined ? "" : `, at least ${percent(low)}`;
  const now = state === "led" ? state : style.red(state);
  return [["ensemble", `${now}, ${percent(share)} in the long run${bound}`]];
}

function retentionRow({
  retention,
  stored,
}: ClusterAnswer): readonly (readonly [string, string])[] {
  if (retention === undefined) return [];
  const { days, rules, segmentMaxBytes, nextDropAt, nextDropBytes = 0 } = retention;
  const kept = `${days} d${rules === 0 ? "" : `, ${rules} ${rules === 1 ? "rule" : "rules"}`}`;
  const room = `${printSize(stored.segmentBytes)} of ${printSize(segmentMaxBytes)}`;
  const next =
    nextDropAt === undefined ? "" : `, next goes ${printSize(nextDropBytes)} at ${nextDropAt}`;
  return [["retention", `${kept}, ${room}${next}`]];
}

/** While the coordinator answers nobody, the rest is what was known then. */
function knownRow(
  { unansweredMs }: ClusterAnswer["coordinator"],
  style: Style,
): readonly (readonly string[])[] {
  if (unansweredMs === undefined) return [];
  const since = printDurationRough(unansweredMs);
  return [["known", style.red(`nodes and shards as of ${since} ago: the coordinator is silent`)]];
}

function nodeState(
  { state, isDrained, silentMs, disk }: ClusterAnswer["nodes"][number],
  style: Style,
): string {
  if (silentMs !== undefined) return style.red(`silent for ${printDurationRough(silentMs)}`);
  if (disk?.isFull === true) return style.red(`${state}, disk full`);
  if (isDrained === true) return style.yellow(`${state}, drained`);
  return state === "live" ? style.green(state) : style.red(state);
}

function shardsText(
  { owned, total, offline, moving = 0, single = 0 }: ClusterAnswer["shards"],
  style: Style,
): string {
  return [
    `${owned} of ${total} owned`,
    ...(moving === 0 ? [] : [`${moving} moving`]),
    ...(single === 0 ? [] : [style.yellow(`${single} on one disk only`)]),
    // Last: its numbers would be taken for counts of what stood behind them.
    ...(offline.length === 0 ? [] : [style.red(`offline: ${offline.join(", ")}`)]),
  ].join(", ");
}

/** The answer as tables for people. */
export function statusText(answer: ClusterAnswer, style: Style): string {
  const { nodes, coordinator, shards, ingest, stored, disk } = answer;
  const nodeRows = nodes.map((node) => [
    String(node.id),
    nodeState(node, style),
    node.http,
    node.roles.join(","),
    node.version,
    node.state === "gone" || node.silentMs !== undefined ? "" : printDurationRough(node.uptimeMs),
    node.rssBytes === undefined ? "" : printSize(node.rssBytes),
  ]);
  // One that is not this process's own tells of neither.
  const zxid = coordinator.zxid === "" ? "" : `, zxid ${coordinator.zxid}`;
  const sessions =
    coordinator.sessions === undefined ? "" : `, ${printCount(coordinator.sessions)} sessions`;
  const usedBytes = disk.totalBytes - disk.freeBytes;
  const share = disk.totalBytes === 0 ? 0 : Math.round((usedBytes / disk.totalBytes) * 100);
  const sourceRows = (answer.sources ?? []).map((source) => [
    source.name,
    source.topic,
    source.fault !== undefined || source.stopped.length > 0
      ? style.red("failing")
      : source.isReader
        ? style.green("reading")
        : "elsewhere",
    printCount(source.lag),
    printCount(source.records),
    printCount(source.rejected),
    [...(source.fault === undefined ? [] : [source.fault]), ...source.stopped].join("; "),
  ]);
  const facts = [
    ["coordinator", `${coordinator.state} at ${coordinator.address}${zxid}${sessions}`],
    ...ensembleRow(coordinator, style),
    ...knownRow(coordinator, style),
    ["shards", shardsText(shards, style)],
    [
      "ingest",
      `${printCount(Math.round(ingest.recordsPerSecond))} records/s, ${printCount(ingest.records)} taken, ` +
        `${printCount(ingest.rejected)} rejected, ${printSize(ingest.inFlightBytes)} in flight`,
    ],
    [
      "stored",
      `${printCount(stored.records)} records, ${printSize(stored.segmentBytes)} in ` +
        `${printCount(stored.segments)} segments, ${printSize(stored.memoryBytes)} in memory, ` +
        `${printSize(stored.logBytes)} of log`,
    ],
    [
      "disk",
      `${printSize(usedBytes)} of ${printSize(disk.totalBytes)} in use (${share} %)` +
        (disk.isFull === true ? `, ${style.red("full: records are refused")}` : ""),
    ],
    ...retentionRow(answer),
  ];
  const nodeTable = tableOf(["NODE", "STATE", "HTTP", "ROLES", "VERSION", "UP", "RSS"], nodeRows);
  const factLines = facts.map(([name, text]) => `${style.dim((name ?? "").padEnd(12))}${text}\n`);
  const sourceTable =
    sourceRows.length === 0
      ? ""
      : `\n${tableOf(["SOURCE", "TOPIC", "STATE", "LAG", "STORED", "REJECTED", "WHY"], sourceRows)}`;
  return `${nodeTable}\n${factLines.join("")}${sourceTable}`;
}
