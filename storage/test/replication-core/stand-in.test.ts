// Goal: what stands in for a replica that has failed gives its shard up, whatever becomes of the first try, and nothing else.
// Method: inputs by hand, effects looked at.
import assert from "node:assert/strict";
import test from "node:test";
import { StandIn } from "../../src/replication/core/stand-in.ts";
import type { Effect, Input, ShardFacts } from "../../src/replication/core/types.ts";

const [a, b] = ["1/disk", "2/disk"];
const self = `${a}/one`;
const end = { epoch: 3, position: 7 };

class Story {
  readonly #standIn: StandIn;
  #look = 0;

  constructor() {
    const log = { base: end, end, lineage: [], entryEpochs: [], entryCommitted: 7 };
    const state = { ...log, promised: 3, committed: 7, isDamaged: false };
    this.#standIn = new StandIn({ replica: a, self, state }, "it failed");
    assert.ok(this.step({ kind: "start" }).some(({ kind }) => kind === "look"));
  }

  step(input: Input): readonly Effect[] {
    return this.#standIn.step(0, input);
  }

  /** The answer to its latest look; what it writes then. */
  view(over: Partial<ShardFacts> = {}): Extract<Effect, { kind: "multi" }> | undefined {
    const facts: ShardFacts = {
      ...{ version: 5, epoch: 3, owner: self, next: undefined, transferMs: 0 },
      ...{ replicas: [a, b], inSync: [a, b], holder: { name: self, isOwnSession: true } },
      ...over,
    };
    const effects = this.step({ kind: "view", look: ++this.#look, facts });
    return effects.find((effect) => effect.kind === "multi");
  }
}

test("a shard that the failed replica owned is given up, on the version that is there by then", () => {
  const story = new Story();
  const first = story.view();
  assert.deepEqual(first?.op, { kind: "hand-over", next: undefined, transferMs: 0 });
  assert.equal(first.version, 5);
  // What it had asked for before came in between.
  story.step({ kind: "outcome", multi: first.multi, outcome: { kind: "refused" } });
  const second = story.view({ version: 6 });
  assert.equal(second?.version, 6);
  story.step({ kind: "outcome", multi: second.multi, outcome: { kind: "unknown" } });
  const third = story.view({ version: 6 });
  assert.equal(third?.version, 6);
  story.step({ kind: "outcome", multi: third.multi, outcome: { kind: "unknown" } });
  assert.equal(story.view({ version: 7, owner: undefined, holder: undefined }), undefined);
});

const kept: readonly (readonly [string, Partial<ShardFacts>])[] = [
  ["that another has", { owner: `${b}/one`, holder: { name: `${b}/one`, isOwnSession: false } }],
  [
    "of a process before",
    { owner: `${a}/zero`, holder: { name: `${a}/zero`, isOwnSession: false } },
  ],
  ["whose owner znode went with its session", { holder: undefined }],
  ["of a set of one", { inSync: [a] }],
];

for (const [what, facts] of kept) {
  test(`a shard ${what} is left as it is`, () => {
    assert.equal(new Story().view(facts), undefined);
  });
}

test("an owner that announces itself is told that this replica does not follow", () => {
  const story = new Story();
  story.step({ kind: "link", replica: b, link: 1 });
  const message = { kind: "announce", epoch: 4, owner: `${b}/one`, sentMs: 0 } as const;
  assert.deepEqual(story.step({ kind: "message", from: b, link: 1, message }), [
    {
      ...{ kind: "send", to: b, link: 1 },
      message: { kind: "halted", epoch: 4, reason: "it failed" },
    },
  ]);
});
