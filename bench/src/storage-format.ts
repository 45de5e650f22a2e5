// Batches and segments alone, one thread, no service. Prints JSON lines.
//   node bench/src/storage-format.ts [--records 300000] [--seed 1]
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { BlockCache } from "../../storage/src/segment/block-cache.ts";
import { mergeSegments } from "../../storage/src/segment/merge.ts";
import { openSegment, verifySegment } from "../../storage/src/segment/reader.ts";
import { type SealInput, sealSegment } from "../../storage/src/segment/writer.ts";
import { ParsedCorpus } from "./parsed-corpus.ts";

const { values: options } = parseArgs({
  options: {
    records: { type: "string", default: "500000" },
    seed: { type: "string", default: "1" },
  },
});

/** Records of one seal: what a shard gathers until it is sealed. */
const sealRecords = 60_000;

function print(row: object): void {
  console.log(JSON.stringify(row));
}

function rate(amount: number, ms: number): number {
  return Math.round((amount / ms) * 10) / 10;
}

const corpus = new ParsedCorpus({
  seed: Number(options.seed),
  records: Number(options.records),
});
const { rawBytes } = corpus;
for (const run of ["cold", "warm"]) {
  let batchBytes = 0;
  const started = performance.now();
  corpus.build((batch) => {
    batchBytes += batch.length;
  });
  const ms = performance.now() - started;
  print({
    bench: "build",
    run,
    recordsPerSecond: Math.round((corpus.count / ms) * 1_000),
    rawMbPerSecond: rate(rawBytes / 1e3, ms),
    batchPerRawByte: Math.round((batchBytes / rawBytes) * 100) / 100,
  });
}

const groups: { batches: SealInput[]; rows: number }[] = [{ batches: [], rows: 0 }];
corpus.build((batch, rows) => {
  if (groups.at(-1)!.rows >= sealRecords) groups.push({ batches: [], rows: 0 });
  const group = groups.at(-1)!;
  group.batches.push({ bytes: Buffer.from(new Uint8Array(batch).buffer), position: groups.length });
  group.rows += rows;
});

const recordCount = corpus.count;
corpus.forget();

const directory = mkdtempSync(join(tmpdir(), "logkeep-bench-"));
const identity = { shard: 0, epoch: 1, positionFrom: 1, positionThrough: 9 };
try {
  const paths: string[] = [];
  let sealedBytes = 0;
  const sealStarted = performance.now();
  const cpu = process.cpuUsage();
  for (const [i, { batches }] of groups.entries()) {
    const path = join(directory, `seal-${i}`);
    sealedBytes += sealSegment({ ...identity, path, uuid: path, batches }).bytes;
    paths.push(path);
  }
  const sealMs = performance.now() - sealStarted;
  const { user, system } = process.cpuUsage(cpu);
  print({
    bench: "seal",
    rawMbPerSecond: rate(rawBytes / 1e3, sealMs),
    cpuSecondsPerGb: Math.round((user + system) / 1e4 / (rawBytes / 1e9)) / 100,
    rawPerByte: rate(rawBytes, sealedBytes),
  });
  const mergedPath = join(directory, "merged");
  const mergeStarted = performance.now();
  const inputs = paths.map((path) => ({ path, uuid: path }));
  const merged = mergeSegments({ ...identity, path: mergedPath, uuid: "merged", level: 1, inputs });
  print({
    bench: "merge",
    rawMbPerSecond: rate(rawBytes / 1e3, performance.now() - mergeStarted),
    rawPerByte: rate(rawBytes, merged.bytes),
  });
  const verifyStarted = performance.now();
  verifySegment(mergedPath);
  print({
    bench: "verify",
    rawMbPerSecond: rate(rawBytes / 1e3, performance.now() - verifyStarted),
  });
  for (const run of ["cold", "warm"]) {
    const segment = openSegment(mergedPath, new BlockCache(256 << 20));
    const started = performance.now();
    for (const block of segment.blocks()) block.column("_msg")?.values();
    const ms = performance.now() - started;
    print({
      bench: "decode _msg",
      run,
      recordsPerSecond: Math.round((recordCount / ms) * 1_000),
    });
    segment.close();
  }
} finally {
  rmSync(directory, { recursive: true });
}
