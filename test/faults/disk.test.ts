// Goal: a full disk costs nobody what was acknowledged, and ends by itself; damage costs what it hit and no more, and is told.
// Method: a small tmpfs in a mount namespace is filled and freed under a running service; bytes of its files are flipped.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  globSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import path from "node:path";
import test, { type TestContext } from "node:test";
import { spawnServer } from "../servers/child.ts";
import { Service, temporaryFolder } from "../service.ts";

const mebibyte = 1024 * 1024;

/** A disk of its own for one service: a tmpfs that only processes within its namespace see. */
interface SmallDisk {
  readonly dataDir: string;
  /** What makes a command see it. */
  readonly within: readonly string[];
  /** Its files, as this process reaches them. */
  readonly seenAt: string;
}

/** Why there can be no tmpfs; undefined: there can. */
function smallDiskMissing(): string | undefined {
  if (process.getuid?.() !== 0) return "mounting a small disk needs root";
  const folder = temporaryFolder();
  const tried = spawnSync("unshare", ["-m", "mount", "-t", "tmpfs", "tmpfs", folder]);
  return tried.status === 0 ? undefined : "no tmpfs can be mounted here";
}

async function smallDisk(t: TestContext, mebibytes: number): Promise<SmallDisk> {
  const dataDir = temporaryFolder();
  const mount = `mount -t tmpfs -o size=${mebibytes}m tmpfs ${dataDir} && echo mounted && exec sleep infinity`;
  // Keeps the disk while no service runs on it.
  const keeper = spawnServer("unshare", ["-m", "sh", "-c", mount], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  t.after(() => keeper.kill("SIGKILL"));
  assert.ok(keeper.stdout !== null);
  await once(keeper.stdout, "data");
  const pid = String(keeper.pid);
  return {
    dataDir,
    within: ["nsenter", "-t", pid, "-m", "--"],
    seenAt: `/proc/${pid}/root${dataDir}`,
  };
}

/** Writes until nothing more goes in. */
function fill(disk: SmallDisk): void {
  const fd = openSync(path.join(disk.seenAt, "filler"), "a");
  const piece = Buffer.alloc(64 * 1024, 1);
  try {
    for (;;) writeSync(fd, piece);
  } catch (thrown) {
    assert.equal((thrown as NodeJS.ErrnoException).code, "ENOSPC");
  } finally {
    closeSync(fd);
  }
}

/** Numbered records of a mebibyte or so, and how they were taken. */
async function shipNumbers(service: Service, first: number, count = 2000): Promise<Response> {
  const lines = Array.from({ length: count }, (_, i) =>
    JSON.stringify({ service: `s${i % 7}`, n: String(first + i), _msg: "x".repeat(450) }),
  );
  const response = await fetch(`${service.http}/api/v1/logs?stream=service`, {
    method: "POST",
    headers: { "Content-Type": "application/x-ndjson" },
    body: `${lines.join("\n")}\n`,
  });
  await response.clone().arrayBuffer();
  return response;
}

/** Numbers that were acknowledged and are not found, or found twice. */
async function wrong(service: Service, acked: ReadonlySet<number>): Promise<number[]> {
  const times = new Map<number, number>();
  for (const row of await service.search("n:* | stats by (n) count() times")) {
    times.set(Number(row["n"]), Number(row["times"]));
  }
  return [...acked].filter((n) => times.get(n) !== 1);
}

test("a full disk: 503 with Retry-After, queries go on, nothing acknowledged is lost, and space that returns is enough", {
  skip: smallDiskMissing() ?? false,
}, async (t) => {
  const disk = await smallDisk(t, 420);
  const { dataDir, within } = disk;
  let service = await Service.start({ dataDir, within });
  const acked = new Set<number>();
  let next = 0;
  const ship = async (): Promise<Response> => {
    const first = next;
    next += 2000;
    const response = await shipNumbers(service, first);
    if (response.status === 200) for (let n = first; n < next; n++) acked.add(n);
    return response;
  };
  assert.equal((await ship()).status, 200);
  fill(disk);
  let refused: Response | undefined;
  // The log has files that it made ahead; once they are used up there is no room for another.
  for (let i = 0; i < 400 && refused === undefined; i++) {
    const response = await ship();
    if (response.status !== 200) refused = response;
    else if (i % 20 === 0) fill(disk);
  }
  assert.equal(refused?.status, 503);
  assert.match(refused.headers.get("retry-after") ?? "", /^\d+$/);
  assert.match(await refused.text(), /"code":"storage\.full"/);
  assert.deepEqual(await wrong(service, acked), []);
  rmSync(path.join(disk.seenAt, "filler"));
  const freed = performance.now();
  while ((await ship()).status !== 200) {
    assert.ok(performance.now() - freed < 120_000, "it takes records again by itself");
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  fill(disk);
  assert.equal(await service.stop(), 0, service.log);
  rmSync(path.join(disk.seenAt, "filler"));
  service = await Service.start({ dataDir, within });
  assert.deepEqual(await wrong(service, acked), []);
  assert.equal(await service.stop(), 0, service.log);
});

function flip(file: string, at: number): void {
  const fd = openSync(file, "r+");
  const byte = Buffer.alloc(1);
  readSync(fd, byte, 0, 1, at);
  byte[0] = (byte[0] as number) ^ 0x10;
  writeSync(fd, byte, 0, 1, at);
  closeSync(fd);
}

async function metric(service: Service, name: string): Promise<number> {
  const text = await (await fetch(`${service.http}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1] ?? Number.NaN);
}

/** A service whose four streams of 500 records lie in a segment each, and the files. */
async function sealed(): Promise<{ dataDir: string; files: string[] }> {
  const dataDir = temporaryFolder();
  // With so many shards, each of the streams falls on one of its own.
  const env = { LOGKEEP_STORAGE_SEAL_AGE_MS: "1000", LOGKEEP_STORAGE_SHARDS: "32" };
  const service = await Service.start({ dataDir, env });
  for (let stream = 0; stream < 4; stream++) {
    const records = Array.from({ length: 500 }, (_, i) => ({
      service: "sealed",
      host: `h${stream}`,
      n: String(stream * 500 + i),
      _msg: `${(i * 2654435761) % 4294967296} is no word of another`,
    }));
    await service.ship(records);
  }
  const end = performance.now() + 60_000;
  while ((await metric(service, "logkeep_storage_memory_bytes")) > 0) {
    assert.ok(performance.now() < end, "everything is sealed");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.equal(await service.stop(), 0);
  // Files are named by epoch and uuid. The service's own records have one, too, and smaller.
  const files = globSync(`${dataDir}/storage/shard-*/*-*-*-*-*-*`).filter(
    (file) => !path.basename(file).startsWith("checkpoint"),
  );
  files.sort((a, b) => statSync(b).size - statSync(a).size);
  assert.ok(files.length >= 4);
  return { dataDir, files: files.slice(0, 4) };
}

function ask(service: Service, query: string, more = ""): Promise<Response> {
  const search = new URLSearchParams({ query, start: "0", limit: "0" });
  return fetch(`${service.http}/api/v1/query?${search}${more}`);
}

test("a flipped byte in a segment: its block is set aside and named, the others are served, answers are partial", async () => {
  const { dataDir, files } = await sealed();
  const [hurt = ""] = files;
  flip(hurt, Math.floor(statSync(hurt).size / 2));
  let service = await Service.start({ dataDir });
  const first = await ask(service, "{service=sealed}", "&summary=1");
  const lines = (await first.text()).trim().split("\n");
  assert.match(lines.at(-1) ?? "", /"status":"partial","missing":\[/);
  assert.equal(lines.length, 1501);
  for (let start = 0; start < 2; start++) {
    const again = await ask(service, "{service=sealed} | stats count() n");
    assert.equal(again.headers.get("x-logkeep-partial"), "true");
    assert.match(await again.text(), /"n":"1500"/);
    assert.equal((await ask(service, "{service=sealed}", "&partial=deny")).status, 503);
    assert.equal(await metric(service, "logkeep_storage_damaged_blocks"), 1);
    if (start === 0) await service.logged(path.basename(hurt));
    assert.equal(await service.stop(), 0);
    // Known from the start on the next time.
    if (start === 0) service = await Service.start({ dataDir });
  }
});

test("damage that is met behind the first rows breaks off an answer that could not tell of it", async () => {
  const { dataDir, files } = await sealed();
  for (const file of files.slice(1)) flip(file, Math.floor(statSync(file).size / 2));
  const service = await Service.start({ dataDir });
  const response = await ask(service, "{service=sealed}");
  const isTold = response.headers.get("x-logkeep-partial") === "true";
  const isWhole = await response.text().then(
    () => true,
    () => false,
  );
  assert.ok(isTold || !isWhole, "a client can tell");
  assert.equal(await service.stop(), 0);
});

test("a segment without a readable end, and one that is gone, are set aside as a whole", async () => {
  const { dataDir, files } = await sealed();
  const [hurt = "", gone = ""] = files;
  flip(hurt, statSync(hurt).size - 40);
  const service = await Service.start({ dataDir });
  rmSync(gone);
  await (await ask(service, "{service=sealed}", "&summary=1")).text();
  const again = await ask(service, "{service=sealed} | stats count() n");
  assert.equal(again.headers.get("x-logkeep-partial"), "true");
  assert.match(await again.text(), /"n":"1000"/);
  assert.equal(await metric(service, "logkeep_storage_lost_segments"), 2);
  for (const file of [hurt, gone]) await service.logged(path.basename(file));
  assert.equal(await service.stop(), 0);
});

test("a flipped byte in the middle of the commit log: its shard is not served, with file and offset; the others are", async () => {
  const dataDir = temporaryFolder();
  const writer = await Service.start({ dataDir });
  const batch = (i: number) =>
    Array.from({ length: 100 }, (_, k) => ({
      service: `s${i % 5}`,
      host: "h",
      n: String(i * 100 + k),
      _msg: `needle-${i}-`,
    }));
  for (let i = 0; i < 20; i++) await writer.ship(batch(i));
  await writer.kill();
  const [file = ""] = globSync(`${dataDir}/storage/log/log-*1`);
  const log = readFileSync(file).subarray(0, 4 * mebibyte);
  const at = log.indexOf("needle-10-");
  assert.ok(at > 0);
  flip(file, at);
  const service = await Service.start({ dataDir });
  assert.equal((await fetch(`${service.http}/readyz`)).status, 503);
  // The stream of the damaged batch has three others in its shard.
  const left = await ask(service, "n:* | stats count() n");
  assert.equal(left.headers.get("x-logkeep-partial"), "true");
  assert.match(await left.text(), /"n":"1600"/);
  await assert.rejects(
    service.ship(batch(0)),
    new RegExp(`"file":"${path.basename(file)}","offset":\\d+`),
  );
  assert.equal((await service.ship(batch(1))).accepted, 100);
  await service.logged(new RegExp(`"file":"${path.basename(file)}","offset":\\d+`));
  assert.equal(await service.stop(), 0);
});
