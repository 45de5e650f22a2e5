// `npm run bench`: ships a corpus into a fresh service and asks it questions. Prints JSON lines.
//   npm run bench -- [--records 500000] [--file corpus.ndjson] [--senders 4] [--seed 1]
// Loopback, sender and service on the same cores; figures compare only within one run on one machine.
import { createReadStream, readFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { Service, temporaryFolder } from "../../test/service.ts";
import { generateCorpus } from "./corpus.ts";
import { folderBytes, processTree } from "./process-tree.ts";
import { questions } from "./questions.ts";
import { allSealed, quantile, round, shipAll } from "./shipping.ts";

/** Records in one request, as shippers send them. */
const bodyRecords = 2000;
/** Each question is asked so often; the median counts. */
const askTimes = 7;

const usage = "npm run bench -- [--records 500000] [--file corpus.ndjson] [--senders 4] [--seed 1]";

function optionsOf() {
  try {
    const { values } = parseArgs({
      options: {
        records: { type: "string", default: "500000" },
        file: { type: "string" },
        senders: { type: "string", default: "4" },
        seed: { type: "string", default: "1" },
        help: { type: "boolean", default: false },
      },
    });
    if (!values.help) return values;
    console.log(usage);
    process.exit(0);
  } catch (thrown) {
    console.error(`bench: ${thrown instanceof Error ? thrown.message : String(thrown)}\n${usage}`);
    process.exit(2);
  }
}

const options = optionsOf();

function print(row: object): void {
  console.log(JSON.stringify(row));
}

interface Corpus {
  readonly bodies: readonly Buffer[];
  readonly records: number;
  readonly bytes: number;
}

async function corpusOf(): Promise<Corpus> {
  const bodies: Buffer[] = [];
  let lines: Buffer[] = [];
  let records = 0;
  let bytes = 0;
  const flush = (): void => {
    const body = Buffer.concat(lines);
    bodies.push(body);
    bytes += body.length;
    records += lines.length;
    lines = [];
  };
  const take = (line: Buffer): void => {
    lines.push(line);
    if (lines.length === bodyRecords) flush();
  };
  if (options.file === undefined) {
    for (const line of generateCorpus({
      seed: Number(options.seed),
      records: Number(options.records),
    }))
      take(line);
  } else {
    const input = createInterface({ input: createReadStream(options.file), crlfDelay: Infinity });
    for await (const line of input) take(Buffer.from(`${line}\n`));
  }
  if (lines.length > 0) flush();
  return { bodies, records, bytes };
}

async function ask(
  service: Service,
  query: string,
  limit: string,
): Promise<{ ms: number; rows: number }> {
  const started = performance.now();
  const rows = await service.search(query, { limit });
  return { ms: performance.now() - started, rows: rows.length };
}

/** CPU seconds of `JSON.parse` alone over a GB of the same lines: what the machine gives right now. */
function parseCpuPerGb(bodies: readonly Buffer[]): number {
  const started = process.cpuUsage();
  let bytes = 0;
  for (const body of bodies) {
    if (bytes > 64e6) break;
    for (const line of body.toString().split("\n")) if (line !== "") JSON.parse(line);
    bytes += body.length;
  }
  const { user, system } = process.cpuUsage(started);
  return (user + system) / 1e6 / (bytes / 1e9);
}

const corpus = await corpusOf();
print({
  bench: "machine",
  cores: os.availableParallelism(),
  node: process.version,
  jsonParseCpuSecondsPerGb: round(parseCpuPerGb(corpus.bodies)),
});
const dataDir = temporaryFolder();
const service = await Service.start({ dataDir });
try {
  const cpuBefore = processTree(service.pid).cpuSeconds;
  const started = performance.now();
  const latencies = await shipAll(service.http, corpus.bodies, Number(options.senders));
  const seconds = (performance.now() - started) / 1000;
  const tree = processTree(service.pid);
  const status = readFileSync(`/proc/${service.pid}/status`, "utf8");
  print({
    bench: "ingest",
    records: corpus.records,
    rawMb: round(corpus.bytes / 1e6),
    recordsPerSecond: Math.round(corpus.records / seconds),
    cpuSecondsPerGb: round((tree.cpuSeconds - cpuBefore) / (corpus.bytes / 1e9)),
    rssPeakMib: round(Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024),
    ackMsP50: quantile(latencies, 0.5),
    ackMsP99: quantile(latencies, 0.99),
  });
  for (const { name, query, limit } of questions) {
    const runs: number[] = [];
    let rows = 0;
    for (let i = 0; i < askTimes; i++) {
      const asked = await ask(service, query, limit);
      runs.push(asked.ms);
      rows = asked.rows;
    }
    print({
      bench: "query",
      name,
      query,
      rows,
      msP50: quantile(runs, 0.5),
      msMax: quantile(runs, 1),
    });
  }
  await service.stop();
  const restarted = performance.now();
  // Seals what it finds in its log at once, so that the disk shows what records take in the end.
  const again = await Service.start({ dataDir, env: { LOGKEEP_STORAGE_SEAL_AGE_MS: "1000" } });
  const readyMs = Math.round(performance.now() - restarted);
  print({ bench: "restart", readyMs, records: await again.count("*") });
  await allSealed(again);
  await again.stop();
  const segments = folderBytes(path.join(dataDir, "storage"), (file) =>
    /^[0-9]+-[0-9a-f-]{36}(\.seg)?$/.test(file),
  );
  print({
    bench: "disk",
    segmentMb: round(segments / 1e6),
    rawPerSegmentByte: round(corpus.bytes / segments),
    dataDirMb: round(folderBytes(dataDir, () => true) / 1e6),
  });
} finally {
  await service.kill();
}
