// Goal: whoever is cut off from whom, each acknowledged record is there once, no answer misses any, and who is on the right side goes on.
// Method: three nodes and a coordinator, each on a host of its own in a network namespace; this process reaches all of them, so it is a
// client inside each part.
import { mkdirSync } from "node:fs";
import path from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Story } from "../cluster/story.ts";
import { Member } from "../ensemble/member.ts";
import { missingNetwork, Network } from "../ensemble/network.ts";
import { temporaryFolder } from "../service.ts";

/** How long each way stays cut, in milliseconds: longer than the sessions of those behind it. */
const cutMs = Number(process.env["LOGKEEP_FAULT_MS"] ?? 9_000);

const coordinatorHost = 4;
const skip = missingNetwork();

let network: Network;
let coordinator: Member;
let story: Story;

before(async () => {
  if (skip !== false) return;
  network = await Network.make(4);
  coordinator = await startCoordinator();
  story = await Story.begin({
    count: 3,
    network,
    connect: [`${coordinator.host}:${coordinator.port}`],
  });
});

after(async () => {
  await story?.end();
  await coordinator?.kill();
  await network?.end();
});

async function startCoordinator(): Promise<Member> {
  const folder = path.join(temporaryFolder(), "coordinator");
  mkdirSync(folder);
  const member = new Member(
    {
      ...{ id: 1, host: network.addressOf(coordinatorHost), port: 2181, folder },
      settings: ["tickTime=500", "maxClientCnxns=0", "4lw.commands.whitelist=*"],
      within: network.within(coordinatorHost),
    },
    "logkeep",
  );
  member.start();
  while ((await member.mode()) === undefined) {
    if (!member.isRunning) throw new Error(`the coordinator does not run\n${member.log}`);
    await sleep(50);
  }
  return member;
}

interface Partition {
  readonly cut: () => void;
  /** Some node reaches an owner of each shard, so that records are taken. */
  readonly goesOn: boolean;
}

/** Cuts, lets time pass under load, heals, and looks whether all is there. */
async function partitioned(t: TestContext, { cut, goesOn }: Partition): Promise<void> {
  const { nodes, shippers } = story;
  await nodes.inSync();
  shippers.takeGapMs();
  cut();
  try {
    await sleep(cutMs);
    if (goesOn) await shippers.more(200);
  } finally {
    network.heal();
  }
  await shippers.more(200);
  t.diagnostic(`longest gap ${Math.round(shippers.takeGapMs())} ms`);
  await story.check(t);
}

// Owners are on both sides, and batches have records for all of them.
test("an owner that its replicas do not hear, but the coordinator does", { skip }, async (t) => {
  await partitioned(t, { cut: () => network.split([1], [2, 3]), goesOn: false });
});

test("an owner that its replicas hear, but the coordinator does not", { skip }, async (t) => {
  await partitioned(t, { cut: () => network.split([2], [coordinatorHost]), goesOn: true });
});

test("an owner that hears everyone and is heard by nobody", { skip }, async (t) => {
  await partitioned(t, { cut: () => network.mute(3, [1, 2, coordinatorHost]), goesOn: true });
});

test("an owner that nobody but the coordinator reaches, one way only", { skip }, async (t) => {
  const cut = (): void => {
    network.mute(1, [2]);
    network.mute(3, [1]);
  };
  await partitioned(t, { cut, goesOn: false });
});

test("a minority with clients inside", { skip }, async (t) => {
  await partitioned(t, { cut: () => network.split([1], [2, 3, coordinatorHost]), goesOn: true });
});
