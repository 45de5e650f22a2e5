// Goal: when no member of the set is left, a shard stays offline until a person accepts what is lost; then it goes on from what
// the survivor has, and is replicated again.
// Method: the simulated world without any trouble but what the test does.
import assert from "node:assert/strict";
import test from "node:test";

import { ShardReplica } from "../src/replication/core/replica.ts";
import type { Process } from "./replication-sim/process.ts";
import { ShardWorld } from "./replication-sim/shard-world.ts";

const boundMs = 30_000;

function worldMake(seed: number): ShardWorld {
  const world = new ShardWorld({
    ...{ seed, nodes: 2, replicas: 2, faults: new Set(), trace: undefined },
    make: (options) => new ShardReplica(options),
    trouble: {
      beforeEffect: () => "go",
      isDiskFailing: () => false,
      halted: ({ self }, reason) => assert.fail(`${self} halts: ${reason}`),
    },
  });
  for (const replica of [...world.disks.keys()]) world.start(replica);
  world.routerStart("1");
  world.routerStart("2");
  return world;
}

function isTaking(world: ShardWorld): boolean {
  const role = world.owner?.role;
  return role?.kind === "serving" && role.isTaking;
}

/** The owner goes on alone, and is gone with its disk, or for long: what is left is behind. */
function survivorOf(world: ShardWorld, isWiped: boolean): Process {
  world.until("served", () => isTaking(world) && world.checker.acknowledged > 20, boundMs);
  const lost = world.owner as Process;
  const [other] = [...world.processes.values()].filter((each) => each !== lost);
  assert(other !== undefined);
  world.crash(other);
  world.until("alone", () => world.shard.inSync.length === 1, boundMs);
  const acknowledged = world.checker.acknowledged + 20;
  world.until("ahead", () => world.checker.acknowledged > acknowledged, boundMs);
  for (const router of world.routers) router.forget();
  if (isWiped) world.wipe(lost.replica);
  else world.crash(lost);
  world.start(other.replica);
  return world.processes.get(other.replica) as Process;
}

const stories = [1, 2, 3].flatMap((seed) => [
  { seed, isWiped: true, what: "an empty one follows" },
  { seed, isWiped: false, what: "the one that was given up follows, though it has more" },
]);

for (const { seed, isWiped, what } of stories) {
  test(`a shard without a member goes on when loss is accepted, and ${what}, seed ${seed}`, () => {
    const world = worldMake(seed);
    const survivor = survivorOf(world, isWiped);
    world.run(20_000);
    assert(survivor.role.kind !== "serving", "one that is not of the set serves");

    const { checker, invariants, shard } = world;
    assert(survivor.log.end.position < checker.through, "something is lost");
    survivor.input({ kind: "recover", liveMembers: shard.inSync });
    world.run(5000);
    assert.equal(world.shard.epoch, shard.epoch, "recovered while a member lives");

    checker.acceptLoss(survivor.log.end.position);
    invariants.isLossAccepted = true;
    survivor.input({ kind: "recover", liveMembers: [] });
    world.until("recovered", () => world.owner === survivor && isTaking(world), boundMs);
    assert(world.shard.epoch > shard.epoch);

    const replicas = [...world.disks.keys()];
    for (const replica of replicas) world.start(replica);
    world.assign({ ...world.assignment, replicas });
    const { acknowledged } = checker;
    world.routerStart(survivor.node);
    world.until("replicated", () => world.shard.inSync.length === 2, boundMs);
    world.until("stored", () => checker.acknowledged > acknowledged + 20, boundMs);
    const { cuts } = checker;
    world.until("read", () => checker.cuts > cuts + 5, boundMs);
  });
}
