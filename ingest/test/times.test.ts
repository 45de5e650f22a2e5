import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../../kit/src/prng.ts";
import { momentPrint } from "../../kit/src/time.ts";
import { TimeReader } from "../src/protocol/times.ts";

function read(text: string): string {
  const reader = new TimeReader();
  const bytes = Buffer.from(`..${text}\0`);
  return reader.read(bytes, 2, bytes.length - 1) ?? momentPrint(reader);
}

const unreadable = "the time cannot be read";
const outside = "the time is not in 1970 to 2262";

const cases: readonly (readonly [text: string, time: string])[] = [
  ["2026-11-20T00:00:00.123Z", "2026-11-20T00:00:00.123Z"],
  ["2026-11-20T00:00:00Z", "2026-11-20T00:00:00Z"],
  ["2026-11-20t00:00:00z", "2026-11-20T00:00:00Z"],
  ["2026-11-20 01:02:03", "2026-11-20T01:02:03Z"],
  ["2026-11-20T01:02:03,5Z", "2026-11-20T01:02:03.500Z"],
  ["2026-11-20T01:02:03.123456789Z", "2026-11-20T01:02:03.123456789Z"],
  ["2026-11-20T01:02:03.1234567899Z", "2026-11-20T01:02:03.123456789Z"],
  ["2026-11-20T01:02:03.000001Z", "2026-11-20T01:02:03.000001Z"],
  ["2026-11-20T01:30:00+02:00", "2026-11-19T23:30:00Z"],
  ["2026-11-20T01:30:00.5-0530", "2026-11-20T07:00:00.500Z"],
  ["2026-11-20T01:30:00+01", "2026-11-20T00:30:00Z"],
  ["2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"],
  ["2023-02-29T00:00:00Z", unreadable],
  ["2026-13-01T00:00:00Z", unreadable],
  ["2026-00-10T00:00:00Z", unreadable],
  ["2026-11-00T00:00:00Z", unreadable],
  ["2026-11-31T00:00:00Z", unreadable],
  ["2026-11-20T24:00:00Z", unreadable],
  ["2026-11-20T00:60:00Z", unreadable],
  ["2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"],
  ["2026-11-20T00:00:00.Z", unreadable],
  ["2026-11-20T00:00:00ZZ", unreadable],
  ["2026-11-20T00:00:00+25:00", unreadable],
  ["2026-11-20T00:00:00+0:00", unreadable],
  ["2026-11-20T00:00", unreadable],
  ["2026-11-20", unreadable],
  ["1969-12-31T23:59:59.999Z", outside],
  ["1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"],
  ["2262-04-11T23:47:16.854Z", "2262-04-11T23:47:16.854Z"],
  ["2262-04-11T23:47:16.855Z", outside],
  ["0000-01-01T00:00:00Z", unreadable],
  ["1763640000", "2025-11-20T12:00:00Z"],
  ["1763640000.123456789", "2025-11-20T12:00:00.123456789Z"],
  ["1763640000123", "2025-11-20T12:00:00.123Z"],
  ["1763640000123.5", "2025-11-20T12:00:00.123500Z"],
  ["1763640000123456", "2025-11-20T12:00:00.123456Z"],
  ["1763640000123456789", "2025-11-20T12:00:00.123456789Z"],
  ["1.763640000123e+12", "2025-11-20T12:00:00.123Z"],
  ["1.76364e9", "2025-11-20T12:00:00Z"],
  ["1763640000000e-3", "2025-11-20T12:00:00Z"],
  ["0", "1970-01-01T00:00:00Z"],
  ["0.5", "1970-01-01T00:00:00.500Z"],
  ["00000000001763640000", "2025-11-20T12:00:00Z"],
  ["99999999999", "5138-11-16T09:46:39Z"],
  ["100000000000", "1973-03-03T09:46:40Z"],
  ["99999999999999", "5138-11-16T09:46:39.999Z"],
  ["9223372036854775807", "2262-04-11T23:47:16.854775807Z"],
  ["9999999999999999999", outside],
  ["99999999999999999999", unreadable],
  ["-1", unreadable],
  ["1.2.3", unreadable],
  ["1e99", unreadable],
  ["1e999", unreadable],
  ["1e", unreadable],
  [".", unreadable],
  ["", unreadable],
  ["12a", unreadable],
];

for (const [text, time] of cases) {
  const want = /^(3|4|5)\d{3}-/.test(time) ? outside : time;
  test(`the time ${JSON.stringify(text)} is ${want}`, () => assert.equal(read(text), want));
}

test("any moment is read back from RFC 3339, from nanoseconds and from any smaller unit it is whole in", () => {
  const random = new Prng(7);
  for (let i = 0; i < 2_000; i++) {
    const seconds = 1_000_000_000 + random.below(8_000_000_000);
    const nanos = random.below(1_000_000_000);
    const ms = seconds * 1_000 + Math.floor(nanos / 1_000_000);
    const want = momentPrint({ ms, ns: nanos % 1_000_000 });
    assert.equal(read(want), want);
    const digits = `${seconds}${String(nanos).padStart(9, "0")}`;
    assert.equal(read(digits), want);
    assert.equal(read(`${seconds}.${String(nanos).padStart(9, "0")}`), want);
  }
});
