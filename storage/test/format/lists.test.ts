// Goal: a list of values is read as it was written, whatever lists were written before it: their memory is shared.
// Method: lists of all kinds and sizes, drawn by a seed, are written one after the other; each is read at once.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../../../kit/src/prng.ts";
import { ByteReader } from "../../src/format/byte-reader.ts";
import { ByteWriter } from "../../src/format/byte-writer.ts";
import { PayloadReader, PayloadWriter } from "../../src/format/streams.ts";
import { listKind, writeList } from "../../src/format/value-list.ts";
import { readList } from "../../src/format/value-list-reader.ts";
import { viewOf } from "../../src/format/words.ts";

const rounds = Number(process.env["LOGKEEP_SOAK_SEEDS"] ?? 20);

/** Writes the list between other bytes and reads it again; returns the values and the kind. */
function written(values: readonly string[]): { read: string[]; kind: number } {
  const bytes = Buffer.from(`before${values.join("")}after`);
  const starts = new Uint32Array(values.length);
  const ends = new Uint32Array(values.length);
  let at = "before".length;
  for (const [i, value] of values.entries()) {
    starts[i] = at;
    at += Buffer.byteLength(value);
    ends[i] = at;
  }
  const to = { out: new ByteWriter(), packed: new PayloadWriter(), text: new PayloadWriter() };
  writeList({ bytes, view: viewOf(bytes), starts, ends, count: values.length }, to);
  const source = {
    head: new ByteReader(Buffer.from(to.out.bytes)),
    packed: new PayloadReader(Buffer.from(to.packed.bytes)),
    text: new PayloadReader(Buffer.from(to.text.bytes)),
  };
  const list = readList(source, values.length);
  source.packed.checkEnd();
  source.text.checkEnd();
  const { offsets } = list.values;
  const read = values.map((_, i) => {
    const value = list.codes?.[i] ?? (offsets.length === 2 ? 0 : i);
    return list.values.bytes.toString("utf8", offsets[value], offsets[value + 1]);
  });
  return { read, kind: to.out.bytes[0]! };
}

/** Digits without a zero in front, so many of them. */
function digits(prng: Prng, count: number): string {
  let text = String(1 + prng.below(9));
  while (text.length < count) text += String(prng.below(10));
  return text;
}

const makers: readonly ((prng: Prng) => string)[] = [
  (prng) => digits(prng, 1 + prng.below(30)),
  (prng) => digits(prng, 1 + prng.below(6)),
  (prng) => `blk_-${digits(prng, 15 + prng.below(6))}`,
  (prng) => `${prng.below(256)}.${prng.below(256)}.${prng.below(256)}:${prng.below(65_536)}`,
  (prng) => `00${digits(prng, 4)}-${prng.below(100)}`,
  (prng) => `${digits(prng, 20)}/${prng.below(10)}`,
  (prng) =>
    prng
      .below(2 ** 31)
      .toString(16)
      .padStart(16, "0"),
  (prng) => `é${prng.below(5)} of the same`,
  (prng) => "x".repeat(prng.below(300)),
  () => "",
  () => "alike",
];

test("a list is read as it was written, whatever was written before it", () => {
  const kinds = new Set<number>();
  for (let seed = 0; seed < rounds; seed++) {
    const prng = new Prng(seed);
    for (let list = 0; list < 40; list++) {
      const one = makers[prng.below(makers.length)]!;
      const other = makers[prng.below(makers.length)]!;
      const mixed = prng.below(3) === 0 ? 1 + prng.below(5) : 0;
      const count = 1 + prng.below(prng.below(8) === 0 ? 3_000 : 60);
      const values = Array.from({ length: count }, () =>
        prng.below(10) < mixed ? other(prng) : one(prng),
      );
      const { read, kind } = written(values);
      assert.deepEqual(read, values, `seed ${seed}, list ${list}`);
      kinds.add(kind);
    }
  }
  assert.deepEqual([...kinds].sort(), Object.values(listKind).sort(), "all kinds were written");
});

test("long numbers leave nothing behind for the next list of the same shape", () => {
  const long = Array.from({ length: 40 }, (_, i) => `id-${"9".repeat(19)}${i % 10}`);
  const short = Array.from({ length: 40 }, (_, i) => `id-${1_000 + i}`);
  const both = [...short.slice(0, 20), ...long.slice(0, 20)];
  for (const values of [long, short, both, short, long, both]) {
    assert.deepEqual(written(values), { read: values, kind: listKind.shapes });
  }
});
