import assert from "node:assert/strict";
import test from "node:test";
import { eventTypes } from "../../coordinator/src/wire/constants.ts";
import { faultsOf, type Seen } from "./history.ts";

/** What a session sees, one frame after the other; `before` says how many frames came earlier. */
function session(name: string, ...frames: readonly Frame[]): Seen[] {
  return frames.map((frame, at) => ({ session: name, order: at + 1, ...frame }) as Seen);
}

type Frame = { readonly kind: Seen["kind"] } & Readonly<Record<string, unknown>>;

function read(path: string, version: number, mzxid: number, more: object = {}): Frame {
  const value = `${path}${version}`;
  return { kind: "read", path, version, mzxid, value, zxid: mzxid, isWatched: false, ...more };
}

function wrote(path: string, version: number, mzxid: number, sent: number): Frame {
  return { kind: "wrote", path, version, mzxid, value: `${path}${version}`, sent };
}

function changed(path: string): Frame {
  return { kind: "event", path, type: eventTypes.dataChanged };
}

function own(czxid: number): Frame {
  return { kind: "own", path: "/e", czxid };
}

const watched = { isWatched: true };
const detached: Frame = { kind: "detached" };

const cases: { readonly name: string; readonly seen: readonly Seen[]; readonly fault?: RegExp }[] =
  [
    { name: "nothing", seen: [] },
    {
      name: "two sessions, one behind the other",
      seen: [
        ...session("1", wrote("/a", 1, 10, 1), read("/a", 1, 10), read("/b", 0, 5, { zxid: 11 })),
        ...session("2", read("/a", 0, 4), read("/a", 1, 10)),
      ],
    },
    {
      name: "one version with two values",
      seen: [
        ...session("1", wrote("/a", 1, 10, 1)),
        ...session("2", read("/a", 1, 10, { value: "other" })),
      ],
      fault: /^\/a at version 1 is (\/a1|other) of 0xa and (\/a1|other) of 0xa$/,
    },
    {
      name: "one version of two txns",
      seen: [...session("1", wrote("/a", 1, 10, 1)), ...session("2", read("/a", 1, 11))],
      fault: /^\/a at version 1 is/,
    },
    {
      name: "a path read as it was before",
      seen: session("1", read("/a", 1, 10), read("/a", 0, 4, { zxid: 12 })),
      fault: /shows 0x4, not 0xa, after 0xa/,
    },
    {
      name: "an answer of a server that is behind what the session saw",
      seen: session("1", read("/a", 1, 10), read("/b", 0, 4)),
      fault: /\/b .* was answered at 0x4 after 0xa/,
    },
    {
      name: "a path as it was before another path's change that the session saw",
      seen: [
        ...session("1", wrote("/b", 1, 8, 1)),
        ...session("2", read("/a", 1, 10), read("/b", 0, 4, { zxid: 12 })),
      ],
      fault: /\/b .* shows 0x4, not 0x8, after 0xa/,
    },
    {
      name: "the same path, behind, before the session saw anything later",
      seen: [
        ...session("1", wrote("/b", 1, 8, 1)),
        ...session("2", read("/b", 0, 4), read("/a", 1, 10)),
      ],
    },
    {
      name: "what one session saw is no promise to another",
      seen: [...session("1", read("/a", 1, 10)), ...session("2", read("/a", 0, 4))],
    },
    {
      name: "writes done in another order than they were sent",
      seen: session("1", wrote("/a", 1, 10, 2), wrote("/b", 1, 12, 1)),
      fault: /\/a .* was done before \/b/,
    },
    {
      name: "a write below what its session has seen",
      seen: session("1", read("/b", 1, 12), wrote("/a", 1, 10, 1)),
      fault: /\/a .* was written below 0xc/,
    },
    {
      name: "a watch that fires before the change is read",
      seen: session("1", read("/a", 0, 4, watched), changed("/a"), read("/a", 1, 10)),
    },
    {
      name: "a change that is read before its watch fires",
      seen: session("1", read("/a", 0, 4, watched), read("/a", 1, 10), changed("/a")),
      fault: /\/a .* was read at version 1 before its watch fired/,
    },
    {
      name: "a change that is read and its watch never fires",
      seen: session("1", read("/a", 0, 4, watched), read("/a", 1, 10, watched)),
      fault: /before its watch fired/,
    },
    {
      name: "a watch that fires twice",
      seen: session("1", read("/a", 0, 4, watched), changed("/a"), changed("/a")),
      fault: /fired without a watch/,
    },
    {
      name: "a watch that is set twice fires once",
      seen: session("1", read("/a", 0, 4, watched), read("/a", 0, 4, watched), changed("/a")),
    },
    {
      name: "a watch whose connection broke",
      seen: session("1", read("/a", 0, 4, watched), detached, read("/a", 1, 10)),
    },
    { name: "an ephemeral that stays", seen: session("1", own(5), own(5)) },
    {
      name: "an ephemeral that was taken away and made again",
      seen: session("1", own(5), own(9)),
      fault: /\/e .* was made at 0x5 and is of 0x9/,
    },
  ];

for (const { name, seen, fault } of cases) {
  test(`${name}: ${fault === undefined ? "no fault" : "a fault"}`, () => {
    // Notes of several clients lie in no order.
    for (const notes of [seen, seen.toReversed()]) {
      const faults = faultsOf(notes);
      if (fault === undefined) assert.deepEqual(faults, []);
      else assert.match(faults.join("\n"), fault);
    }
  });
}
