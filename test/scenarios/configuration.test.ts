// Goal: settings of the whole cluster are checked before they are written, versioned, applied within a second and journalled; the journal
// is a chain that shows when somebody meddled with it.
import assert from "node:assert/strict";
import { readFileSync, rmSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { run as runCli } from "../../cli/test/run.ts";
import { ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import { Service } from "../service.ts";

/** What a person types, in this process; gives stdout, or what the failure said. */
async function run(
  { http }: Service,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { code, out, err } = await runCli(args, { env: { LOGKEEP_URL: http, ...env } });
  return code === 0 ? out : `failed: ${err}`;
}

async function until(what: string, claim: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 60_000;
  while (!(await claim())) {
    assert.ok(performance.now() < endMs, what);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

test("settings of the cluster are set, edited, gone back on, and outlive a restart", async (t) => {
  const first = await Service.start();
  t.after(() => first.kill());
  assert.match(
    await run(first, ["config", "set", "query.timeoutMs=100ms"]),
    /query is now at version 1/,
  );
  assert.match(await run(first, ["config", "get", "query"]), /query\.timeoutMs +100 +cluster/);
  const set = await run(first, ["config", "set", "storage.retention.days=30"]);
  assert.match(set, /after a restart of each node: storage\.retention\.days/);
  assert.match(
    await run(first, ["config", "get", "storage.retention.days"]),
    / 7 +default +30 after a restart/,
  );
  assert.match(
    await run(first, ["config", "set", "query.timeoutMs=1ms"]),
    /failed: .*at least 100 ms/,
  );
  assert.match(
    await run(first, ["config", "set", "query.timeout=1s"]),
    /failed: .*did you mean query\.timeoutMs\?/,
  );
  assert.match(
    await run(first, ["config", "set", "node.id=2"]),
    /failed: .*others are each node's own/,
  );
  const outdated = ["config", "set", "query.timeoutMs=9s", "--version", "0"];
  assert.match(await run(first, outdated), /failed: .*another version/);
  const env = { EDITOR: "sed -i s/^query.timeoutMs.*/query.timeoutMs:\\ 70s/" };
  assert.match(await run(first, ["config", "edit", "query"], env), /query is now at version 2/);
  assert.match(await run(first, ["config", "get", "query.timeoutMs"]), / 70000 /);
  await refusesEdits(first);
  assert.match(await run(first, ["config", "rollback", "query", "1"]), /at version 3/);
  assert.match(await run(first, ["config", "rollback", "query", "9"]), /failed: .*no such version/);
  const history = await run(first, ["config", "history", "query"]);
  assert.deepEqual(
    history.split("\n").map((line) => line.split(" ")[0]),
    ["VERSION", "3", "2", "1", ""],
  );
  await first.stop();

  const second = await Service.start({
    dataDir: first.dataDir,
    env: { LOGKEEP_QUERY_TIMEOUT_MS: "5s" },
  });
  t.after(() => second.kill());
  assert.match(await run(second, ["config", "get", "storage.retention.days"]), / 30 +cluster *\n/);
  // A node's own word is the last.
  assert.match(
    await run(second, ["config", "get", "query.timeoutMs"]),
    / 5000 +LOGKEEP_QUERY_TIMEOUT_MS/,
  );
  assert.match(
    await run(second, ["config", "set", "query.timeoutMs=8s"]),
    /told otherwise by its own settings: query\.timeoutMs/,
  );
  await second.stop();
});

/** What cannot be taken of an editor is refused by its reason, changes nothing, and is not thrown away. */
async function refusesEdits(service: Service): Promise<void> {
  const refused = [
    ["query.timeoutMs: soon", /must be a time in milliseconds.*"soon"/s],
    ["just words", /holds no settings/],
    ["- a", /holds no settings/],
    ["][", /is no YAML/],
  ] as const;
  for (const [text, why] of refused) {
    const env = { EDITOR: `f() { echo '${text}' > "$1"; }; f` };
    const said = await run(service, ["config", "edit", "query"], env);
    assert.match(said, why);
    const [, kept = ""] = /what you wrote is kept in (\S+)/.exec(said) ?? [];
    assert.equal(readFileSync(kept, "utf8"), `${text}\n`);
    rmSync(path.dirname(kept), { recursive: true });
  }
  assert.match(await run(service, ["config", "get", "query.timeoutMs"]), / 70000 /);
  const edit = ["config", "edit", "query"];
  assert.equal(await run(service, edit, { EDITOR: "true" }), "nothing was changed\n");
  assert.match(await run(service, edit, { EDITOR: "rm" }), /failed: .*nothing was changed/);
}

test("every change is in the audit journal once, whatever kills the service, and a forged entry is found", async (t) => {
  const first = await Service.start();
  t.after(() => first.kill());
  for (let i = 1; i <= 20; i++) {
    const response = await fetch(`${first.http}/api/v1/config/query`, {
      method: "PUT",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ set: { "query.timeoutMs": `${i}s` } }),
    });
    assert.equal(response.status, 200);
  }
  await first.kill();

  const second = await Service.start({ dataDir: first.dataDir });
  t.after(() => second.kill());
  await run(second, ["keys", "create", "ann", "--scope", "read"]);
  const isWhole = async () =>
    /journal is whole: 21 entries/.test(await run(second, ["audit", "verify"]));
  await until("all entries are folded", isWhole);
  const listed = await run(second, ["audit", "list", "--json"]);
  const { entries } = JSON.parse(listed) as { entries: { number: number; entry: string }[] };
  assert.deepEqual(
    entries.map(({ number }) => number),
    Array.from({ length: 21 }, (_, i) => 21 - i),
  );
  assert.match(await run(second, ["audit", "list"]), /key\.create/);
  // A key's secret is in no entry.
  assert.doesNotMatch(listed, /\$|salt|secret/);
  // Nobody's search shows it.
  assert.equal(await second.count('{stream="_audit"}'), 0);
  // Somebody who can write the coordinator's head cannot make the entries fit it.
  const secret = readFileSync(path.join(second.dataDir, "cluster-secret"), "utf8").trim();
  const client = new ZooKeeperClient({ connect: second.coordinator });
  t.after(() => client.close());
  await client.addAuth("digest", `logkeep:${secret}`);
  const head = { count: 21, hash: "f".repeat(64) };
  await client.setData("/logkeep/journal/audit", Buffer.from(JSON.stringify(head)));
  assert.match(
    await run(second, ["audit", "verify"]),
    /failed: .*not whole: entry 21 ends another chain/,
  );
  await second.stop();
});
