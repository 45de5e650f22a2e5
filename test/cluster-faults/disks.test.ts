// Goal: a replica whose disk is full or slow, or whose clock is wrong, costs nobody a record, and leaves its shards to others.
// Method: node 3 has a small tmpfs in a mount namespace, which is filled and freed; node 2 has a clock that jumps, by libfaketime; the
// syncs of node 1 wait, by a library in front of the system's.
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  existsSync,
  globSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ShardsAnswer } from "../../api/src/cluster.ts";
import { insist } from "../cluster/insist.ts";
import type { Place } from "../cluster/nodes.ts";
import { Story } from "../cluster/story.ts";
import { missing } from "../machine.ts";
import { temporaryFolder } from "../service.ts";

/** How long a fault lasts, in milliseconds. */
const faultMs = Number(process.env["LOGKEEP_FAULT_MS"] ?? 9_000);

const diskMib = 420;
const [fakeTime] = globSync("/usr/lib/*/faketime/libfaketimeMT.so.1");
const noDisk = smallDiskMissing();
const noClock = missing("faketime", fakeTime !== undefined, "there is no Debian package faketime");
const clockFile = path.join(temporaryFolder(), "clock");

const slowness = path.join(temporaryFolder(), "milliseconds");
/** There once a sync has waited. */
const slept = `${slowness}.slept`;
const slowSync = path.join(temporaryFolder(), "slow-sync.so");
const noSlowness = slowSyncMissing();

let keeper: ChildProcess | undefined;
let story: Story;

before(async () => {
  setClock("+0");
  story = await Story.begin({ count: 3, place });
});

after(async () => {
  await story?.end();
  keeper?.kill();
});

function smallDiskMissing(): string | false {
  if (process.getuid?.() !== 0) return "mounting a small disk needs root";
  const tried = spawnSync("unshare", ["-m", "mount", "-t", "tmpfs", "tmpfs", temporaryFolder()]);
  return tried.status === 0 ? false : "no tmpfs can be mounted here";
}

/** Makes the library that sleeps before each `fdatasync` as long as a file says. */
function slowSyncMissing(): string | false {
  const source = `
    #define _GNU_SOURCE
    #include <dlfcn.h>
    #include <stdio.h>
    #include <unistd.h>
    int fdatasync(int fd) {
      static int (*real)(int);
      int ms = 0;
      FILE *file = fopen("${slowness}", "r");
      if (file) {
        if (fscanf(file, "%d", &ms) != 1) ms = 0;
        fclose(file);
      }
      if (ms > 0) {
        usleep(ms * 1000);
        file = fopen("${slept}", "w");
        if (file) fclose(file);
      }
      if (!real) real = (int (*)(int)) dlsym(RTLD_NEXT, "fdatasync");
      return real(fd);
    }`;
  const args = ["-shared", "-fPIC", "-o", slowSync, "-x", "c", "-", "-ldl"];
  return spawnSync("cc", args, { input: source }).status === 0 ? false : "there is no C compiler";
}

function setSlowness(delayMs: number): void {
  // Renamed into place: a file that is being written would say nothing.
  writeFileSync(`${slowness}.new`, `${delayMs}\n`);
  renameSync(`${slowness}.new`, slowness);
}

async function place(id: number, dataDir: string): Promise<Place> {
  if (id === 1 && noSlowness === false) {
    return { env: { LD_PRELOAD: slowSync, LOGKEEP_STORAGE_SLOW_SYNC_MS: "1000" } };
  }
  if (id === 2 && fakeTime !== undefined) {
    return {
      env: {
        LD_PRELOAD: fakeTime,
        FAKETIME_TIMESTAMP_FILE: clockFile,
        FAKETIME_CACHE_DURATION: "1",
        FAKETIME_DONT_FAKE_MONOTONIC: "1",
        NO_FAKE_STAT: "1",
      },
    };
  }
  if (id === 3 && noDisk === false) return { within: await smallDisk(dataDir) };
  return {};
}

/** Mounts it at the first start, and keeps it while no node runs on it. */
async function smallDisk(dataDir: string): Promise<readonly string[]> {
  if (keeper === undefined) {
    mkdirSync(dataDir, { recursive: true });
    const mount = `mount -t tmpfs -o size=${diskMib}m tmpfs ${dataDir} && echo mounted && exec sleep 900`;
    keeper = spawn("unshare", ["-m", "sh", "-c", mount], { stdio: ["ignore", "pipe", "ignore"] });
    await once(keeper.stdout!, "data");
  }
  return ["nsenter", "-t", String(keeper.pid), "-m", "--"];
}

function setClock(offset: string): void {
  writeFileSync(clockFile, `${offset}\n`);
}

/** Writes until nothing more goes in. */
function fill(file: string): void {
  const fd = openSync(file, "a");
  const piece = Buffer.alloc(64 * 1024, 1);
  try {
    for (;;) writeSync(fd, piece);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== "ENOSPC") throw thrown;
  } finally {
    closeSync(fd);
  }
}

/** A node has handed its shards to others, and all are served. */
async function ownsNothing(id: number): Promise<void> {
  const endMs = performance.now() + 120_000;
  const other = story.nodes.node(id === 1 ? 2 : 1);
  for (;;) {
    const shards = await insist(async () => {
      const response = await fetch(`${other.http}/api/v1/cluster/shards`);
      assert.equal(response.status, 200);
      return ((await response.json()) as ShardsAnswer).shards;
    });
    if (shards.every(({ owner }) => owner !== undefined && owner !== id)) return;
    if (performance.now() > endMs) throw new Error(`node ${id} owns: ${JSON.stringify(shards)}`);
    await sleep(250);
  }
}

test("a full disk of an owner, or of a replica: its shards go to others, nothing acknowledged is lost, and space that returns is enough", {
  skip: noDisk,
}, async (t) => {
  const { nodes, shippers } = story;
  const filler = `/proc/${keeper!.pid}/root${path.join(nodes.node(3).dataDir, "filler")}`;
  await nodes.inSync();
  const before = shippers.acknowledged.size;
  fill(filler);
  await sleep(faultMs);
  await ownsNothing(3);
  t.diagnostic(`${shippers.acknowledged.size - before} records acknowledged meanwhile`);
  rmSync(filler);
  await nodes.serving();
  await shippers.more(400);
  await story.check(t);
});

test("a node's clock jumps ahead by an hour, and back", { skip: noClock }, async (t) => {
  const { nodes, queriers, shippers } = story;
  shippers.takeGapMs();
  for (const offset of [3600, 0, -3600, 0]) {
    setClock(`${offset < 0 ? "" : "+"}${offset}`);
    await sleep(Math.max(2500, faultMs / 4));
    const { headers } = await fetch(`${nodes.node(2).http}/readyz`);
    const aheadS = (Date.parse(headers.get("date")!) - Date.now()) / 1000;
    assert.ok(Math.abs(aheadS - offset) < 60, `its clock is ${aheadS} s ahead, not ${offset}`);
    await shippers.more(200);
    await queriers.more(1);
  }
  t.diagnostic(`longest gap ${Math.round(shippers.takeGapMs())} ms`);
  await story.check(t);
});

test("an owner's disk takes half a second for each sync, then two and a half: writes go on, and its shards go to others", {
  skip: noSlowness,
}, async (t) => {
  const { queriers, shippers } = story;
  shippers.takeGapMs();
  for (const delayMs of [500, 2500]) {
    setSlowness(delayMs);
    await sleep(faultMs);
    await shippers.more(100);
    await queriers.more(1);
    t.diagnostic(`${delayMs} ms: longest gap ${Math.round(shippers.takeGapMs())} ms`);
  }
  assert.ok(existsSync(slept), "the disk was slow");
  await ownsNothing(1);
  setSlowness(0);
  await shippers.more(200);
  await story.check(t);
});
