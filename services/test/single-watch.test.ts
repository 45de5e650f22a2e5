import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "../../kit/src/logger.ts";
import { SingleWatch } from "../src/single-watch.ts";

test("that shards of this node are on one disk alone is said once it lasts, and when it is over", async () => {
  const said: [string, object][] = [];
  const logger = {
    ...silentLogger,
    warn: (fields: object, event: string) => void said.push([event, fields]),
    info: (fields: object, event: string) => void said.push([event, fields]),
  };
  const single = new Set<number>();
  const owners = ["1/a/i", "1/a/i", "2/b/j", undefined];
  const topology = {
    ownerOf: (shard: number) => owners[shard],
    isSingle: (shard: number) => single.has(shard),
  };
  const watch = new SingleWatch({ topology, shardCount: 4, self: "1/a/i", logger });
  const looks = (...shards: readonly number[]): void => {
    single.clear();
    for (const shard of shards) single.add(shard);
    watch.look();
  };
  // Others', one that is being made, and one after the other.
  looks(2, 3);
  looks(2, 3);
  looks(0);
  looks(1);
  assert.deepEqual(said, []);
  looks(0, 1, 2);
  looks(0, 1, 2);
  const told = [...said] as unknown as readonly [string, Record<string, unknown>][];
  const [event, fields = {}] = told[0] ?? [];
  assert.deepEqual([told.length, event], [1, "shards have their records on this disk alone"]);
  assert.deepEqual([fields["count"], fields["shards"]], [1, [1]]);
  assert.match(String(fields["advice"]), /logkeep shard drain N/);
  looks(2);
  looks();
  assert.deepEqual(said, [...told, ["shards have copies on other disks again", {}]]);
  looks(0);
  looks(0);
  assert.equal(said.length, 3);
  await watch.close();
});
