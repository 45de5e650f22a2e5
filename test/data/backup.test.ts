// Goal: a backup of a running node holds all that was acknowledged when it began, whatever goes on meanwhile; one that was broken
// off is no backup and goes on; what is damaged is refused; a restored node answers as the one before did.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Service, temporaryFolder } from "../service.ts";

const bin = path.join(import.meta.dirname, "../../services/bin/logkeep");

function begin(...args: string[]): ChildProcess {
  return spawn(bin, args, { stdio: ["ignore", "pipe", "pipe"] });
}

async function run(...args: string[]): Promise<{ code: number | null; out: string }> {
  const child = begin(...args);
  let out = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      out += text;
    });
  }
  const [code] = (await once(child, "close")) as [number | null];
  return { code, out };
}

/** Records that take some space. */
function recordsOf(kind: string, from: number, count: number): object[] {
  return Array.from({ length: count }, (_, i) => {
    const n = from + i;
    const noise = Array.from({ length: 12 }, (_, j) =>
      ((n * 7919 + j * 104_729) ** 2).toString(36),
    );
    return { service: `s${n % 3}`, host: "h", kind, n: String(n), _msg: noise.join(" ") };
  });
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort();
}

test("a backup under ingest restores to the same answers, and the next copies only what is new", async (t) => {
  const source = await Service.start();
  t.after(() => source.kill());
  const headers = { "Idempotency-Key": "only once" };
  await source.ship(recordsOf("first", 0, 6000), { headers });
  const made = await fetch(`${source.http}/api/v1/keys`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ name: "kept", scopes: ["read"], tenant: "blue" }),
  });
  const { token } = (await made.json()) as { token: string };
  let isOver = false;
  let shipped = 0;
  const ingest = (async () => {
    for (; !isOver; shipped += 200) await source.ship(recordsOf("meanwhile", shipped, 200));
  })();
  const to = path.join(temporaryFolder(), "backup");
  const first = await run("backup", "--url", source.http, "--to", to);
  isOver = true;
  await ingest;
  assert.equal(first.code, 0, first.out);
  assert.match(first.out, /backup of \d+ records: (\d+) of \1 files copied/);
  assert.equal((await run("restore", "--from", to, "--verify")).code, 0);

  await source.ship(recordsOf("second", 0, 500));
  // Hidden, and in files for a while yet: so it is in the backup.
  const deleted = await fetch(`${source.http}/api/v1/deletes`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ query: "kind:=first n:<100" }),
  });
  assert.equal(deleted.status, 202);
  let [copied, all] = [1, 1];
  // Merges may have made every file anew; when they are through, only what came since is copied.
  for (const end = performance.now() + 120_000; copied === all && performance.now() < end; ) {
    const before = new Map(filesIn(to).map((file) => [file, statSync(file).mtimeMs]));
    const next = await run("backup", "--url", source.http, "--to", to);
    assert.equal(next.code, 0, next.out);
    [copied, all] = (/: (\d+) of (\d+) files copied/.exec(next.out) ?? []).slice(1).map(Number) as [
      number,
      number,
    ];
    const kept = filesIn(path.join(to, "files")).filter(
      (file) => before.get(file) === statSync(file).mtimeMs,
    );
    assert.equal(kept.length, all - copied, "files that were there are not written again");
  }
  assert.ok(copied < all);

  const dataDir = path.join(temporaryFolder(), "data");
  // As if an earlier restore had been broken off.
  mkdirSync(path.join(dataDir, ".restoring", "storage"), { recursive: true });
  mkdirSync(path.join(dataDir, "lost+found"));
  mkdirSync(path.join(dataDir, "storage"));
  const restored = await run("restore", "--from", to, "--data", dataDir);
  assert.equal(restored.code, 0, restored.out);
  const copy = await Service.start({ dataDir });
  t.after(() => copy.kill());
  for (const kind of ["first", "meanwhile", "second"]) {
    const query = `kind:=${kind}`;
    assert.equal(await copy.count(query), await source.count(query), kind);
  }
  assert.equal(await copy.count("kind:=meanwhile"), shipped);
  // The key that was made before holds, and what was stored once is known to be.
  const asked = await fetch(`${copy.http}/api/v1/query?query=*`, {
    headers: { Authorization: `Bearer ${token}` },
  });
  assert.equal(asked.status, 200);
  await copy.ship(recordsOf("first", 0, 6000), { headers });
  assert.equal(await copy.count("kind:=first"), 5900);
  // It takes new records, and keeps them over a crash.
  await copy.ship(recordsOf("third", 0, 300));
  await copy.kill();
  const again = await Service.start({ dataDir });
  t.after(() => again.kill());
  assert.equal(await again.count("kind:=third"), 300);
  assert.equal(await again.count("kind:=first"), 5900);
  await again.stop();
  const refused = await run("restore", "--from", to, "--data", dataDir);
  assert.equal(refused.code, 1);
  assert.match(refused.out, /is not empty/);
});

test("a backup that was killed is none until it is run again, and leaves the one before whole", async (t) => {
  const source = await Service.start();
  t.after(() => source.kill());
  await source.ship(recordsOf("a", 0, 12_000));
  const to = path.join(temporaryFolder(), "backup");
  const args = ["backup", "--url", source.http, "--to", to];
  const slow = begin(...args, "--rate", "150KiB");
  const end = performance.now() + 120_000;
  while (!existsSync(path.join(to, "progress.ndjson")) && performance.now() < end) await sleep(10);
  slow.kill("SIGKILL");
  await once(slow, "close");
  assert.ok(!existsSync(path.join(to, "backup.json")));
  const none = await run("restore", "--from", to, "--verify");
  assert.equal(none.code, 1);
  assert.match(none.out, /no backup here/);
  const lines = readFileSync(path.join(to, "progress.ndjson"), "utf8").split("\n");
  const copied = lines
    .filter((line) => line.endsWith("}"))
    .map((line) => path.join(to, "files", (JSON.parse(line) as { name: string }).name));
  const times = copied.map((file) => statSync(file).mtimeMs);
  const done = await run(...args);
  assert.equal(done.code, 0, done.out);
  for (const [i, file] of copied.entries()) {
    // Unless a merge has replaced it meanwhile.
    if (existsSync(file)) assert.equal(statSync(file).mtimeMs, times[i], "copied once");
  }
  assert.equal((await run("restore", "--from", to, "--verify")).code, 0);

  // The service goes while the next is made: the one before still holds.
  await source.ship(recordsOf("b", 0, 12_000));
  const next = run(...args, "--rate", "150KiB");
  await sleep(1500);
  await source.kill();
  const broken = await next;
  assert.equal(broken.code, 1, broken.out);
  assert.match((await run("restore", "--from", to, "--verify")).out, /whole: 12\d\d\d records/);
});

test("a flipped byte, a missing file and a changed manifest are refused before anything is written", async (t) => {
  const source = await Service.start();
  t.after(() => source.kill());
  await source.ship(recordsOf("a", 0, 3000));
  const to = path.join(temporaryFolder(), "backup");
  assert.equal((await run("backup", "--url", source.http, "--to", to)).code, 0);
  const dataDir = path.join(temporaryFolder(), "data");
  const largest = filesIn(path.join(to, "files")).reduce((a, b) =>
    statSync(b).size > statSync(a).size ? b : a,
  );
  for (const file of [largest, path.join(to, "backup.json")]) {
    const whole = readFileSync(file);
    const bytes = Buffer.from(whole);
    bytes[bytes.length >> 1]! ^= 4;
    writeFileSync(file, bytes);
    for (const how of [["--verify"], ["--data", dataDir]]) {
      const refused = await run("restore", "--from", to, ...how);
      assert.equal(refused.code, 1);
      assert.match(refused.out, /backup cannot be used.*checksum differs/);
    }
    writeFileSync(file, whole);
  }
  renameSync(largest, path.join(to, "elsewhere"));
  assert.match((await run("restore", "--from", to, "--data", dataDir)).out, /ENOENT/);
  renameSync(path.join(to, "elsewhere"), largest);
  assert.ok(!existsSync(dataDir));
  const other = await Service.start();
  t.after(() => other.kill());
  const mixed = await run("backup", "--url", other.http, "--to", to);
  assert.equal(mixed.code, 1);
  assert.match(mixed.out, /another cluster/);
  assert.equal((await run("restore", "--from", to, "--verify")).code, 0);
});
