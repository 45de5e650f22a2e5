import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import type { ClusterAnswer } from "../../api/src/answers.ts";
import { backoffMs, retryAfterMs } from "../src/backoff.ts";
import { printCount, printDurationRough, printSize } from "../src/numbers.ts";
import { barText } from "../src/ship/bar.ts";
import { FakeService, json, problem } from "./fake-service.ts";
import { run } from "./run.ts";

const dir = mkdtempSync(join(tmpdir(), "logkeep-verbs-"));
let service: FakeService;
let url: string;

before(async () => {
  service = new FakeService();
  url = await service.start();
});

beforeEach(() => service.reset());

after(async () => {
  await service.stop();
  rmSync(dir, { recursive: true, force: true });
});

const key = {
  id: "0123456789abcdef",
  name: "ci",
  scopes: ["read", "write"],
  tenant: "default",
  createdAt: "2026-01-31T10:00:00Z",
};

const cluster: ClusterAnswer = {
  nodes: [
    {
      id: 1,
      http: "127.0.0.1:7070",
      roles: ["ingest", "query"],
      version: "1.2.3",
      state: "live",
      uptimeMs: 93_784_000,
      rssBytes: 300 * 1024 ** 2,
    },
  ],
  coordinator: { address: "127.0.0.1:2181", state: "standalone", zxid: "0x1f", sessions: 2 },
  shards: { total: 4, owned: 4, offline: [] },
  ingest: { records: 126_587, rejected: 0, bytes: 1, recordsPerSecond: 1234.5, inFlightBytes: 0 },
  stored: {
    records: 126_587,
    segments: 3,
    segmentBytes: 2_000_000,
    logBytes: 4096,
    memoryBytes: 0,
  },
  disk: { totalBytes: 1024 ** 4, freeBytes: 1024 ** 4 / 4, isFull: false },
  retention: {
    days: 7,
    rules: 2,
    segmentMaxBytes: 1024 ** 3,
    nextDropAt: "2026-02-01T10:00:00Z",
    nextDropBytes: 1024 ** 2,
  },
};

test("status shows nodes and facts, and fails when a shard is offline", async () => {
  service.intercept = (_, response) => {
    json(response, 200, JSON.stringify(cluster));
    return true;
  };
  const well = await run(["status", "--url", url]);
  assert.deepEqual([well.code, well.err], [0, ""]);
  assert.equal(
    well.out,
    `NODE  STATE  HTTP            ROLES         VERSION  UP     RSS
1     live   127.0.0.1:7070  ingest,query  1.2.3    1d 2h  300 MiB

coordinator standalone at 127.0.0.1:2181, zxid 0x1f, 2 sessions
shards      4 of 4 owned
ingest      1,235 records/s, 126,587 taken, 0 rejected, 0 B in flight
stored      126,587 records, 1.91 MiB in 3 segments, 0 B in memory, 4.00 KiB of log
disk        768 GiB of 1.00 TiB in use (75 %)
retention   7 d, 2 rules, 1.91 MiB of 1.00 GiB, next goes 1.00 MiB at 2026-02-01T10:00:00Z
`,
  );
  service.intercept = (_, response) => {
    const shards = { total: 4, owned: 3, offline: ["2"], moving: 1 };
    json(response, 200, JSON.stringify({ ...cluster, shards }));
    return true;
  };
  const ill = await run(["status", "--url", url]);
  assert.equal(ill.code, 1);
  assert.match(ill.out, /3 of 4 owned, 1 moving, offline: 2\n/);
  const asJson = await run(["status", "--url", url, "--json"]);
  service.intercept = (_, response) => {
    const disk = { ...cluster.disk, isFull: true };
    json(response, 200, JSON.stringify({ ...cluster, disk }));
    return true;
  };
  const full = await run(["status", "--url", url]);
  assert.equal(full.code, 1);
  assert.match(full.out, /in use \(75 %\), full: records are refused/);
  assert.deepEqual((JSON.parse(asJson.out) as ClusterAnswer).shards.offline, ["2"]);
});

test("status leaves out what a coordinator of other processes does not tell", async () => {
  service.intercept = (_, response) => {
    const coordinator = { address: "10.0.0.7:2181", state: "connected", zxid: "" };
    json(response, 200, JSON.stringify({ ...cluster, coordinator }));
    return true;
  };
  const { code, out } = await run(["status", "--url", url]);
  assert.equal(code, 0);
  assert.match(out, /^coordinator +connected at 10\.0\.0\.7:2181$/m);
});

test("status names the node whose disk is full, whichever node is asked, and fails", async () => {
  service.intercept = (_, response) => {
    const disk = { totalBytes: 1024, freeBytes: 0, isFull: true };
    const nodes = [...cluster.nodes, { ...cluster.nodes[0], id: 2, disk }];
    json(response, 200, JSON.stringify({ ...cluster, nodes }));
    return true;
  };
  const full = await run(["status", "--url", url]);
  assert.equal(full.code, 1);
  assert.match(full.out, /^1 +live +127/m);
  assert.match(full.out, /^2 +live, disk full +127/m);
});

test("status fails while the coordinator has no leader, and says how old the rest is", async () => {
  service.intercept = (_, response) => {
    const coordinator = { ...cluster.coordinator, state: "looking" };
    const availability = { state: "electing", share: 0.9 };
    const [node] = cluster.nodes;
    const nodes = [node, { ...node, id: 2, rssBytes: undefined, silentMs: 14_300 }];
    const unled = { ...coordinator, availability, unansweredMs: 13_200 };
    json(response, 200, JSON.stringify({ ...cluster, nodes, coordinator: unled }));
    return true;
  };
  const ran = await run(["status", "--url", url]);
  assert.equal(ran.code, 1);
  assert.match(ran.out, /^ensemble +electing, 90.00 %/m);
  assert.match(ran.out, /^known +nodes and shards as of 13s ago/m);
  assert.match(ran.out, /^2 +silent for 14s +127/m);
});

test("a change that waits says that the coordinator has no leader, and ends with what the service says", async () => {
  const answered = Promise.withResolvers<void>();
  service.intercept = async (request, response) => {
    if (request.url === "/api/v1/cluster") {
      const coordinator = { ...cluster.coordinator, state: "looking" };
      const unled = { ...coordinator, availability: { state: "electing" } };
      json(response, 200, JSON.stringify({ ...cluster, coordinator: unled }));
    } else {
      await answered.promise;
      problem(response, 503, "coordinator.unavailable", "nothing was changed");
    }
    return true;
  };
  let said = "";
  const ran = await run(["shard", "drain", "2", "--url", url], {
    onErr: (text) => {
      said += text;
      if (said.includes("has no leader")) answered.resolve();
    },
  });
  assert.equal(ran.code, 1);
  assert.match(ran.err, /^waiting: the coordinator has no leader.*\n.*nothing was changed\n$/);
});

test("keys create prints the token alone on stdout", async () => {
  service.intercept = (_, response) => {
    json(response, 201, JSON.stringify({ token: "lk_x", key }));
    return true;
  };
  const ran = await run([
    "keys",
    "create",
    "ci",
    "--scope",
    "read,write",
    "--expires",
    "1d",
    "--url",
    url,
  ]);
  assert.deepEqual([ran.code, ran.out], [0, "lk_x\n"]);
  assert.match(ran.err, /^key 0123456789abcdef \(ci\): read, write in tenant default/);
  const sent = JSON.parse(service.seen[0]?.body ?? "") as Record<string, unknown>;
  assert.deepEqual([sent["name"], sent["scopes"]], ["ci", ["read", "write"]]);
  assert.ok(Math.abs(Date.parse(String(sent["expiresAt"])) - Date.now() - 86_400_000) < 60_000);
});

test("keys list and revoke use the ids of keys", async () => {
  service.intercept = (request, response) => {
    if (request.method === "DELETE") response.writeHead(204).end();
    else json(response, 200, JSON.stringify({ keys: [key] }));
    return true;
  };
  const listed = await run(["keys", "list", "--url", url]);
  assert.match(
    listed.out,
    /^ID +NAME +SCOPES +TENANT +CREATED +EXPIRES\n0123456789abcdef +ci +read,write +default .* never\n$/,
  );
  const revoked = await run(["keys", "revoke", key.id, "--url", url]);
  assert.deepEqual(
    [revoked.code, service.seen.at(-1)?.url.pathname],
    [0, `/api/v1/keys/${key.id}`],
  );
});

test("wrong usage of keys ends with 2 and asks nobody", async () => {
  for (const args of [
    ["create", "ci"],
    ["create", "ci", "--scope", "root"],
    ["create", "ci", "--scope", "read", "--expires", "soon"],
    ["create", "ci", "--scope", "read", "--expires", "2020-01-01T00:00:00Z"],
    ["revoke", "../cluster"],
    ["revoke"],
  ]) {
    assert.equal((await run(["keys", ...args, "--url", url])).code, 2, args.join(" "));
  }
  assert.equal(service.seen.length, 0);
});

test("a key that is refused says what to do", async () => {
  service.intercept = (_, response) => {
    problem(response, 403, "auth.forbidden", "the key does not allow this", {
      needed: "admin",
      held: ["read", "write"],
    });
    return true;
  };
  const ran = await run(["keys", "list", "--url", url]);
  assert.deepEqual(
    [ran.code, ran.err],
    [
      1,
      "logkeep: the key does not allow this (needed: admin; held: read, write); another key may allow it\n",
    ],
  );
});

test("config check tells every problem with its line, and shows what is in force", async () => {
  const good = join(dir, "good.yaml");
  writeFileSync(good, "node:\n  id: 3\n");
  const fine = await run(["config", "check", good]);
  assert.deepEqual([fine.code, fine.out, fine.err], [0, `${good} is fine: 1 setting set\n`, ""]);
  const shown = await run(["config", "check", "--show"], {
    env: {
      LOGKEEP_CONFIG: good,
      LOGKEEP_LOG_LEVEL: "warn",
      LOGKEEP_COORDINATOR_SUPER_DIGEST: "super:abcdefghijklmnopqrstuvwxyz0=",
    },
  });
  const settings = JSON.parse(shown.out) as Record<string, Record<string, unknown>>;
  assert.deepEqual([settings["node"]?.["id"], settings["log"]?.["level"]], [3, "warn"]);
  assert.equal(settings["coordinator"]?.["superDigest"], "(set)");

  const bad = join(dir, "bad.yaml");
  writeFileSync(bad, "node:\n  id: 0\nhttp:\n  lisen: x\n");
  const wrong = await run(["config", "check", bad]);
  assert.equal(wrong.code, 1);
  assert.equal(
    wrong.err,
    `${bad}:2: node.id must be at least 1, not 0\n` +
      `${bad}:4: http.lisen is no setting; did you mean http.listen?\n` +
      `logkeep: ${bad} is not a valid configuration\n`,
  );
  assert.equal((await run(["config", "check", join(dir, "none.yaml")])).code, 1);
  const schema = await run(["config", "check", "--schema"]);
  assert.equal((JSON.parse(schema.out) as { type: string }).type, "object");
});

test("help and version end with 0, an unknown verb with 2 and a suggestion", async () => {
  const version = await run(["--version"]);
  assert.deepEqual([version.code, version.out], [0, "1.2.3\n"]);
  for (const verb of ["ship", "search", "tail", "status", "zk", "keys create", "config check"]) {
    const help = await run([...verb.split(" "), "--help"]);
    assert.equal(help.code, 0, verb);
    assert.match(help.out, /^Usage: logkeep /);
  }
  const unknown = await run(["serach", "x"]);
  assert.equal(unknown.code, 2);
  assert.match(unknown.err, /unknown command 'serach'\n.*[Dd]id you mean search/s);
  assert.equal((await run(["search"])).code, 2);
  assert.equal((await run(["search", "x", "--limit", "many"])).code, 2);
});

test("colour is for terminals that want it", async () => {
  service.intercept = (_, response) => {
    json(response, 200, JSON.stringify(cluster));
    return true;
  };
  const isColoured = async (isTTY: boolean, env: Readonly<Record<string, string>>) =>
    (await run(["status", "--url", url], { isTTY, env })).out.includes("\u001b[");
  assert.equal(await isColoured(true, {}), true);
  assert.equal(await isColoured(false, {}), false);
  assert.equal(await isColoured(true, { NO_COLOR: "1" }), false);
  assert.equal(await isColoured(true, { TERM: "dumb" }), false);
});

test("a service behind a path is asked below it", async () => {
  service.intercept = (_, response) => {
    json(response, 200, JSON.stringify({ keys: [] }));
    return true;
  };
  await run(["keys", "list"], { env: { LOGKEEP_URL: `${url}/logs`, LOGKEEP_KEY: "lk_env" } });
  assert.equal(service.seen[0]?.url.pathname, "/logs/api/v1/keys");
  assert.equal(service.seen[0]?.headers.authorization, "Bearer lk_env");
});

test("numbers are printed for people", () => {
  assert.deepEqual([0, 999, 1000, 126_587, 1e9].map(printCount), [
    "0",
    "999",
    "1,000",
    "126,587",
    "1,000,000,000",
  ]);
  assert.deepEqual([0, 1023, 1024, 15_000, 3e8].map(printSize), [
    "0 B",
    "1023 B",
    "1.00 KiB",
    "14.6 KiB",
    "286 MiB",
  ]);
  assert.deepEqual([12, 999, 60_000, 61_500, 90_061_000].map(printDurationRough), [
    "12ms",
    "999ms",
    "1m",
    "1m 1s",
    "1d 1h",
  ]);
});

test("the bar fits the terminal and knows when nobody knows the size", () => {
  const facts = { totalBytes: 4 * 1024 ** 2, readBytes: 1024 ** 2, records: 5000, elapsedMs: 2000 };
  assert.equal(
    barText(facts, 200),
    "[######------------------]  25 %  1.00 MiB of 4.00 MiB  5,000 records  2,500/s  6s left",
  );
  assert.equal(barText(facts, 20).length, 19);
  assert.equal(
    barText({ ...facts, totalBytes: undefined }, 80),
    "1.00 MiB  5,000 records  2,500/s",
  );
});

test("waits double up to their bound, and a service may ask for longer", () => {
  for (let attempt = 1; attempt < 50; attempt++) {
    const full = Math.min(1000, 10 * 2 ** (attempt - 1));
    const ms = backoffMs(attempt, { firstMs: 10, maxMs: 1000 });
    assert.ok(ms >= full / 2 && ms <= full);
  }
  const now = Date.parse("2026-01-31T10:00:00Z");
  assert.equal(retryAfterMs("3", now), 3000);
  assert.equal(retryAfterMs("Sat, 31 Jan 2026 10:00:05 GMT", now), 5000);
  assert.equal(retryAfterMs("Sat, 31 Jan 2026 09:00:00 GMT", now), 0);
  assert.equal(retryAfterMs("soon", now), undefined);
  assert.equal(retryAfterMs(null, now), undefined);
});

test("node leave ends when somebody gives the node its share again, or when no other stays", async () => {
  const node = (id: number, isDrained: boolean, state = "live") => ({
    ...{ id, http: `127.0.0.1:707${id}`, roles: state === "live" ? ["ingest"] : [] },
    ...{ version: "1.2.3", state, uptimeMs: 5, ...(isDrained ? { isDrained } : {}) },
  });
  const shards = [
    {
      ...{ id: 0, state: "served", epoch: 1, owner: 1, assigned: [1, 2], isSingle: false },
      replicas: [{ node: 1, disk: "d", isInSync: true, isLive: true }],
    },
  ];
  let looks: readonly (readonly object[])[] = [];
  service.intercept = (request, response) => {
    const path = request.url ?? "";
    if (path.endsWith("/drain")) response.writeHead(204).end();
    else if (path.endsWith("/shards")) json(response, 200, JSON.stringify({ shards }));
    else {
      const [nodes, ...later] = looks;
      if (later.length > 0) looks = later;
      json(response, 200, JSON.stringify({ ...cluster, nodes }));
    }
    return true;
  };
  const before = [node(1, false), node(2, false)];
  const away = [node(1, true), node(2, false, "gone")];
  looks = [before, before, [node(1, true), node(2, false)], away, before];
  const stays = await run(["node", "leave", "1", "--url", url]);
  assert.deepEqual([stays.code, /node 1 stays/.test(stays.err), looks.length], [1, true, 1]);
  looks = [before, away, [node(1, true), node(2, true)]];
  const both = await run(["node", "leave", "1", "--url", url]);
  assert.deepEqual(
    [both.code, /no other node is there/.test(both.err), looks.length],
    [1, true, 1],
  );
});

test("node leave waits until nothing is left on the node, and says how far it is", async () => {
  const node = (id: number) => ({
    ...{ id, http: `127.0.0.1:707${id}`, roles: ["coordinator", "ingest"], version: "1.2.3" },
    ...{ state: "live", uptimeMs: 5 },
  });
  let nodes = [node(1), node(2)];
  const shard = (id: number, holders: readonly number[]) => ({
    ...{ id, state: "served", epoch: 1, owner: holders[0], assigned: holders, isSingle: false },
    replicas: holders.map((holder) => ({ node: holder, disk: "d", isInSync: true, isLive: true })),
  });
  const steps = [[shard(0, [1, 2]), shard(1, [2, 1])], [shard(0, [1])], []].map((moved, at) => [
    ...moved,
    ...Array.from({ length: at }, (_, i) => shard(1 - i, [2])),
  ]);
  let asked = 0;
  service.intercept = (request, response) => {
    const path = request.url ?? "";
    if (path.endsWith("/drain")) response.writeHead(204).end();
    else if (path === "/api/v1/cluster/shards") {
      json(response, 200, JSON.stringify({ shards: steps[Math.min(asked++, 2)] }));
    } else json(response, 200, JSON.stringify({ ...cluster, nodes }));
    return true;
  };
  const left = await run(["node", "leave", "1", "--url", url]);
  assert.deepEqual(left.err.split("\n").slice(0, 3), [
    "node 1: 2 copies left, 1 of them owned",
    "node 1: 1 copies left, 1 of them owned",
    "nothing is left on node 1: it may be stopped",
  ]);
  assert.match(left.err, /member of the coordinator/);
  assert.equal(left.code, 0);
  assert.ok(
    service.seen.some(
      ({ method, url: at }) => method === "POST" && at.pathname.endsWith("/nodes/1/drain"),
    ),
  );
  service.seen.length = 0;
  nodes = [node(1)];
  const alone = await run(["node", "leave", "1", "--url", url]);
  assert.deepEqual([alone.code, alone.err.includes("no other node")], [1, true]);
  const unknown = await run(["node", "leave", "3", "--url", url]);
  assert.match(unknown.err, /there is no node 3/);
  assert.ok(service.seen.every(({ method }) => method === "GET"));
  assert.equal((await run(["node", "leave", "x", "--url", url])).code, 2);
});
