import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Block, Values } from "../../../kit/src/block.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import { Prng } from "../../../kit/src/prng.ts";
import { openBatch } from "../../src/format/batch.ts";
import type { BlockColumns } from "../../src/format/block-content.ts";
import { BlockEncoder } from "../../src/format/block-encoder.ts";
import { ByteReader } from "../../src/format/byte-reader.ts";
import { ByteWriter } from "../../src/format/byte-writer.ts";
import { unpack } from "../../src/format/chunk.ts";
import { BlockContent2 } from "../../src/format/content.ts";
import { packIntegers, unpackIntegers } from "../../src/format/integers.ts";
import { numberAt, numbersOf } from "../../src/format/numbers.ts";
import { sortedByTime } from "../../src/format/row-order.ts";
import { parseWholeNumbers, printWholeNumbers } from "../../src/format/whole-numbers.ts";
import { batchOf, randomRecords } from "./records.ts";
import { rowSetOf } from "./values-block.ts";

const fuzzCases = 6_000 + 100 * Number(process.env["LOGKEEP_SOAK_SEEDS"] ?? 0);

test("packed numbers unpack to themselves, be they whole, vast, broken or none", () => {
  const whole = fc.oneof(
    fc.integer({ min: -5, max: 300 }),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.constantFrom(-(2 ** 51), 2 ** 51, 2 ** 53, 0, 255, 256, 65_535, 65_536),
  );
  const numbers = fc.oneof(fc.array(whole), fc.array(fc.double()), fc.array(fc.nat(40)));
  fc.assert(
    fc.property(numbers, (values) => {
      const array = Float64Array.from(values);
      assert.deepEqual(unpackIntegers(packIntegers(array), array.length), array);
    }),
    { seed: 11, numRuns: 2_000 },
  );
});

test("ascending numbers pack into as many bytes as their steps need", () => {
  const times = Float64Array.from({ length: 1_000 }, (_, i) => 1_700_000_000_000 + i * 3);
  assert.equal(packIntegers(times).length, 16 + 1_000);
  assert.equal(packIntegers(new Float64Array(1_000).fill(7)).length, 16);
});

test("whole numbers print back to their bytes; what would not is no whole number", () => {
  const texts = fc.array(
    fc.oneof(
      fc.integer({ min: -(10 ** 9), max: 10 ** 9 }).map(String),
      fc.integer({ min: -(10 ** 15) + 1, max: 10 ** 15 - 1 }).map(String),
      fc.constantFrom("", "0", "-1", "999999999999999", "2147483648"),
    ),
    { minLength: 1 },
  );
  fc.assert(
    fc.property(texts, (values) => {
      const parsed = parseWholeNumbers(valuesFrom(values));
      if (values.every((value) => value === "")) {
        assert.equal(parsed, undefined);
        return;
      }
      assert.ok(parsed !== undefined);
      assert.deepEqual(textsOf(printWholeNumbers(parsed.numbers, parsed.absent)), values);
    }),
    { seed: 12, numRuns: 1_000 },
  );
  for (const odd of ["007", "-0", "+1", "1.0", "1e3", "-", " 1", "1234567890123456", "٣"]) {
    assert.equal(parseWholeNumbers(valuesFrom(["1", odd])), undefined, odd);
  }
});

const numberCases: readonly (readonly [string, number])[] = [
  ["12", 12],
  ["-7", -7],
  ["007", 7],
  ["0.25", 0.25],
  ["-1.5e3", -1500],
  ["123456789012345678", 123456789012345680],
  ["", Number.NaN],
  ["-", Number.NaN],
  ["1.", Number.NaN],
  [".5", Number.NaN],
  ["+5", Number.NaN],
  ["0x10", Number.NaN],
  ["Infinity", Number.NaN],
  ["12ms", Number.NaN],
];

for (const [text, number] of numberCases) {
  test(`the number of ${JSON.stringify(text)} is ${number}`, () => {
    const bytes = Buffer.from(`x${text}9`);
    assert.equal(numberAt(bytes, 1, 1 + text.length), number);
    assert.deepEqual(numbersOf(valuesFrom([text])), Float64Array.of(number));
  });
}

test("what a byte writer wrote, a byte reader reads, and no more", () => {
  const out = new ByteWriter();
  const numbers = [0, 1, 127, 128, 16_384, 2 ** 32, Number.MAX_SAFE_INTEGER];
  for (const number of numbers) out.varint(number);
  out.f64(-0.5);
  out.text("naïve".repeat(500));
  const from = new ByteReader(Buffer.from(out.bytes));
  assert.deepEqual(
    numbers.map(() => from.varint()),
    numbers,
  );
  assert.equal(from.f64(), -0.5);
  assert.equal(from.text(), "naïve".repeat(500));
  assert.ok(from.isAtEnd);
  assert.throws(() => from.varint(), isDamaged);
});

test("a block's header and columns of any bytes are read or refused as damage", () => {
  const prng = new Prng(13);
  let block = encodedBlock(randomRecords(prng, 60));
  for (let round = 0; round < fuzzCases; round++) {
    if (round % 500 === 499) block = encodedBlock(randomRecords(prng, 60));
    const bytes = Buffer.from(block.header);
    const scribble = (where: Buffer): void => {
      for (let i = prng.below(4); i >= 0; i--) where[prng.below(where.length)] = prng.below(256);
    };
    const isHeader = prng.chance(0.5);
    if (isHeader) scribble(bytes);
    try {
      readColumns(bytes, block.raw, isHeader ? () => {} : scribble);
    } catch (thrown) {
      assert.ok(isDamaged(thrown), `round ${round}: ${String(thrown)}`);
    }
  }
});

/** A block of the records: its header's bytes, and all chunks before it. */
function encodedBlock(records: Parameters<typeof batchOf>[0]): { header: Buffer; raw: Buffer } {
  const bytes = batchOf(records);
  const batch: Block = openBatch(bytes, 0, bytes.length, 1);
  const block = new BlockEncoder().encode(sortedByTime(rowSetOf(batch)), [batch], 1);
  const raw = Buffer.concat(block.chunks);
  const { at, length } = block.header;
  return { header: unpack(raw.subarray(at, at + length), block.header), raw };
}

/** Reads all that a header leads to; `scribble` may change what the chunks hold. */
function readColumns(header: Buffer, raw: Buffer, scribble: (frame: Buffer) => void): void {
  const content = new BlockContent2(header, (ref) => {
    const frame = Buffer.from(unpack(raw.subarray(ref.at, ref.at + ref.length), ref));
    if (frame.length > 0) scribble(frame);
    return frame;
  });
  const columns: BlockColumns = {
    times: () => content.times(columns),
    kept: (_, make) => make().value,
    column: (field) => content.column(field, columns)?.column,
  };
  content.times(columns);
  content.positions(columns);
  content.streamCodes(columns);
  for (const name of content.fieldNames) {
    const column = columns.column(name);
    column?.pick(Uint32Array.of(0));
    column?.values();
    column?.numbers();
    content.valueCounts(name);
    content.mayContain(name, ["word", "12"], columns);
  }
}

function valuesFrom(texts: readonly string[]): Values {
  let end = 0;
  const offsets = Uint32Array.of(0, ...texts.map((text) => (end += Buffer.byteLength(text))));
  return { bytes: Buffer.from(texts.join("")), offsets };
}

function textsOf({ bytes, offsets }: Values): string[] {
  return Array.from({ length: offsets.length - 1 }, (_, i) =>
    bytes.toString("utf8", offsets[i], offsets[i + 1]),
  );
}

function isDamaged(thrown: unknown): boolean {
  return thrown instanceof ServiceError && thrown.code === "storage.damaged";
}
