// Goal: what one disk loses or spoils is known, is not served, and comes back from the other replicas.
// Method: a node is killed, its disk is emptied or one bit of one of its files is flipped, and it starts again under load.
import assert from "node:assert/strict";
import {
  closeSync,
  existsSync,
  globSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Story } from "../cluster/story.ts";

let story: Story;

/** Of nodes that are started from now on. At first so long that all is in the log: what is sealed is not missed there. */
let sealAgeMs = 600_000;

before(async () => {
  const place = () => ({ env: { LOGKEEP_STORAGE_SEAL_AGE_MS: String(sealAgeMs) } });
  story = await Story.begin({ count: 3, place });
});

after(() => story?.end());

async function until(what: string, claim: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 180_000;
  while (!(await claim())) {
    if (performance.now() > endMs) throw new Error(`${what} did not come\n${story.nodes.log}`);
    await sleep(100);
  }
}

/** Flips one bit of a file. */
function flip(file: string, at: number): void {
  const fd = openSync(file, "r+");
  try {
    const byte = Buffer.alloc(1);
    readSync(fd, byte, 0, 1, at);
    byte[0] = byte[0]! ^ 0x10;
    writeSync(fd, byte, 0, 1, at);
  } finally {
    closeSync(fd);
  }
}

/** Within the records of an entry near a log's end, behind which others stand whole: so it was not cut short. */
function recordsNearEnd(file: string): number {
  const bytes = readFileSync(file);
  const end = bytes.findLastIndex((byte) => byte !== 0);
  const at = bytes.lastIndexOf("of batch", Math.floor(end * 0.95));
  assert.ok(at > 0, "there are records in the log");
  return at;
}

/** The last that anything is written in: later ones are made ahead. */
function latest(files: readonly string[]): string {
  const file = files.toSorted().findLast((each) => readFileSync(each).includes("of batch"));
  assert.ok(file !== undefined, "there is a log to spoil");
  return file;
}

function largest(files: readonly string[]): string {
  const [file] = files.toSorted((a, b) => statSync(b).size - statSync(a).size);
  assert.ok(file !== undefined, "there is a file to spoil");
  return file;
}

function segmentsOf(dataDir: string): string[] {
  return globSync(`${dataDir}/storage/shard-*/*-*-*-*-*-*`).filter(
    (file) => !path.basename(file).startsWith("checkpoint"),
  );
}

test("one bit of a log: its node takes no part with that shard until it has it from another node", async (t) => {
  const { nodes, shippers } = story;
  const { dataDir } = nodes.node(3);
  await shippers.more(1000);
  await nodes.node(3).kill();
  const file = latest(globSync(`${dataDir}/storage/log/log-*`));
  flip(file, recordsNearEnd(file));
  sealAgeMs = 8000;
  const node = await nodes.startNode(3);
  await until("what is said of it", () => /a shard's log is not whole here/.test(node.log));
  await nodes.inSync();
  await shippers.more(200);
  await story.check(t);
});

test("a disk that is emptied under its node's id is another replica, and gets everything again", async (t) => {
  const { nodes, shippers } = story;
  const { dataDir } = nodes.node(1);
  await nodes.inSync();
  await nodes.node(1).kill();
  await shippers.more(200);
  // Its coordinator forgets nothing, as that would be a fault of another kind.
  rmSync(path.join(dataDir, "storage"), { recursive: true });
  rmSync(path.join(dataDir, "disk-id"), { force: true });
  await nodes.startNode(1);
  await nodes.inSync();
  await shippers.more(200);
  await story.check(t);
});

test("one bit of a segment: it is found, not served, and the segment comes back from another node", async (t) => {
  const { nodes, shippers } = story;
  const { dataDir } = nodes.node(3);
  for (let isRepaired = false; !isRepaired; ) {
    await until("a segment", () => segmentsOf(dataDir).length > 0);
    await nodes.node(3).kill();
    const file = largest(segmentsOf(dataDir));
    flip(file, Math.floor(statSync(file).size / 2));
    const node = await nodes.startNode(3);
    await nodes.serving();
    // A search meets it once the shard has come back to this node; or what reads all copies slowly, while another owns the shard.
    await until("the repair", async () => {
      await node.search("id:*").catch(() => undefined);
      isRepaired = /damaged (?:copy of a )?segment is repaired/.test(node.log);
      // Merged with others before anybody read it, it is gone: then another one.
      return isRepaired || !existsSync(file);
    });
  }
  await shippers.more(200);
  await story.check(t);
});
