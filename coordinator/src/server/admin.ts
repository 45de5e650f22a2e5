import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

import { adminAnswer, adminNames } from "./admin-commands.ts";
import { adminConnectionsMax, adminRequestMs } from "./limits.ts";
import type { CoordinatorServer } from "./server.ts";

const root = "/commands";

/**
 * ZooKeeper's admin server: each command of `/commands` answers JSON. It asks nobody who he is, so it is off
 * unless it is set, and answers only to the name that it listens at: a page in a browser has another.
 */
export function adminServer(coordinator: CoordinatorServer, host: string): Server {
  const limits = { requestTimeout: adminRequestMs, headersTimeout: adminRequestMs };
  const server = createServer(limits, (request, response) => {
    const { status, body, type = "application/json" } = answerOf(coordinator, request, host);
    response.writeHead(status, { "content-type": type, "cache-control": "no-store" });
    end(request, response, body);
  });
  server.maxConnections = adminConnectionsMax;
  return server;
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
  const path = (request.url ?? "").split("?", 1)[0]!.replace(/(?<=.)\/$/, "");
  if (path === root) return { status: 200, body: listPage(), type: "text/html" };
  if (!path.startsWith(`${root}/`)) return failure(404, "", `there is nothing at ${path}`);
  const command = path.slice(root.length + 1);
  if (request.method !== "GET" && request.method !== "HEAD") {
    return failure(405, command, "the method is not allowed here");
  }
  const fields = adminAnswer(coordinator, command);
  if (fields === undefined) return failure(404, command, `Unknown command: ${command}`);
  return { status: 200, body: jsonText(fields) };
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
  const links = adminNames.map((name) => `<a href="${root}/${name}">${name}</a><br/>\n`);
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

function end(request: IncomingMessage, response: ServerResponse, body: string): void {
  // A body that nobody reads would hold the connection.
  request.resume();
  response.end(body);
}
