// Goal: pages and exports give each record exactly once and in order, whatever happens to what holds it, to the client and
// to the service meanwhile.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { zstdDecompressSync } from "node:zlib";
import { parquetReadObjects } from "hyparquet";
import { type Row, Service, temporaryFolder } from "../service.ts";
import { root } from "../suites.ts";

/** Whatever is a second old goes from memory into segments, which are merged. */
const args = ["--set", "storage.sealAgeMs=1000"];
const startMs = Date.now() - 600_000;
const bodyRecords = 2_000;
/** Not what the service logs of itself. */
const asked = "message";

/** Numbered records, hundreds of one time, in several streams. */
function bodyOf(number: number, records = bodyRecords): object[] {
  return Array.from({ length: records }, (_, i) => {
    const n = number * records + i;
    const _time = new Date(startMs + Math.floor(n / 700)).toISOString();
    return { _time, _msg: `message ${n}`, service: `s${n % 5}`, n: String(n) };
  });
}

async function sealsOf(service: Service): Promise<number> {
  const text = await (await fetch(`${service.http}/metrics`)).text();
  return Number(/^logkeep_storage_seals_total (\S+)$/m.exec(text)?.[1] ?? 0);
}

async function sealed(service: Service, before: number): Promise<void> {
  for (const end = performance.now() + 120_000; performance.now() < end; await sleep(100)) {
    if ((await sealsOf(service)) > before) return;
  }
  assert.fail("nothing was sealed in two minutes");
}

interface Paged {
  readonly rows: Row[];
  readonly cursor: string | undefined;
}

async function page(service: Service, order: string, cursor: string | undefined): Promise<Paged> {
  const params = { order, limit: "7", summary: "1", ...(cursor === undefined ? {} : { cursor }) };
  const rows = await service.search(asked, params);
  const { _summary } = rows.at(-1) as unknown as { _summary: { cursor?: string } };
  return { rows: rows.slice(0, -1), cursor: _summary.cursor };
}

test("pages of 7 give records of equal times once and in order, through seals, merges and a restart", async (t) => {
  const dataDir = temporaryFolder();
  let service = await Service.start({ dataDir, args });
  t.after(() => service.kill());
  for (let i = 0; i < 8; i++) await service.ship(bodyOf(i, 300), { stream: "service" });
  for (const order of ["oldest", "newest"]) {
    const whole = await service.search(asked, { order });
    assert.equal(new Set(whole.map(({ n }) => n)).size, 2_400);
    const paged: Row[] = [];
    let cursor: string | undefined;
    for (let i = 0; i === 0 || cursor !== undefined; i++) {
      const found = await page(service, order, cursor);
      paged.push(...found.rows);
      cursor = found.cursor;
      if (i === 100) {
        const before = await sealsOf(service);
        for (let more = 0; more < 4; more++) await service.ship([{ service: "late", _msg: "x" }]);
        await sealed(service, before);
      }
      if (i !== 200) continue;
      await (order === "oldest" ? service.kill() : service.stop());
      service = await Service.start({ dataDir, args });
    }
    assert.deepEqual(
      paged.map(({ n }) => n),
      whole.map(({ n }) => n),
    );
  }
  await service.stop();
});

test("a query whose client goes away, and an export, are counted as cancelled", async (t) => {
  const service = await Service.start();
  t.after(() => service.kill());
  const text = "x".repeat(2_000);
  for (let i = 0; i < 10; i++) {
    const records = bodyOf(i).map((record) => ({ ...record, text }));
    await service.ship(records, { stream: "service" });
  }
  for (const [i, name] of ["query", "export"].entries()) {
    const gone = new AbortController();
    // More than sockets hold, so that it cannot have been answered.
    const url = `${service.http}/api/v1/${name}?query=*${name === "query" ? "&limit=0" : ""}`;
    const { signal } = gone;
    const response = await fetch(url, { signal, headers: { "accept-encoding": "identity" } });
    assert.equal(response.status, 200);
    gone.abort();
    for (let tries = 0; (await cancelledOf(service)) <= i; tries++) {
      assert.ok(tries < 2000, `the ${name} is not counted`);
      await sleep(50);
    }
  }
  await service.stop();
});

async function cancelledOf(service: Service): Promise<number> {
  const text = await (await fetch(`${service.http}/metrics`)).text();
  return Number(/^logkeep_queries_total\{status="cancelled"\} (\d+)$/m.exec(text)?.[1] ?? 0);
}

function exporting(service: Service, output: string, more: readonly string[] = []): ChildProcess {
  const verb = ["export", asked, "--from", "1h", "--to", "now", "--url", service.http];
  const bin = path.join(root, "services/bin/logkeep");
  return spawn(bin, [...verb, "--output", output, ...more], {
    stdio: ["ignore", "ignore", "inherit"],
  });
}

/** Undefined where the export is whole, or has not begun. */
function rowsNoted(output: string): number | undefined {
  let text: string;
  try {
    text = readFileSync(`${output}.export`, "utf8");
  } catch {
    return undefined;
  }
  return (JSON.parse(text) as { readonly rows: number }).rows;
}

/** Ends an export in its middle, as power does; false when it was quicker. */
async function killedMidway(
  child: ChildProcess,
  output: string,
  rowsMin: number,
): Promise<boolean> {
  const ended = once(child, "exit");
  while ((rowsNoted(output) ?? 0) < rowsMin && child.exitCode === null) await sleep(2);
  child.kill("SIGKILL");
  const [code] = (await ended) as [number | null];
  assert.ok(code === null || code === 0, `the export ended with ${code}`);
  return (rowsNoted(output) ?? 0) >= rowsMin;
}

/** Begins an export that is killed, goes on and is killed again: anew when it came to its end before that. */
async function killedTwice(service: Service, output: string, count: number): Promise<void> {
  for (let tries = 0; tries < 10; tries++) {
    for (const file of [output, `${output}.export`]) rmSync(file, { force: true });
    const isBegun = await killedMidway(exporting(service, output), output, count / 20);
    const going = isBegun && exporting(service, output, ["--continue"]);
    if (going !== false && (await killedMidway(going, output, count / 4))) return;
  }
  assert.fail("no export was killed in its middle");
}

test("a stopping service breaks exports off at once, and they go on at the next", async (t) => {
  const dataDir = temporaryFolder();
  const output = path.join(temporaryFolder(), "logs.ndjson");
  let service = await Service.start({ dataDir });
  t.after(() => service.kill());
  for (let i = 0; i < 30; i++) await service.ship(bodyOf(i), { stream: "service" });
  for (let tries = 1; ; tries++) {
    const response = await fetch(`${service.http}/api/v1/export?query=*&cursors=1`, {
      headers: { "accept-encoding": "identity" },
    });
    assert.equal(response.status, 200);
    const tookMs = await stopped(service);
    await assert.rejects(response.text());
    service = await Service.start({ dataDir });
    // A client that does not read would be waited for, eight seconds.
    if (tookMs < 7_000) break;
    // The machine may be so busy that any stop takes as long.
    const aloneMs = await stopped(service);
    service = await Service.start({ dataDir });
    if (tookMs < 3 * aloneMs) break;
    assert.ok(tries < 3, `it took ${tookMs} ms, and ${aloneMs} ms without a client`);
  }
  const child = exporting(service, output);
  assert.deepEqual(await once(child, "exit"), [0, null]);
  assert.equal(readFileSync(output, "utf8").split("\n").length - 1, 60_000);
  await service.stop();
});

async function stopped(service: Service): Promise<number> {
  const beganMs = performance.now();
  assert.equal(await service.stop(), 0, service.log);
  return performance.now() - beganMs;
}

test("an export as Parquet is as many whole files as it takes, each record in one of them", async (t) => {
  const output = path.join(temporaryFolder(), "logs.parquet");
  const service = await Service.start();
  t.after(() => service.kill());
  for (let i = 0; i < 6; i++) await service.ship(bodyOf(i), { stream: "service" });
  const child = exporting(service, output, ["--rows-per-file", "5000"]);
  assert.deepEqual(await once(child, "exit"), [0, null]);
  const numbers: unknown[] = [];
  for (const name of ["logs.parquet", "logs-2.parquet", "logs-3.parquet"]) {
    const { buffer, byteOffset, byteLength } = readFileSync(path.join(path.dirname(output), name));
    const file = buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
    const compressors = { ZSTD: (input: Uint8Array) => zstdDecompressSync(input) };
    for (const row of await parquetReadObjects({ file, compressors })) numbers.push(row["n"]);
  }
  assert.equal(numbers.length, 12_000);
  assert.equal(new Set(numbers).size, 12_000);
  assert.ok(!existsSync(path.join(path.dirname(output), "logs-4.parquet")));
  await service.stop();
});

for (const [format, count] of [
  ["ndjson", 200_000],
  ["csv", 40_000],
] as const) {
  test(`an export of ${count} records as ${format} that is killed goes on, each record once, while they are sealed`, async (t) => {
    const dataDir = temporaryFolder();
    const output = path.join(temporaryFolder(), `logs.${format}`);
    let service = await Service.start({ dataDir, args });
    t.after(() => service.kill());
    for (let i = 0; i < count / bodyRecords; i++)
      await service.ship(bodyOf(i), { stream: "service" });

    await killedTwice(service, output, count);
    await sealed(service, 0);
    await service.kill();
    service = await Service.start({ dataDir, args });
    const last = exporting(service, output, ["--continue"]);
    assert.deepEqual(await once(last, "exit"), [0, null]);
    assert.ok(!existsSync(`${output}.export`));

    const lines = readFileSync(output, "utf8").split("\n").slice(0, -1);
    if (format === "csv") assert.equal(lines.shift(), "_time,_stream,_msg,n,service");
    const numbers = lines.map((line) => Number(/message (\d+)/.exec(line)?.[1]));
    assert.equal(numbers.length, count);
    assert.equal(new Set(numbers).size, count);
    const times = numbers.map((n) => Math.floor(n / 700));
    assert.ok(times.every((time, i) => i === 0 || time >= (times[i - 1] as number)));
    await service.stop();
  });
}
