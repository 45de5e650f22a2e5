// Goal: what an index says of variables without decoding them leaves no variable out that holds the bytes.
// Method: messages of all kinds of variables are sealed, and each variable is asked for pieces of its own values.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Template } from "../../../kit/src/block.ts";
import { Prng } from "../../../kit/src/prng.ts";
import { openSegment } from "../../src/segment/reader.ts";
import { sealSegment } from "../../src/segment/writer.ts";
import { batchOf, type TestRecord } from "../format/records.ts";

const rounds = Number(process.env["LOGKEEP_SOAK_SEEDS"] ?? 8);
const directory = mkdtempSync(join(tmpdir(), "logkeep-variables-"));
after(() => rmSync(directory, { recursive: true }));

test("a variable that holds some bytes is among those that may", () => {
  let asked = 0;
  for (let seed = 0; seed < rounds; seed++) {
    const prng = new Prng(seed);
    const path = join(directory, `${seed}`);
    sealMessages(path, messages(prng, 800));
    const segment = openSegment(path);
    for (const block of segment.blocks()) {
      const templates = block.column("_msg")?.templates;
      for (const [number, template] of (templates?.templates ?? []).entries()) {
        for (let index = 0; index < variableCount(template); index++) {
          const { bytes, offsets } = templates!.variable(number, index).values();
          for (let i = 0; i < 5; i++) {
            const value = prng.below(offsets.length - 1);
            const piece = pieceOf(prng, bytes.subarray(offsets[value], offsets[value + 1]));
            if (piece.length === 0) continue;
            // From the second question on it is asked which pieces of words there are at all.
            assert.ok(block.mayHold("_msg", piece), `seed ${seed}: ${piece.toString()}`);
            const found = templates!.variablesHolding(piece);
            const isAmong = found === undefined || found.get(number)?.includes(index) === true;
            assert.ok(isAmong, `seed ${seed}: ${piece.toString()} in ${number}.${index}`);
            if (found !== undefined) asked++;
          }
        }
      }
      const nowhere = templates?.variablesHolding(Buffer.from("nowhere-to-be-found"));
      const all = (templates?.templates ?? []).reduce((sum, each) => sum + variableCount(each), 0);
      const some = [...(nowhere?.values() ?? [])].reduce((sum, each) => sum + each.length, 0);
      assert.ok(some < all, "most are left out");
    }
    segment.close();
  }
  assert.ok(asked > rounds * 10, `${asked} were told`);
});

test("letters of an id are found on both sides of a dash, in a message and in the field that it repeats", () => {
  const prng = new Prng(5);
  for (const field of ["session", "other"]) {
    const records = messages(prng, 800).map((record, i) => {
      if (i % 2 === 0) return record;
      const id = uuidOf(prng);
      const fields = { _msg: `session ${id} is over`, [field]: field === "session" ? id : `${i}` };
      return { ...record, fields };
    });
    const path = join(directory, `ids-${field}`);
    sealMessages(path, records);
    const segment = openSegment(path);
    const [block] = [...segment.blocks()];
    const { templates } = block!.column("_msg")!;
    for (const _ of "twice") block!.mayHold("_msg", Buffer.from("session"));
    for (const { fields } of records) {
      const text = fields["_msg"] ?? "";
      if (!text.startsWith("session")) continue;
      for (const [piece] of text.matchAll(/[a-f]+-[a-f]+/g)) {
        const found = templates!.variablesHolding(Buffer.from(piece));
        assert.ok(found === undefined || found.size > 0, `${piece} of ${text}`);
        assert.ok(block!.mayHold("_msg", Buffer.from(piece)), `${piece} of ${text}`);
      }
    }
    assert.equal(templates!.variablesHolding(Buffer.from("-session"))?.size, 0);
    segment.close();
  }
});

function uuidOf(prng: Prng): string {
  const hex = (digits: number) =>
    Array.from({ length: digits }, () => "0123456789abcdef"[prng.below(16)]).join("");
  return [8, 4, 4, 4, 12].map(hex).join("-");
}

test("the templates whose literals hold some bytes are found, and no others", () => {
  for (let seed = 0; seed < rounds; seed++) {
    const prng = new Prng(seed);
    const path = join(directory, `literals-${seed}`);
    sealMessages(path, messages(prng, 300));
    const segment = openSegment(path);
    for (const block of segment.blocks()) {
      const { templates } = block.column("_msg")!;
      for (const { literals } of templates!.templates) {
        for (const literal of literals) {
          const piece = pieceOf(prng, literal);
          if (piece.length === 0) continue;
          const right = templates!.templates.flatMap((each, number) =>
            each.literals.some((other) => other.includes(piece)) ? [number] : [],
          );
          const found = [...templates!.templatesHolding(piece)];
          assert.deepEqual(found, right, `seed ${seed}: ${JSON.stringify(piece.toString())}`);
        }
      }
    }
    segment.close();
  }
});

function variableCount({ literals, rowCount }: Template): number {
  return rowCount === 0 ? 0 : literals.length - 1;
}

function pieceOf(prng: Prng, value: Buffer): Buffer {
  const from = prng.below(value.length + 1);
  return value.subarray(from, from + 1 + prng.below(value.length - from + 1));
}

function sealMessages(path: string, records: readonly TestRecord[]): void {
  const bytes = batchOf(records);
  sealSegment({
    ...{ path, uuid: crypto.randomUUID(), shard: 0, epoch: 1 },
    ...{ positionFrom: 1, positionThrough: 1 },
    batches: [{ bytes, position: 1 }],
  });
}

function messages(prng: Prng, count: number): TestRecord[] {
  const hosts = ["web-01.example.org", "db-7.example.org", "Кафка-3", "cache_2"];
  const hex = (digits: number) =>
    Array.from({ length: digits }, () => "0123456789abcdef"[prng.below(16)]).join("");
  const path = () => `/${prng.pick(hosts)}/a${prng.below(50)}/index-${prng.below(9)}.html`;
  return Array.from({ length: count }, (_, i) => {
    const ms = 1_763_600_000_000 + i * 977;
    const client = `10.${prng.below(4)}.0.${prng.below(250)}`;
    const text = [
      `request ${hex(32)} from ${client} took ${prng.below(900)}ms on ${prng.pick(hosts)}`,
      `GET ${path()} 200 ${prng.below(1e6)} "Mozilla/${prng.below(9)}.0 (X11; U; Linux) Gecko"`,
      `block blk_-${prng.below(1e9)} of size ${prng.below(1e5)} at ${new Date(ms).toISOString()}`,
      `worker-${prng.below(20)}: id=0x${hex(1 + prng.below(8))} state=${prng.pick(["up2", "down3"])}`,
      `free text ${hex(3)} ${prng.pick(hosts)} ${path()} ${hex(12).toUpperCase()}`,
    ];
    return {
      ...{ ms, ns: 0, stream: '{host="a"}', position: 1 },
      fields: { _msg: prng.pick(text), client },
    };
  });
}
