// Goal: of what a member's file says and what it kept, the newer holds.
import assert from "node:assert/strict";
import test from "node:test";

import { ensembleParse } from "../src/quorum/ensembles.ts";
import { type Membership, membershipParse, membershipText } from "../src/quorum/members.ts";
import { Memberships } from "../src/server/memberships.ts";
import { temporaryDirectory } from "./log-harness.ts";

function membershipOf(version: number, ids: readonly number[]): Membership {
  const lines = ids.map((id) => `server.${id}=10.0.0.${id}:2888:3888`);
  return membershipParse(`${lines.join("\n")}\nversion=${version.toString(16)}`);
}

const cases: readonly {
  readonly name: string;
  /** What it kept, in force and seen; and what its file says. */
  readonly kept: readonly [Membership, Membership] | undefined;
  readonly given: Membership;
  readonly next?: Membership;
  readonly active: number;
  readonly seen: number | undefined;
  readonly reachable: string;
}[] = [
  {
    name: "nothing is kept: the file holds",
    kept: undefined,
    given: membershipOf(0, [1, 2, 3]),
    active: 0,
    seen: undefined,
    reachable: "1,2,3",
  },
  {
    name: "what was changed while it ran is above the file",
    kept: [membershipOf(9, [1, 2]), membershipOf(9, [1, 2])],
    given: membershipOf(0, [1, 2, 3]),
    active: 9,
    seen: undefined,
    // 3 is this server: it is no member, and listens where its file says.
    reachable: "1,2,3",
  },
  {
    name: "a file that was written later is above what was kept",
    kept: [membershipOf(9, [1, 2]), membershipOf(9, [1, 2])],
    given: membershipOf(12, [1, 2, 3, 4]),
    active: 12,
    seen: undefined,
    reachable: "1,2,3,4",
  },
  {
    name: "a change that was seen and is not older than the file is seen still",
    kept: [membershipOf(9, [1, 2]), membershipOf(11, [1, 2, 3])],
    given: membershipOf(10, [2, 1]),
    active: 10,
    seen: 11,
    reachable: "1,2,3",
  },
  {
    name: "a change that the file's writer had seen is seen",
    kept: undefined,
    given: membershipOf(5, [1, 2]),
    next: membershipOf(7, [1, 2, 3]),
    active: 5,
    seen: 7,
    reachable: "1,2,3",
  },
  {
    name: "a change that is older than what is in force is none",
    kept: [membershipOf(9, [1, 2, 3]), membershipOf(9, [1, 2, 3])],
    given: membershipOf(5, [1, 2]),
    next: membershipOf(7, [1, 2, 3, 4]),
    active: 9,
    seen: undefined,
    reachable: "1,2,3",
  },
];

for (const { name, kept, given, next, active, seen, reachable } of cases) {
  test(name, (context) => {
    const directory = temporaryDirectory(context);
    const settings = { serverId: 3, reconfigEnabled: true, standaloneEnabled: true };
    if (kept !== undefined) {
      const [inForce, after] = kept.map((one) => ensembleParse(membershipText(one)));
      const before = new Memberships(directory, { ...settings, membership: given });
      before.change({ active: inForce!, seen: after! });
    }
    const options = { ...settings, membership: given, membershipNext: next };
    const memberships = new Memberships(directory, options);
    assert.equal(memberships.active.version, active);
    assert.equal(memberships.ensembles.seen?.version, seen);
    const ids = memberships.reachable.members.map(({ id }) => id);
    assert.equal(ids.toSorted((a, b) => a - b).join(), reachable);
  });
}
