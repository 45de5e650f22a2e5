// What grows with the data: a rare word, the newest records, a scan, bytes written for each byte kept, open files.
// A fresh service for each size, asked when all is sealed and merged, as data lies for nearly all of its life; questions
// differ, so that no kept answer helps. Prints JSON lines.
//   node bench/src/growth.ts [--sizes 1000000,5000000,20000000] [--senders 4] [--seed 1]
import { readdirSync } from "node:fs";
import { parseArgs } from "node:util";
import { Service, temporaryFolder } from "../../test/service.ts";
import { generateCorpus } from "./corpus.ts";
import { allSealed, quantile, round, shipAll } from "./shipping.ts";

const { values: options } = parseArgs({
  options: {
    sizes: { type: "string", default: "1000000,5000000,20000000" },
    senders: { type: "string", default: "4" },
    seed: { type: "string", default: "1" },
  },
});

/** Records in one request, as shippers send them. */
const bodyRecords = 2_000;

/** Questions of each kind, none twice; the median counts, and the first is told. */
const times = 7;

const hourMs = 3_600_000;

interface Shipped {
  rawBytes: number;
}

/** The corpus with a needle at even distances; told is how many bytes have been taken. */
function* bodiesOf(records: number, endMs: number, shipped: Shipped): Generator<Buffer> {
  let lines: Buffer[] = [];
  let count = 0;
  for (const line of generateCorpus({ seed: Number(options.seed), records, endMs })) {
    lines.push(line);
    count++;
    const needles = Math.floor((count * times) / records);
    const isNext = needles > Math.floor(((count - 1) * times) / records);
    if (isNext) lines.push(needleOf(needles - 1, endMs));
    if (lines.length < bodyRecords) continue;
    yield taken(lines, shipped);
    lines = [];
  }
  if (lines.length > 0) yield taken(lines, shipped);
}

function taken(lines: readonly Buffer[], shipped: Shipped): Buffer {
  const body = Buffer.concat(lines);
  shipped.rawBytes += body.length;
  return body;
}

function needleWord(index: number): string {
  return `needle${index}q7x`;
}

function needleOf(index: number, endMs: number): Buffer {
  const _time = new Date(endMs - (index + 1) * hourMs).toISOString();
  const _msg = `the queue said ${needleWord(index)} and went on`;
  return Buffer.from(`${JSON.stringify({ _time, service: "queue", host: "queue-1", _msg })}\n`);
}

async function asked(
  service: Service,
  questionOf: (index: number) => Readonly<Record<string, string>>,
): Promise<{ readonly firstMs: number; readonly msP50: number; readonly rows: number }> {
  const runs: number[] = [];
  let rows = 0;
  for (let i = 0; i < times; i++) {
    const url = `${service.http}/api/v1/query?${new URLSearchParams(questionOf(i)).toString()}`;
    const started = performance.now();
    const text = await (await fetch(url)).text();
    runs.push(performance.now() - started);
    rows += text.split("\n").filter((line) => line !== "").length;
  }
  return { firstMs: round(runs[0] ?? Number.NaN), msP50: quantile(runs, 0.5), rows };
}

/** Bytes put on the disk since the start, by what they were written for. */
async function writtenBytes(service: Service): Promise<Record<string, number>> {
  const text = await (await fetch(`${service.http}/metrics`)).text();
  const lines = text.matchAll(/^logkeep_storage_bytes_written_total\{kind="(\w+)"\} (\S+)$/gm);
  return Object.fromEntries(Array.from(lines, ([, kind, bytes]) => [kind, Number(bytes)]));
}

/** Large merges begin a quarter of a minute after the last records; no merge of these sizes takes longer. */
const calmMs = 30_000;
const mergeMsMax = 600_000;

/** Waits until no merge has ended for a while. */
async function allMerged(service: Service): Promise<void> {
  let merges = "";
  let since = performance.now();
  const deadline = since + mergeMsMax;
  while (performance.now() < Math.min(since + calmMs, deadline)) {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const text = await (await fetch(`${service.http}/metrics`)).text();
    const now = /^logkeep_storage_merges_total (\S+)$/m.exec(text)?.[1] ?? "";
    if (now !== merges) since = performance.now();
    merges = now;
  }
}

/** Bytes of the live segments: what they replaced stays for a while, for queries that have begun. */
async function segmentBytes(service: Service): Promise<number> {
  const answer = await fetch(`${service.http}/api/v1/cluster`);
  const { stored } = (await answer.json()) as { stored: { segmentBytes: number } };
  return stored.segmentBytes;
}

async function measure(records: number): Promise<void> {
  const dataDir = temporaryFolder();
  const env = { LOGKEEP_STORAGE_SEAL_AGE_MS: "5000" };
  const service = await Service.start({ dataDir, env });
  try {
    const endMs = Math.floor(Date.now() / hourMs) * hourMs;
    const shipped: Shipped = { rawBytes: 0 };
    const started = performance.now();
    await shipAll(service.http, bodiesOf(records, endMs, shipped), Number(options.senders));
    const seconds = (performance.now() - started) / 1_000;
    await allSealed(service);
    await allMerged(service);
    const { log = 0, seal = 0, merge = 0 } = await writtenBytes(service);
    const segments = await segmentBytes(service);
    const openFiles = readdirSync(`/proc/${service.pid}/fd`).length;
    console.log(
      JSON.stringify({
        ...{ bench: "growth", records, rawMb: round(shipped.rawBytes / 1e6) },
        // The corpus is made beside it, so this is no rate to compare.
        recordsPerSecond: Math.round(records / seconds),
        segmentMb: round(segments / 1e6),
        ...{ logPerRawByte: round(log / shipped.rawBytes) },
        ...{ segmentsWrittenPerByteKept: round((seal + merge) / segments), openFiles },
      }),
    );
    const print = (name: string, answer: object): void =>
      console.log(JSON.stringify({ bench: "growth", records, name, ...answer }));
    const range = { start: new Date(endMs - 24 * hourMs).toISOString() };
    const needle = (i: number) => ({ ...range, query: needleWord(i), limit: "100" });
    print("needle", await asked(service, needle));
    const newest = (i: number) => {
      const end = new Date(endMs - i * 60_000).toISOString();
      return { ...range, end, query: "*", limit: "100" };
    };
    print("last 100", await asked(service, newest));
    const pieces = ["imeou", "nnecti", "efuse", "oughpu", "vailab", "uccess", "ailur"];
    const scan = (i: number) => ({
      ...range,
      ...{ query: `~"${pieces[i] ?? ""}" | stats count() n`, limit: "0" },
    });
    const scanned = await asked(service, scan);
    const perMillion = round(scanned.msP50 / (records / 1e6));
    print("scan", { ...scanned, msPerMillionRecords: perMillion });
    await service.stop();
  } finally {
    await service.kill();
  }
}

for (const size of options.sizes.split(",")) await measure(Number(size));
