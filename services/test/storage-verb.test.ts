// Goal: `logkeep storage` tells whether stored files are whole, what they hold, and gives their records back, beside a
// running node and without one.
import assert from "node:assert/strict";
import { cpSync, existsSync, globSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import { after, before, test } from "node:test";
import type { CliIo } from "../../cli/src/io.ts";
import { programOf, runCli } from "../../cli/src/program.ts";
import { type AuditEntry, auditEntrySchema } from "../../cluster/src/audit/entry.ts";
import { paths } from "../../cluster/src/paths.ts";
import { Given } from "../../cluster/test/given.ts";
import { silentLogger } from "../../kit/src/logger.ts";
import { readLogFile } from "../../storage/src/inspect/log-reading.ts";
import { journalLosses } from "../src/storage/loss-note.ts";
import { registerStorage } from "../src/storage-verb.ts";
import { openGiven, openStoreGiven, type StoreGiven, ship } from "./store-given.ts";

let given: Awaited<ReturnType<typeof openGiven>>;
let node: StoreGiven;

const startMs = Date.UTC(2026, 0, 1);
const records = Array.from({ length: 200 }, (_, n) => ({
  _time: new Date(startMs + n * 60_000).toISOString(),
  service: `s${n % 3}`,
  _msg: `request ${n} took ${n % 13} ms`,
  n: String(n),
}));

before(async () => {
  given = await openGiven();
  node = await openStoreGiven(given.given, given.folder);
  await ship(node, "default", records.slice(0, 150));
  await ship(node, "acme", [{ service: "s", _msg: "of another tenant", n: "x" }]);
  await node.stored.store.seal();
  await ship(node, "default", [...records.slice(150), "no record" as unknown as object]);
});
after(async () => {
  await node.close();
  await given.close();
});

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const said = { out: "", err: "" };
  const collect = (name: "out" | "err"): Writable =>
    new Writable({
      write(chunk: Buffer, _, done) {
        said[name] += chunk.toString();
        done();
      },
    });
  const io: CliIo = {
    stdin: Readable.from([]),
    stdout: collect("out"),
    stderr: collect("err"),
    env: {},
    isTTY: false,
    signal: new AbortController().signal,
  };
  const program = programOf(io);
  registerStorage(program, io);
  const code = await runCli(program, ["storage", ...args], io);
  return { code, ...said };
}

function numbersOf(ndjson: string): number[] {
  const lines = ndjson.split("\n").filter((line) => line !== "");
  return lines.map((line) => Number((JSON.parse(line) as { n: string }).n)).sort((a, b) => a - b);
}

test("beside a running node: whole, and each record once, sealed or in the log", async () => {
  const checked = await run("verify", given.folder);
  assert.deepEqual([checked.code, checked.out.startsWith("whole: ")], [0, true], checked.err);
  assert.match(checked.err, new RegExp(`^logkeep: process ${process.pid} uses ${given.folder};`));
  const dumped = await run("dump", given.folder);
  assert.equal(dumped.code, 0, dumped.err);
  assert.deepEqual(
    numbersOf(dumped.out),
    records.map((_, n) => n),
  );
});

test("a dump is of one tenant, of a span of time, and of internal streams where they are asked for", async () => {
  const { out } = await run("dump", given.folder, "--tenant", "acme");
  assert.deepEqual(
    out.split("\n").map((line) => line.includes("of another tenant")),
    [true, false],
  );
  const span = ["--from", "2026-01-01T01:00:00Z", "--to", "2026-01-01T01:10:00Z"];
  const some = await run("dump", given.folder, ...span);
  assert.deepEqual(numbersOf(some.out), [60, 61, 62, 63, 64, 65, 66, 67, 68, 69]);
  const all = await run("dump", given.folder, "--internal");
  assert.match(all.out, /"_rejected"/);
  const wrong = await run("dump", given.folder, "--from", "yesterday");
  assert.deepEqual([wrong.code, wrong.out], [2, ""]);
});

test("what lies where is shown for a directory, a segment and a log file, also as JSON", async () => {
  const all = await run("inspect", given.folder);
  assert.match(all.out, /^SHARD +KIND +LEVEL +RECORDS/);
  assert.match(all.out, /segment .*\n/);
  assert.match(all.out, /log \(open\)/);
  const segments = globSync(join(given.folder, "storage/shard-*/1-*"));
  const one = await run("inspect", segments[0] ?? "");
  assert.match(one.out, /TENANT +CLASS/);
  assert.match(one.out, /BLOCKS BY KIND/);
  const described = await run("inspect", segments[0] ?? "", "--json");
  assert.ok((JSON.parse(described.out) as { records: number }).records > 0);
  const [log = ""] = globSync(join(given.folder, "storage/log/log-*"));
  assert.match((await run("inspect", log)).out, /^file .*\nsequence 1, open/);
  const none = await run("inspect", join(given.folder, "nothing"));
  assert.deepEqual([none.code, none.out], [2, ""]);
});

test("a flipped bit ends verify with 1 and the place, and a dump that meets it", async () => {
  const [path = ""] = globSync(join(given.folder, "storage/shard-*/1-*"));
  const bytes = readFileSync(path);
  const flipped = Buffer.from(bytes);
  flipped[30]! ^= 1;
  writeFileSync(path, flipped);
  const checked = await run("verify", given.folder);
  assert.equal(checked.code, 1);
  assert.match(checked.out, new RegExp(`^damaged ${path}: block 0, .*: .*\n`));
  assert.match(
    checked.err,
    /1 file is damaged; looked at \d+ files, .* records; .* lie in damaged/,
  );
  const lines = (await run("verify", given.folder, "--json")).out.trim().split("\n");
  const found = lines.map((line) => JSON.parse(line) as { file: string; findings: object[] });
  assert.deepEqual(
    found.filter(({ findings }) => findings.length > 0).map(({ file }) => file),
    [path],
  );
  const cut = bytes.subarray(0, bytes.length - 9);
  writeFileSync(path, cut);
  const all = await run("inspect", given.folder);
  assert.deepEqual([all.code, all.out.split("unreadable").length], [1, 2]);
  writeFileSync(path, flipped);
  const dumped = await run("dump", path, "--internal");
  assert.equal(dumped.code, 1);
  assert.match(dumped.err, new RegExp(`${path}, block 0: .*storage verify finds all of it`));
  writeFileSync(path, bytes);
  assert.equal((await run("verify", given.folder)).code, 0);
});

test("what a damaged log lost is given up, once no node uses the directory", async (t) => {
  const used = await run("accept-loss", given.folder);
  assert.equal(used.code, 1);
  assert.match(used.err, new RegExp(`${process.pid}`));
  assert.equal((await run("accept-loss", join(given.folder, "storage"))).code, 1);
  const folder = `${given.folder}-copy`;
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  cpSync(given.folder, folder, { recursive: true });
  rmSync(join(folder, "lock"));
  const [path] = globSync(join(folder, "storage/log/log-*")).sort();
  assert.ok(path !== undefined);
  assert.match((await run("accept-loss", folder)).out, /is whole, nothing was given up/);
  assert.equal(existsSync(join(folder, "accepted-loss.json")), false);
  const bytes = readFileSync(path);
  const entries = readLogFile(path).scan.entries;
  const lost = entries.find(
    ({ header }) => header.kind === "records" && header.tenant === "default",
  );
  assert.ok(lost !== undefined);
  bytes[lost.offset + 9]! ^= 4;
  writeFileSync(path, bytes);
  assert.equal((await run("verify", folder)).code, 1);
  const { code, out } = await run("accept-loss", folder, "--json");
  const { places } = JSON.parse(out) as { places: { offset: number }[] };
  assert.deepEqual([code, places.map(({ offset }) => offset)], [0, [lost.offset]]);
  assert.equal((await run("verify", folder)).code, 0);
  const coordinator = await Given.open();
  t.after(() => coordinator.close());
  const cluster = await coordinator.cluster();
  const journal = async (): Promise<AuditEntry[]> => {
    const { children } = await cluster.client.getChildren(paths.audit);
    const found = children.map((name) => cluster.client.getData(`${paths.audit}/${name}`));
    return (await Promise.all(found)).map(({ data }) =>
      auditEntrySchema.parse(JSON.parse(`${data}`)),
    );
  };
  for (let start = 0; start < 2; start++) await journalLosses(folder, 3, cluster, silentLogger);
  const [entry, ...more] = await journal();
  assert.deepEqual([entry?.action, entry?.target, more], ["storage.accept-loss", "3", []]);
  const { user, places: told } = JSON.parse(entry?.after ?? "") as Record<string, unknown>;
  assert.deepEqual([user, told], [userInfo().username, places]);
});
