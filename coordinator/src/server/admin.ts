import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";

import { adminAnswer, adminNames } from "./admin-commands.ts";
import { type Restore, SnapshotCommands } from "./admin-snapshot.ts";
import { adminConnectionsMax, adminRequestMs, adminRestoreMs } from "./limits.ts";
import type { AdminOptions } from "./options.ts";
import type { CoordinatorServer } from "./server.ts";

const root = "/commands";

/**
 * ZooKeeper's admin server: each command of `/commands` answers JSON. It asks nobody who he is, but for `snapshot` and
 * `restore`, so it is off unless it is set, and answers only to the name that it listens at: a page in a browser has another.
 */
export function adminServer(
  coordinator: () => CoordinatorServer,
  options: AdminOptions,
  restore: Restore,
): Server {
  const snapshots = new SnapshotCommands(coordinator, options, restore);
  const limits = { requestTimeout: adminRestoreMs, headersTimeout: adminRequestMs };
  const server = createServer(limits, (request, response) => {
    answer(coordinator(), snapshots, request, response, options.host).catch((thrown: unknown) => {
      const { logger } = coordinator().settings;
      logger.warn({ path: request.url, err: thrown }, "coordinator admin request failed");
      if (response.headersSent) response.destroy();
      else send(request, response, failure(500, "", "the command failed"));
    });
  });
  // Also of who takes nothing of an answer.
  server.timeout = adminRestoreMs;
  connectionsLimit(server);
  return server;
}

/** The oldest that asks nothing, or not all of it yet, goes for a new one: who holds many keeps nobody out. */
function connectionsLimit(server: Server): void {
  const idle = new Set<Socket>();
  const all = new Set<Socket>();
  const forget = (socket: Socket): void => {
    all.delete(socket);
    idle.delete(socket);
  };
  server.on("connection", (socket: Socket) => {
    if (all.size >= adminConnectionsMax) {
      const [oldest] = idle;
      (oldest ?? socket).destroy();
      if (oldest === undefined) return;
      // Its end is told later.
      forget(oldest);
    }
    all.add(socket);
    idle.add(socket);
    socket.once("close", () => forget(socket));
  });
  server.on("request", ({ socket }: IncomingMessage, response: ServerResponse) => {
    idle.delete(socket);
    response.once("close", () => {
      if (all.has(socket)) idle.add(socket);
    });
  });
}

async function answer(
  coordinator: CoordinatorServer,
  snapshots: SnapshotCommands,
  request: IncomingMessage,
  response: ServerResponse,
  host: string,
): Promise<void> {
  const { path, query } = targetOf(request);
  const name = /^\/commands\/(snapshot|snap|restore|rest)$/.exec(path)?.[1];
  if (name === undefined || !isNamedSo(request.headers.host ?? "", host)) {
    send(request, response, answerOf(coordinator, request, host));
    return;
  }
  const isSnapshot = name.startsWith("snap");
  const command = isSnapshot ? "snapshot" : "restore";
  if (request.method !== (isSnapshot ? "GET" : "POST")) {
    send(request, response, failure(405, command, "the method is not allowed here"));
    return;
  }
  const done = isSnapshot
    ? await snapshots.snapshot(request, response, query.get("streaming") !== "false")
    : await snapshots.restore(request);
  if (done === undefined) return;
  const body = jsonText({ error: null, ...done.fields, command });
  send(request, response, { status: done.status, body });
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly type?: string;
}

function answerOf(coordinator: CoordinatorServer, request: IncomingMessage, host: string): Answer {
  if (!isNamedSo(request.headers.host ?? "", host)) {
    return failure(421, "", "the Host header is not one of this server");
  }
  const { path, query } = targetOf(request);
  if (path === root) return { status: 200, body: listPage(), type: "text/html" };
  if (!path.startsWith(`${root}/`)) return failure(404, "", `there is nothing at ${path}`);
  const command = path.slice(root.length + 1);
  if (request.method !== "GET" && request.method !== "HEAD") {
    return failure(405, command, "the method is not allowed here");
  }
  const fields = adminAnswer(coordinator, command, query);
  if (fields === undefined) return failure(404, command, `Unknown command: ${command}`);
  return { status: 200, body: jsonText(fields) };
}

/** What is asked for, whatever it is; no command has an escape in its name. */
function targetOf({ url = "" }: IncomingMessage): {
  readonly path: string;
  readonly query: URLSearchParams;
} {
  const [before = "", after = ""] = url.split("?", 2);
  return { path: before.replace(/(?<=.)\/$/, ""), query: new URLSearchParams(after) };
}

/** A name that is resolved to this address by someone else is not ours. */
export function isNamedSo(header: string, host: string): boolean {
  const name = header.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
  return name === host || name === "localhost" || /^[\d.]+$/.test(name) || name.includes(":");
}

function failure(status: number, command: string, error: string): Answer {
  return { status, body: jsonText({ command, error }) };
}

function listPage(): string {
  const names = [...adminNames, "snapshot", "restore"].sort();
  const links = names.map((name) => `<a href="${root}/${name}">${name}</a><br/>\n`);
  return links.join("");
}

/** Longs as the numbers that they are, beyond what a double holds. */
function jsonText(fields: object): string {
  const text = JSON.stringify(
    fields,
    (_key, value: unknown) => (typeof value === "bigint" ? rawJson(String(value)) : value),
    2,
  );
  return `${text}\n`;
}

const { rawJSON: rawJson } = JSON as unknown as { rawJSON(text: string): unknown };

function send(
  request: IncomingMessage,
  response: ServerResponse,
  { status, body, type = "application/json" }: Answer,
): void {
  response.writeHead(status, { "content-type": type, "cache-control": "no-store" });
  // A body that nobody reads would hold the connection.
  request.resume();
  response.end(body);
}
