// Batches and segments alone, one thread, no service. Prints JSON lines.
//   node bench/src/storage-format.ts [--records 300000] [--seed 1]
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { BatchBuilder } from "../../storage/src/format/batch-builder.ts";
import { FieldNames } from "../../storage/src/format/field-names.ts";
import { BlockCache } from "../../storage/src/segment/block-cache.ts";
import { mergeSegments } from "../../storage/src/segment/merge.ts";
import { openSegment, verifySegment } from "../../storage/src/segment/reader.ts";
import { type SealInput, sealSegment } from "../../storage/src/segment/writer.ts";
import { generateCorpus } from "./corpus.ts";

const { values: options } = parseArgs({
  options: {
    records: { type: "string", default: "500000" },
    seed: { type: "string", default: "1" },
  },
});

/** Records of one seal: what a shard gathers until it is sealed. */
const sealRecords = 60_000;

/** A record as a decoder hands it to the builder. */
interface Parsed {
  readonly timeMs: number;
  readonly timeNs: number;
  readonly stream: number;
  readonly source: Buffer;
  readonly nameIds: Int32Array;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
}

const names = new FieldNames();
const streamTexts = new FieldNames();
let rawBytes = 0;

function parsed(line: Buffer): Parsed {
  rawBytes += line.length;
  const { _time, ...fields } = JSON.parse(line.toString()) as Record<string, string | number>;
  const entries = Object.entries(fields);
  const ends = new Uint32Array(entries.length);
  const starts = new Uint32Array(entries.length);
  let end = 0;
  for (const [i, [, value]] of entries.entries()) {
    starts[i] = end;
    end += Buffer.byteLength(String(value));
    ends[i] = end;
  }
  const text = String(_time);
  return {
    timeMs: Date.parse(text),
    timeNs: Number(text.slice(23, 26)) * 1_000,
    stream: streamTexts.idOfText(`{host="${fields["host"]}",service="${fields["service"]}"}`),
    source: Buffer.from(entries.map(([, value]) => String(value)).join("")),
    nameIds: Int32Array.from(entries, ([name]) => names.idOfText(name)),
    starts,
    ends,
  };
}

function print(row: object): void {
  console.log(JSON.stringify(row));
}

function rate(amount: number, ms: number): number {
  return Math.round((amount / ms) * 10) / 10;
}

const records = [
  ...generateCorpus({ seed: Number(options.seed), records: Number(options.records) }),
].map(parsed);
const builder = new BatchBuilder({ tenant: "t", retentionClass: "c", names, streamTexts });
const out = Buffer.from(new ArrayBuffer(8 << 20));

function build(keep: (batch: Buffer, rows: number) => void): void {
  const flush = () => {
    const rows = builder.rowCount;
    const length = builder.encodeInto(out, 0, 0);
    builder.reset();
    keep(out.subarray(0, length), rows);
  };
  for (const each of records) {
    const { nameIds, starts, ends } = each;
    builder.append(
      each.timeMs,
      each.timeNs,
      each.stream,
      each.source,
      nameIds.length,
      nameIds,
      starts,
      ends,
    );
    if (builder.isFull) flush();
  }
  if (builder.rowCount > 0) flush();
}

for (const run of ["cold", "warm"]) {
  let batchBytes = 0;
  const started = performance.now();
  build((batch) => {
    batchBytes += batch.length;
  });
  const ms = performance.now() - started;
  print({
    bench: "build",
    run,
    recordsPerSecond: Math.round((records.length / ms) * 1_000),
    rawMbPerSecond: rate(rawBytes / 1e3, ms),
    batchPerRawByte: Math.round((batchBytes / rawBytes) * 100) / 100,
  });
}

const groups: { batches: SealInput[]; rows: number }[] = [{ batches: [], rows: 0 }];
build((batch, rows) => {
  if (groups.at(-1)!.rows >= sealRecords) groups.push({ batches: [], rows: 0 });
  const group = groups.at(-1)!;
  group.batches.push({ bytes: Buffer.from(new Uint8Array(batch).buffer), position: groups.length });
  group.rows += rows;
});

// A large heap would make every collection dear, and that is not what is measured.
const recordCount = records.length;
records.length = 0;

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
