import { readdirSync, statSync } from "node:fs";
import { hostname, release, userInfo } from "node:os";
import { join } from "node:path";
import { memoryUsage, platform, versions } from "node:process";

import { zxidText } from "../core/zxid.ts";
import { membershipText } from "../quorum/members.ts";
import { sumText } from "../tree/tree-digest.ts";
import { opCodes } from "../wire/constants.ts";
import type { Connection } from "./connection.ts";
import { decimal, monitorText } from "./monitor.ts";
import { quorumConfiguration } from "./quorum-commands.ts";
import type { CoordinatorServer } from "./server.ts";
import { versionText } from "./version.ts";

type Command = keyof typeof answers;

/** The command that a connection begins with, if it is one. */
export function commandOf(chunk: Buffer): Command | undefined {
  if (chunk.length < 4) return undefined;
  const word = chunk.toString("latin1", 0, 4);
  return Object.hasOwn(answers, word) ? (word as Command) : undefined;
}

/** The whole answer, as ZooKeeper writes it; also to a word that the settings do not allow. `chunk`: all that came. */
export function commandAnswer(command: Command, server: CoordinatorServer, chunk: Buffer): string {
  const { words } = server.settings;
  if (!words.includes("*") && !words.includes(command)) {
    return `${command} is not executed because it is not in the whitelist.\n`;
  }
  const isAbout = !server.isAnswering && aboutServing.has(command);
  return isAbout ? notServing : answers[command](server, chunk);
}

/** What ZooKeeper says as long as it has no leader. */
const notServing = "This ZooKeeper instance is not currently serving requests\n";
const aboutServing: ReadonlySet<string> = new Set([
  "srvr",
  "stat",
  "mntr",
  "cons",
  "crst",
  "srst",
  "dump",
  "dirs",
  "hash",
  "wchs",
  "wchc",
  "wchp",
]);

const answers = {
  ruok: () => "imok",
  isro: ({ replica, isAnswering }: CoordinatorServer) => {
    if (replica.isServing) return "rw";
    return isAnswering ? "ro" : "null";
  },
  srvr: (server: CoordinatorServer) => `${versionLines(server)}${summary(server)}`,
  stat: (server: CoordinatorServer) => {
    const clients = [...server.connections].map((one) => `${clientText(one, "brief")}\n`);
    const head = `${versionLines(server)}Clients:\n${clients.join("")}\n`;
    return head + summary(server);
  },
  mntr: monitorText,
  conf,
  cons: (server: CoordinatorServer) => {
    const clients = [...server.connections].map((one) => `${clientText(one, "full")}\n`);
    return `${clients.join("")}\n`;
  },
  envi: environment,
  wchs: (server: CoordinatorServer) => {
    const { watches } = server.replica.tree;
    const { watcherCount, pathCount, count } = watches;
    return `${watcherCount} connections watching ${pathCount} paths\nTotal watches:${count}\n`;
  },
  dump,
  crst: (server: CoordinatorServer) => {
    for (const { stats } of server.connections) stats.reset();
    return "Connection stats reset.\n";
  },
  srst: (server: CoordinatorServer) => {
    statsReset(server);
    return "Server stats reset.\n";
  },
  gtmk: ({ traceMask }: CoordinatorServer) => String(traceMask),
  /** The mask is the eight bytes behind the word; ZooKeeper closes without an answer where they are not. */
  stmk: (server: CoordinatorServer, chunk: Buffer) => {
    if (chunk.length < 12) return "";
    server.traceMask = chunk.readBigInt64BE(4);
    return String(server.traceMask);
  },
  dirs: (server: CoordinatorServer) => {
    const bytes = directoryBytes(server.replica.directory);
    const logBytes = directoryBytes(server.replica.logDirectory);
    return `datadir_size: ${bytes}\nlogdir_size: ${logBytes}\n`;
  },
  /** Digests of the tree by zxid: members that agree show the same for the same zxid. */
  hash: (server: CoordinatorServer) =>
    server.replica.tree.digests
      .entries()
      .map((entry) => `${entry.zxid.toString(16)}: ${sumText(entry)}\n`)
      .join(""),
  wchc: (server: CoordinatorServer) => {
    const { watches } = server.replica.tree;
    const sessions = [...watches.dataByWatcher()].map(([{ sessionId }, paths]) =>
      listText(idText(sessionId), paths),
    );
    return `${sessions.join("")}\n`;
  },
  wchp: (server: CoordinatorServer) => {
    const { watches } = server.replica.tree;
    const paths = [...watches.dataByPath()].map(([path, watchers]) =>
      listText(
        path,
        [...watchers].map(({ sessionId }) => idText(sessionId)),
      ),
    );
    return `${paths.join("")}\n`;
  },
} as const;

/** As ZooKeeper's, with what its leader counts of proposals. */
export function statsReset({ totals, replica }: CoordinatorServer): void {
  totals.reset();
  replica.proposalSizes.reset();
}

function versionLines({ mode }: CoordinatorServer): string {
  const readOnly = "READ-ONLY mode; serving only read-only clients\n";
  return `Zookeeper version: ${versionText}\n${mode === "read-only" ? readOnly : ""}`;
}

/** A head, and what belongs to it a line each behind a tab. */
function listText(head: string, lines: Iterable<string>): string {
  return `${head}\n${[...lines].map((line) => `\t${line}\n`).join("")}`;
}

function idText(sessionId: bigint): string {
  return `0x${BigInt.asUintN(64, sessionId).toString(16)}`;
}

/** Bytes of the files in a directory. A file that goes meanwhile counts nothing. */
export function directoryBytes(directory: string): number {
  return readdirSync(directory)
    .map((name) => statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0)
    .reduce((sum, size) => sum + size, 0);
}

function summary(server: CoordinatorServer): string {
  const { totals, replica } = server;
  return [
    `Latency min/avg/max: ${totals.latencyMin}/${decimal(totals.latencyAverage)}/${totals.latencyMax}`,
    `Received: ${totals.received}`,
    `Sent: ${totals.sent}`,
    `Connections: ${server.connections.size}`,
    `Outstanding: ${replica.uncommitted}`,
    `Zxid: ${zxidText(replica.tree.zxidLast)}`,
    `Mode: ${server.mode}`,
    // ZooKeeper counts the root twice.
    `Node count: ${replica.tree.znodes.size + 1}`,
    ...(replica.isEnsemble && replica.isLeading
      ? [`Proposal sizes last/min/max: ${replica.proposalSizes}`]
      : []),
    "",
  ].join("\n");
}

function clientText(connection: Connection, detail: "brief" | "full"): string {
  const { address, port, stats, sessionId } = connection;
  const interest = connection.state === "open" ? 1 : 0;
  const queued = connection.waiting.length;
  const ip = address.includes(":") ? `[${address}]` : address;
  let text = ` /${ip}:${port}[${interest}](queued=${queued},recved=${stats.received},sent=${stats.sent}`;
  if (detail === "full" && sessionId !== 0n) {
    text += `,sid=${idText(sessionId)},lop=${operationText(connection)}`;
    text += `,est=${connection.establishedMs},to=${connection.timeoutMs}`;
    if (connection.lastCxid >= 0) text += `,lcxid=0x${connection.lastCxid.toString(16)}`;
    text += `,lzxid=${zxidText(connection.lastZxid)},lresp=${Math.round(connection.lastResponseMs)}`;
    text += `,llat=${stats.latencyLast},minlat=${stats.latencyMin}`;
    text += `,avglat=${Math.round(stats.latencyAverage)},maxlat=${stats.latencyMax}`;
  }
  return `${text})`;
}

/** Four letters for the last request, as ZooKeeper abbreviates them. */
export function operationText({ lastType }: Connection): string {
  return operations.get(lastType) ?? "NA";
}

const operations: ReadonlyMap<number, string> = new Map([
  [opCodes.create, "CREA"],
  [opCodes.create2, "CRE2"],
  [opCodes.delete, "DELE"],
  [opCodes.exists, "EXIS"],
  [opCodes.getData, "GETD"],
  [opCodes.setData, "SETD"],
  [opCodes.getACL, "GETA"],
  [opCodes.setACL, "SETA"],
  [opCodes.getChildren, "GETC"],
  [opCodes.getChildren2, "GETC"],
  [opCodes.sync, "SYNC"],
  [opCodes.ping, "PING"],
  [opCodes.check, "CHEC"],
  [opCodes.multi, "MULT"],
  [opCodes.setWatches, "SETW"],
  [opCodes.setWatches2, "SETW"],
  [opCodes.addWatch, "ADDW"],
  [opCodes.removeWatches, "REMW"],
  [opCodes.closeSession, "CLOS"],
  [opCodes.createSession, "SESS"],
  [opCodes.auth, "AUTH"],
]);

function conf(server: CoordinatorServer): string {
  const { settings, replica } = server;
  const bytes = directoryBytes(replica.directory);
  return [
    `clientPort=${server.address.port}`,
    `secureClientPort=${server.secureAddress?.port ?? -1}`,
    `dataDir=${server.replica.directory}`,
    `dataDirSize=${bytes}`,
    `dataLogDir=${server.replica.logDirectory}`,
    `dataLogSize=${directoryBytes(server.replica.logDirectory)}`,
    `tickTime=${settings.tickTimeMs}`,
    `maxClientCnxns=${settings.connectionsPerAddress}`,
    `minSessionTimeout=${settings.minSessionTimeoutMs}`,
    `maxSessionTimeout=${settings.maxSessionTimeoutMs}`,
    "clientPortListenBacklog=1024",
    `serverId=${settings.serverId}`,
    ...quorumConfiguration(server).map(([name, value]) => `${name}=${value}`),
    // As ZooKeeper's, the list of members has no end of line.
    replica.membership === undefined ? "" : `membership: \n${membershipText(replica.membership)}`,
  ].join("\n");
}

function environment(): string {
  const lines = environmentFields().map(([name, value]) => `${name}=${value}\n`);
  return `Environment:\n${lines.join("")}`;
}

/** What the server runs on, name and value. */
export function environmentFields(): readonly (readonly [string, string])[] {
  const { rss, heapTotal, heapUsed } = memoryUsage();
  const megabytes = (bytes: number): string => `${Math.round(bytes / 1048576)}MB`;
  return [
    ["zookeeper.version", versionText],
    ["host.name", hostname()],
    ["node.version", versions.node],
    ["os.name", platform === "linux" ? "Linux" : platform],
    ["os.version", release()],
    ["user.name", userInfo().username],
    ["os.memory.free", megabytes(heapTotal - heapUsed)],
    ["os.memory.max", megabytes(rss)],
    ["os.memory.total", megabytes(heapTotal)],
  ];
}

function dump(server: CoordinatorServer): string {
  const { sessions } = server.replica.tree;
  const global = [...sessions.entries()].map(([id, timeout]) => `${idText(id)}\t${timeout}ms\n`);
  const owners = [...sessions.owners()].map(([id, paths]) => listText(`${idText(id)}:`, paths));
  const connections = [...server.connections].map(
    ({ address, port, sessionId }) => `\tip: /${address}:${port} sessionId: ${idText(sessionId)}\n`,
  );
  return [
    "SessionTracker dump:\n",
    `Global Sessions(${global.length}):\n${global.join("")}`,
    "ephemeral nodes dump:\n",
    `Sessions with Ephemerals (${owners.length}):\n${owners.join("")}`,
    "Connections dump:\n",
    `Connections Sets (1)/(${connections.length}):\n${connections.join("")}`,
  ].join("");
}
