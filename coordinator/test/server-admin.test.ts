// Goal: the commands of the admin server answer what their four-letter words do, as ZooKeeper's JSON.
import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";
import test, { type TestContext } from "node:test";

import type { Coordinator } from "../src/server/start.ts";
import { WatchedRequest } from "../src/wire/records.ts";
import { RawClient, serve } from "./server-harness.ts";

type Json = Record<string, unknown>;

interface Answered {
  readonly status: number;
  readonly text: string;
}

async function get(
  { adminAddress }: Coordinator,
  path: string,
  options: { readonly method?: string; readonly host?: string } = {},
): Promise<Answered> {
  const { host, port } = adminAddress!;
  const headers = options.host === undefined ? {} : { host: options.host };
  const sent = request({ host, port, path, method: options.method ?? "GET", headers });
  sent.end();
  const [response] = await once(sent, "response");
  let text = "";
  for await (const chunk of response) text += String(chunk);
  return { status: response.statusCode, text };
}

async function command(coordinator: Coordinator, name: string): Promise<Json> {
  const { status, text } = await get(coordinator, `/commands/${name}`);
  assert.equal(status, 200, text);
  return JSON.parse(text) as Json;
}

async function serveAdmin(context: TestContext): Promise<Coordinator> {
  return serve(context, { admin: { host: "127.0.0.1", port: 0 } });
}

test("every command that is listed answers its own name and no error", async (context) => {
  const coordinator = await serveAdmin(context);
  const page = await get(coordinator, "/commands");
  const names = [...page.text.matchAll(/href="\/commands\/(\w+)"/g)].map((match) => match[1]!);
  assert(names.length >= 15, page.text);
  for (const name of names) {
    // These ask who wants it.
    if (name === "snapshot" || name === "restore") continue;
    const query = name === "set_trace_mask" ? "?traceMask=306" : "";
    const fields = await command(coordinator, name + query);
    // Who is alone has no leader to tell of.
    const error = name === "leader" ? "server is not initialized" : null;
    assert.deepEqual([fields["command"], fields["error"]], [name, error]);
  }
  for (const [short, name] of [
    ["srvr", "server_stats"],
    ["mntr", "monitor"],
    ["cons", "connections"],
    ["orst", "observer_connection_stat_reset"],
    ["gtmk", "get_trace_mask"],
  ] as const) {
    assert.equal((await command(coordinator, short))["command"], name);
  }
});

test("the trace mask is a long that is set and told", async (context) => {
  const coordinator = await serveAdmin(context);
  assert.equal((await command(coordinator, "gtmk"))["tracemask"], 306);
  const largest = "9223372036854775807";
  const { text } = await get(coordinator, `/commands/stmk?traceMask=${largest}`);
  assert(text.includes(`"tracemask": ${largest},`), text);
  assert((await get(coordinator, "/commands/gtmk")).text.includes(largest));
  for (const [query, says] of [
    ["", "setTraceMask requires long traceMask argument"],
    ["?traceMask=x", "setTraceMask requires long traceMask argument, got x"],
    [
      "?traceMask=9223372036854775808",
      "setTraceMask requires long traceMask argument, got 9223372036854775808",
    ],
  ] as const) {
    assert.equal((await command(coordinator, `stmk${query}`))["error"], says);
  }
});

test("sessions, watches and counts are those of the clients", async (context) => {
  const coordinator = await serveAdmin(context);
  const { client, session } = await RawClient.open(context, coordinator.address.port);
  await client.create("/e", 1);
  await client.ask("exists", WatchedRequest, { path: "/e", watch: true });
  const id = String(session!.sessionId);
  const { text } = await get(coordinator, "/commands/connections");
  // A double has not enough digits: the text does.
  assert(text.includes(`"session_id": ${id},`), text);
  const watches = await command(coordinator, "watches");
  assert.deepEqual(watches["session_id_to_watched_paths"], { [id]: ["/e"] });
  const dump = await command(coordinator, "dump");
  assert.deepEqual(dump["session_id_to_ephemeral_paths"], { [id]: ["/e"] });
  assert.deepEqual(await command(coordinator, "watch_summary"), {
    num_connections: 1,
    num_paths: 1,
    num_total_watches: 1,
    command: "watch_summary",
    error: null,
  });
  const { server_stats: stats } = await command(coordinator, "stats");
  assert.equal((stats as Json)["packets_sent"], 2);
  await command(coordinator, "stat_reset");
  const after = (await command(coordinator, "stats"))["server_stats"] as Json;
  assert.equal(after["packets_sent"], 0);
  const monitor = await command(coordinator, "monitor");
  assert.deepEqual([monitor["ephemerals_count"], monitor["server_state"]], [1, "standalone"]);
  assert.equal(typeof monitor["avg_latency"], "number");
});

test("what is not there, another method and another name are refused", async (context) => {
  const coordinator = await serveAdmin(context);
  const rows: readonly (readonly [string, { method?: string; host?: string }, number])[] = [
    ["/commands/quux", {}, 404],
    ["/", {}, 404],
    ["/commands/stat_reset", { method: "POST" }, 405],
    ["/commands/ruok", { host: "evil.example:8080" }, 421],
    ["/commands/ruok", { host: "localhost" }, 200],
    ["/commands/", {}, 200],
  ];
  for (const [path, options, status] of rows) {
    assert.equal((await get(coordinator, path, options)).status, status, path);
  }
});

test("nothing listens unless it is set, and a coordinator closes with a client of it connected", async (context) => {
  assert.equal((await serve(context)).adminAddress, undefined);
  const coordinator = await serveAdmin(context);
  const { host, port } = coordinator.adminAddress!;
  const socket = connect({ host, port });
  await once(socket, "connect");
  socket.write("GET /commands/ruok HTTP/1.1\r\nHost: 127.0");
  socket.on("error", () => undefined);
  const closed = new Promise((resolve) => socket.on("close", resolve));
  await coordinator.close();
  await closed;
});
