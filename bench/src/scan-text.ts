// Scanning a text column for what no index knows, beside zstd decode + Buffer.indexOf over the same bytes. One
// thread, files in the page cache, nothing kept from run to run. Prints JSON lines.
//   node bench/src/scan-text.ts [--records 200000] [--seed 1]
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { compileFilter } from "../../query/src/filter/compile.ts";
import { RowSet } from "../../query/src/filter/row-set.ts";
import { parseQuery } from "../../query/src/language/parse.ts";
import { View } from "../../query/src/table/view.ts";
import { BlockCache } from "../../storage/src/segment/block-cache.ts";
import { openSegment } from "../../storage/src/segment/reader.ts";
import { type SealInput, sealSegment } from "../../storage/src/segment/writer.ts";
import { ParsedCorpus } from "./parsed-corpus.ts";

const { values: options } = parseArgs({
  options: {
    records: { type: "string", default: "200000" },
    seed: { type: "string", default: "1" },
  },
});

/** Raw bytes of a frame of the comparison: those of a frame of ours. */
const frameBytes = 128 << 10;

/** Runs of each; the fastest counts, since others may share the machine. */
const runs = 7;

/** Pieces of words, which token filters cannot tell: often, seldom, never there. */
const needles = ["onnectio", "imeou", "zzqqxx"];

function print(row: object): void {
  console.log(JSON.stringify(row));
}

function cpuMs(work: () => number): { readonly ms: number; readonly found: number } {
  let ms = Number.POSITIVE_INFINITY;
  let found = 0;
  for (let i = 0; i < runs; i++) {
    const before = process.cpuUsage();
    found = work();
    const { user, system } = process.cpuUsage(before);
    ms = Math.min(ms, (user + system) / 1_000);
  }
  return { ms, found };
}

function framesOf(texts: readonly Buffer[]): Buffer[] {
  const all = Buffer.concat(texts);
  const frames: Buffer[] = [];
  for (let at = 0; at < all.length; at += frameBytes) {
    frames.push(zstdCompressSync(all.subarray(at, at + frameBytes)));
  }
  return frames;
}

/** Occurrences, as the search of whoever has no index would count them. */
function plainScan(frames: readonly Buffer[], needle: Buffer): number {
  let found = 0;
  for (const frame of frames) {
    const raw = zstdDecompressSync(frame, { chunkSize: frameBytes + 1 });
    for (let at = raw.indexOf(needle); at >= 0; at = raw.indexOf(needle, at + 1)) found++;
  }
  return found;
}

function ownScan(path: string, needle: string): number {
  const filter = compileFilter(parseQuery(`~"${needle}"`).filter);
  const segment = openSegment(path, new BlockCache(16 << 20));
  let found = 0;
  for (const block of segment.blocks()) {
    const rows = new RowSet(block.rowCount);
    filter.narrow(View.records(block), rows);
    found += rows.count;
  }
  segment.close();
  return found;
}

const corpus = new ParsedCorpus({ seed: Number(options.seed), records: Number(options.records) });
const batches: SealInput[] = [];
corpus.build((batch) => {
  batches.push({ bytes: Buffer.from(new Uint8Array(batch).buffer), position: batches.length + 1 });
});
corpus.forget();
const directory = mkdtempSync(join(tmpdir(), "logkeep-bench-"));
try {
  const path = join(directory, "segment");
  const identity = { shard: 0, epoch: 1, positionFrom: 1, positionThrough: batches.length };
  sealSegment({ ...identity, path, uuid: "bench", batches });
  const segment = openSegment(path, new BlockCache(16 << 20));
  const texts = Array.from(segment.blocks(), (block) => block.column("_msg")?.values().bytes);
  const frames = framesOf(texts.filter((bytes) => bytes !== undefined));
  const rawBytes = texts.reduce((sum, bytes) => sum + (bytes?.length ?? 0), 0);
  segment.close();
  for (const needle of needles) {
    const plain = cpuMs(() => plainScan(frames, Buffer.from(needle)));
    const own = cpuMs(() => ownScan(path, needle));
    print({
      bench: "scan",
      needle,
      textMb: Math.round(rawBytes / 1e5) / 10,
      plainMbPerSecond: Math.round(rawBytes / 1e3 / plain.ms),
      ownMbPerSecond: Math.round(rawBytes / 1e3 / own.ms),
      ratio: Math.round((plain.ms / own.ms) * 100) / 100,
      occurrences: plain.found,
      records: own.found,
    });
  }
} finally {
  rmSync(directory, { recursive: true });
}
