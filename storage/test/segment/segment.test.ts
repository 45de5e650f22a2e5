import assert from "node:assert/strict";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ServiceError } from "../../../kit/src/errors.ts";
import { Prng } from "../../../kit/src/prng.ts";
import { wordsOf } from "../../../kit/src/tokens.ts";
import { BlockCache } from "../../src/segment/block-cache.ts";
import { mergeSegments } from "../../src/segment/merge.ts";
import { checkSegment, openSegment, verifySegment } from "../../src/segment/reader.ts";
import { sealSegment } from "../../src/segment/writer.ts";
import {
  batchOf,
  byName,
  randomRecords,
  recordsOf,
  type TestRecord,
  valuesOf,
} from "../format/records.ts";

const rounds = Number(process.env["LOGKEEP_SOAK_SEEDS"] ?? 25);
const directory = mkdtempSync(join(tmpdir(), "logkeep-segment-"));
after(() => rmSync(directory, { recursive: true }));

test("a seal and a merge keep every record, those of a stream by time and then in log order", () => {
  for (let seed = 0; seed < rounds; seed++) {
    const prng = new Prng(seed);
    const inputs: string[] = [];
    const written: TestRecord[] = [];
    let position = 1;
    for (let file = 0; file <= prng.below(4); file++) {
      const batches = Array.from({ length: 1 + prng.below(5) }, () => {
        const size = 1 + prng.below(seed % 5 === 0 ? 4_000 : 60);
        const records = randomRecords(prng, size).map((each) => ({ ...each, position }));
        written.push(...records);
        return {
          bytes: batchOf(records, { receiptMs: records[0]?.ms ?? 0 }),
          position: position++,
        };
      });
      inputs.push(sealed(`r${seed}-${file}`, batches));
    }
    const expected = inStreamOrder(written);
    const seen = inputs.flatMap((path) => readAll(path));
    assert.deepEqual(inStreamOrder(seen), expected, `SEED=${seed} sealed`);
    const merged = join(directory, `r${seed}-merged`);
    const file = mergeSegments({
      ...identityOf(merged),
      level: 1,
      inputs: inputs.map((path) => ({ path, uuid: path })),
    });
    assert.equal(file.rows, written.length);
    const { replaces } = verifySegment(merged);
    assert.deepEqual(checkSegment(merged).replaces, inputs);
    assert.deepEqual(replaces, inputs);
    assert.deepEqual(inStreamOrder(readAll(merged)), expected, `SEED=${seed} merged`);
    assertBlocksInOrder(merged);
  }
});

test("blocks are of one tenant, class, kind of stream and day, and tell their bounds", () => {
  const day = 86_400_000;
  const now = 1_700_000_000_000;
  const record = (ms: number): TestRecord => ({
    ms,
    ns: 5,
    stream: "{}",
    position: 3,
    fields: { a: "b" },
  });
  const path = sealed("partitions", [
    {
      bytes: batchOf(
        [record(now), record(now + day), record(now - 90 * day), record(now - 80 * day)],
        { receiptMs: now },
      ),
      position: 3,
    },
    { bytes: batchOf([record(now)], { tenant: "other", receiptMs: now + 1 }), position: 4 },
    { bytes: batchOf([record(now)], { internal: true, receiptMs: now + 2 }), position: 5 },
  ]);
  const segment = openSegment(path);
  const blocks = [...segment.blocks()].map((block) => {
    const { tenant, internal, receiptMsMax } = segment.partitionOf(block);
    return [tenant, internal, block.rowCount, receiptMsMax - now, block.meta.positionMin];
  });
  assert.deepEqual(blocks, [
    ["default", false, 2, 0, 3],
    ["default", false, 1, 0, 3],
    ["default", false, 1, 0, 3],
    ["default", true, 1, 2, 5],
    ["other", false, 1, 1, 4],
  ]);
  assert.equal([...segment.blocks({ tenant: "other" })].length, 1);
  assert.equal([...segment.blocks({ timeFrom: { ms: now + 1, ns: 0 } })].length, 1);
  assert.equal([...segment.blocks({ timeTo: { ms: now, ns: 5 } })].length, 1);
  assert.equal([...segment.blocks({ timeTo: { ms: now, ns: 6 } })].length, 4);
  segment.close();
});

test("every way to encode a column gives back what was written, and its bounds", () => {
  const prng = new Prng(1);
  const records = Array.from({ length: 5_000 }, (_, i): TestRecord => {
    const fields = {
      same: "constant",
      level: prng.pick(["info", "error"]),
      path: `/p/${prng.below(2_000)}/long/enough/to/be/worth/a/dictionary`,
      bytes: String(prng.below(1e9)),
      sequence: String(900_000_000_000_000 - i * 3),
      some: i % 3 === 0 ? String(prng.below(1e6) - 500_000) : "",
      ratio: (prng.below(1e6) / 1_000).toFixed(3),
      _msg: `request ${prng.u32().toString(36)} took ${i}`,
    };
    return { ms: 1_700_000_000_000 + i, ns: 0, stream: '{a="b"}', position: 1, fields };
  });
  const segment = openSegment(sealed("kinds", [{ bytes: batchOf(records), position: 1 }]));
  const [block] = [...segment.blocks()];
  assert.ok(block !== undefined);
  const layouts = block.fieldNames.map((name) => [name, block.column(name)?.layout]);
  assert.deepEqual(Object.fromEntries(layouts), {
    same: "const",
    level: "dict",
    path: "dict",
    bytes: "rows",
    sequence: "rows",
    some: "rows",
    ratio: "rows",
    _msg: "rows",
  });
  for (const name of block.fieldNames) {
    const expected = records.map(({ fields }) => fields[name] ?? "");
    assert.deepEqual(valuesOf(block, name), expected, name);
    const column = block.column(name);
    if (column?.layout !== "rows") continue;
    const numbers: Float64Array = column.numbers();
    const parsed = expected.map((value) => (/^[-\d.]+$/.test(value) ? Number(value) : Number.NaN));
    assert.deepEqual([...numbers], parsed, name);
  }
  assert.equal(block.bounds("sequence")?.max, 900_000_000_000_000);
  assert.equal(block.bounds("some"), undefined);
  assert.equal(block.bounds("level"), undefined);
  const ratios = records.map(({ fields }) => Number(fields["ratio"]));
  assert.deepEqual(block.bounds("ratio"), { min: Math.min(...ratios), max: Math.max(...ratios) });
  segment.close();
});

test("a token filter knows every word of its column, and few others", () => {
  const prng = new Prng(2);
  for (const seed of [3, 4, 5]) {
    const records = randomRecords(new Prng(seed), 3_000);
    const segment = openSegment(
      sealed(`filter-${seed}`, [{ bytes: batchOf(records), position: 7 }]),
    );
    for (const block of segment.blocks()) {
      for (const name of block.fieldNames) {
        for (const value of new Set(valuesOf(block, name))) {
          assert.ok(block.mayContain(name, wordsOf(value)), `${name}: ${value}`);
        }
      }
    }
    segment.close();
  }
  const records = Array.from({ length: 5_000 }, (_, i): TestRecord => {
    const fields = { _msg: `word${i} and ${prng.u32().toString(36)}` };
    return { ms: i, ns: 0, stream: "{}", position: 1, fields };
  });
  const segment = openSegment(sealed("filter", [{ bytes: batchOf(records), position: 1 }]));
  const [block] = [...segment.blocks()];
  let found = 0;
  for (let i = 0; i < 2_000; i++) if (block?.mayContain("_msg", [`absent${i}`])) found++;
  assert.ok(found < 60, `${found} of 2,000 absent words were not seen as absent`);
  assert.equal(block?.mayContain("other", ["word1"]), false);
  segment.close();
});

test("every flipped byte of a segment is found, or changes nothing that is read", () => {
  const prng = new Prng(8);
  const records = randomRecords(prng, 80);
  const path = sealed("flip", [
    { bytes: batchOf(records, { receiptMs: records[0]!.ms }), position: 7 },
  ]);
  const whole = readFileSync(path);
  const expected = readAll(path);
  const flipped = join(directory, "flipped");
  for (let position = 0; position < whole.length; position++) {
    const bytes = Buffer.from(whole);
    bytes[position] = bytes[position]! ^ (1 << prng.below(8));
    writeFileSync(flipped, bytes);
    assert.throws(() => verifySegment(flipped), isDamaged, `byte ${position}`);
    assert.throws(() => checkSegment(flipped), isDamaged, `byte ${position} by its checksum alone`);
    try {
      assert.deepEqual(readAll(flipped), expected, `byte ${position}`);
    } catch (thrown) {
      assert.ok(isDamaged(thrown), `byte ${position}: ${String(thrown)}`);
    }
  }
});

test("a cut or scribbled segment is refused as damage, never otherwise", () => {
  const prng = new Prng(9);
  const records = randomRecords(prng, 80);
  const whole = readFileSync(sealed("scribble", [{ bytes: batchOf(records), position: 7 }]));
  const broken = join(directory, "broken");
  const cases = 1_500 + 100 * Number(process.env["LOGKEEP_SOAK_SEEDS"] ?? 0);
  for (let round = 0; round < cases; round++) {
    const cut = prng.chance(0.3) ? prng.below(whole.length) : whole.length;
    const bytes = Buffer.from(whole.subarray(0, cut));
    if (cut === whole.length) {
      for (let i = prng.below(5); i >= 0; i--) {
        const at = prng.below(bytes.length);
        bytes[at] = bytes[at]! ^ (1 + prng.below(255));
      }
    }
    writeFileSync(broken, bytes);
    assert.throws(() => verifySegment(broken), isDamaged, `round ${round}`);
    assert.throws(() => checkSegment(broken), isDamaged, `round ${round} by checksums alone`);
  }
});

test("damage of a column names file, block and column, and the other columns are served", () => {
  const records = Array.from({ length: 500 }, (_, i): TestRecord => {
    const fields = { _msg: `message number ${i * 7919} of many`, other: `x${i * 31}` };
    return { ms: i, ns: 0, stream: "{}", position: 1, fields };
  });
  const path = sealed("column", [{ bytes: batchOf(records), position: 1 }]);
  const bytes = readFileSync(path);
  const segment = openSegment(path);
  const [block] = [...segment.blocks()];
  // The last chunks of a block are those of its last field, and then its header.
  const at = block!.meta.at + block!.meta.header.at - 1;
  segment.close();
  bytes[at] = bytes[at]! ^ 1;
  writeFileSync(path, bytes);
  const damagedSegment = openSegment(path);
  const [damagedBlock] = [...damagedSegment.blocks()];
  assert.equal(valuesOf(damagedBlock!, "_msg")[3], "message number 23757 of many");
  assert.throws(
    () => damagedBlock!.mayContain("other", ["x"]),
    (thrown) => {
      assert.ok(thrown instanceof ServiceError);
      const { file, block: ordinal, column } = thrown.fields;
      assert.deepEqual([file, ordinal, column], [path, 0, "filter other"]);
      return isDamaged(thrown);
    },
  );
  damagedSegment.close();
  const output = join(directory, "column-merged");
  const inputs = [{ path, uuid: "column", damagedBlocks: [] as number[] }];
  const options = { ...identityOf(output), level: 1, inputs };
  assert.equal(mergeSegments(options).rows, 500);
  const without = mergeSegments({ ...options, inputs: [{ ...inputs[0]!, damagedBlocks: [0] }] });
  assert.equal(without.rows, 0);
});

test("records of one stream and equal time stay in the order of the log from block to block", () => {
  let count = 0;
  const batch = (position: number) => {
    const records = Array.from({ length: 8_000 }, (): TestRecord => {
      return { ms: 5, ns: 7, stream: "{}", position, fields: { n: String(count++) } };
    });
    return { bytes: batchOf(records), position };
  };
  const inputs = [0, 1].map((file) =>
    sealed(
      `equal-${file}`,
      [1, 2, 3, 4, 5].map((i) => batch(file * 5 + i)),
    ),
  );
  const order = (path: string) => readAll(path).map(({ fields }) => Number(fields["n"]));
  const expected = Array.from({ length: count }, (_, i) => i);
  assert.deepEqual(inputs.flatMap(order), expected);
  const path = join(directory, "equal");
  mergeSegments({
    ...identityOf(path),
    level: 1,
    inputs: inputs.map((input) => ({ path: input, uuid: input })),
  });
  assert.deepEqual(order(path), expected);
  assert.deepEqual(
    verifySegment(path).blocks.map(({ rowCount }) => rowCount),
    [40_000, 40_000],
  );
});

test("a merge leaves out what has expired and makes bigger blocks", () => {
  const make = (from: number, tenant: string) =>
    Array.from({ length: 8_000 }, (_, i): TestRecord => {
      return { ms: from + i, ns: 0, stream: "{}", position: 1, fields: { tenant, i: `n${i}` } };
    });
  const inputs = [0, 8_000, 16_000].map((from) =>
    sealed(`big-${from}`, [
      { bytes: batchOf(make(from, "keep"), { tenant: "keep" }), position: 1 },
      { bytes: batchOf(make(from, "drop"), { tenant: "drop" }), position: 2 },
    ]),
  );
  const path = join(directory, "big");
  mergeSegments({
    ...identityOf(path),
    level: 1,
    inputs: inputs.map((input) => ({ path: input, uuid: input })),
    isExpired: ({ tenant }) => tenant === "drop",
  });
  const segment = openSegment(path);
  assert.deepEqual(
    [...segment.blocks()].map(({ rowCount }) => rowCount),
    [24_000],
  );
  assert.deepEqual(
    segment.footer.partitions.map(({ tenant }) => tenant),
    ["keep"],
  );
  segment.close();
});

test("a seal that fails leaves no file", () => {
  const bytes = batchOf(randomRecords(new Prng(1), 50));
  bytes.fill(0xff, 200);
  const path = join(directory, "failed");
  assert.throws(
    () => sealSegment({ ...identityOf(path), batches: [{ bytes, position: 1 }] }),
    isDamaged,
  );
  assert.deepEqual(
    readdirSync(directory).filter((name) => name.startsWith("failed")),
    [],
  );
  const nowhere = identityOf(join(directory, "absent", "file"));
  assert.throws(
    () => sealSegment({ ...nowhere, batches: [] }),
    (thrown) =>
      thrown instanceof ServiceError &&
      thrown.code === "storage.failed" &&
      thrown.fields["errno"] === "ENOENT",
  );
});

test("a full disk is told as such, and leaves no file", {
  skip: existsSync("/dev/full") ? false : "there is no /dev/full here",
}, () => {
  const path = join(directory, "full");
  // Writes through this link fail with ENOSPC, as on a full disk.
  symlinkSync("/dev/full", `${path}.tmp`);
  const bytes = batchOf(randomRecords(new Prng(1), 50));
  assert.throws(
    () => sealSegment({ ...identityOf(path), batches: [{ bytes, position: 1 }] }),
    (thrown) => thrown instanceof ServiceError && thrown.code === "storage.full",
  );
  assert.deepEqual(
    readdirSync(directory).filter((name) => name.startsWith("full")),
    [],
  );
});

test("a cache keeps no more than its bytes, and lets the least recently used go", () => {
  const cache = new BlockCache(100);
  const get = (key: string) => cache.get(key, () => ({ value: key, bytes: 25 }));
  for (const key of ["a", "b", "c", "d", "a", "e"]) assert.equal(get(key), key);
  assert.equal(cache.bytes, 100);
  const before = cache.misses;
  get("a");
  assert.equal(cache.misses, before);
  get("b");
  assert.equal(cache.misses, before + 1);
  cache.get("huge", () => ({ value: 0, bytes: 26 }));
  assert.equal(cache.bytes, 100);
});

test("a pass over chunks leaves columns half of a cache, and the other way round", () => {
  for (const [kept, passed] of [
    ["column", "chunk"],
    ["chunk", "column"],
  ] as const) {
    const cache = new BlockCache(100);
    const get = (key: string, kind: "column" | "chunk") =>
      cache.get(key, () => ({ value: key, bytes: 10 }), kind);
    const own = ["a", "b", "c", "d", "e"];
    for (const key of own) get(key, kept);
    for (let i = 0; i < 50; i++) get(`passes ${i}`, passed);
    assert.equal(cache.bytes, 100);
    const before = cache.misses;
    for (const key of own) get(key, kept);
    assert.equal(cache.misses, before, kept);
  }
});

test("a token filter is checked before the first word is looked for, and read in parts", () => {
  const words = Array.from({ length: 400 }, (_, i) => `w${i * 7919}`);
  const records = words.map((word, i) => {
    const fields = { _msg: `the ${word} of ${i} was told to go` };
    return { ms: 1_763_600_000_000 + i, ns: 0, stream: '{a="b"}', position: 1, fields };
  });
  const bytes = batchOf(records);
  const path = sealed("filter", [{ bytes, position: 1 }]);
  const asked = (word: string): boolean => {
    const segment = openSegment(path, new BlockCache(1 << 20));
    try {
      return [...segment.blocks()].some((block) => block.mayContain("_msg", [word]));
    } finally {
      segment.close();
    }
  };
  for (const word of words) assert.ok(asked(word), word);
  assert.equal(asked("absent"), false);
  const raw = readFileSync(path);
  const { meta } = readBlock(path);
  // The token filters are the last of a block's chunks but its header.
  const last = meta.at + meta.header.at - 1;
  raw[last] = raw[last]! ^ 1;
  writeFileSync(path, raw);
  for (const word of ["absent", words[0]!]) {
    assert.throws(
      () => asked(word),
      (thrown) => thrown instanceof ServiceError && thrown.code === "storage.damaged",
    );
  }
});

function readBlock(path: string) {
  const segment = openSegment(path);
  try {
    const [block] = [...segment.blocks()];
    return block!;
  } finally {
    segment.close();
  }
}

function identityOf(path: string) {
  return { path, uuid: path, shard: 3, epoch: 2, positionFrom: 1, positionThrough: 9 };
}

function sealed(name: string, batches: { bytes: Uint8Array; position: number }[]): string {
  const path = join(directory, name);
  sealSegment({ ...identityOf(path), batches });
  return path;
}

function readAll(path: string): TestRecord[] {
  const segment = openSegment(path, new BlockCache(1 << 20));
  try {
    return [...segment.blocks()].flatMap(recordsOf);
  } finally {
    segment.close();
  }
}

/** Records by stream and time, those that are equal in both by position, and otherwise as they come. */
function inStreamOrder(records: readonly TestRecord[]): TestRecord[] {
  const compare = (a: TestRecord, b: TestRecord) =>
    (a.stream < b.stream ? -1 : a.stream > b.stream ? 1 : 0) ||
    a.ms - b.ms ||
    a.ns - b.ns ||
    a.position - b.position;
  return [...records].sort(compare).map((each) => ({
    ...each,
    fields: Object.fromEntries(Object.entries(each.fields).sort(byName)),
  }));
}

/** Within a block: by stream, time and position. From block to block of a day: by time. */
function assertBlocksInOrder(path: string): void {
  const segment = openSegment(path);
  for (const block of segment.blocks()) {
    const records = recordsOf(block).map(({ stream, ms, ns, position }) => ({
      stream,
      ms,
      ns,
      position,
      fields: {},
    }));
    assert.deepEqual(records, inStreamOrder(records));
  }
  segment.close();
}

function isDamaged(thrown: unknown): boolean {
  return thrown instanceof ServiceError && thrown.code === "storage.damaged";
}
