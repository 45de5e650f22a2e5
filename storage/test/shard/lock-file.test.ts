import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { openDataDirectory } from "../../src/shard/data-directory.ts";
import { lockDirectory } from "../../src/shard/lock-file.ts";
import { temp } from "../log/temp.ts";

const source = new URL("../../src/shard/lock-file.ts", import.meta.url).href;
const script = `
  import { lockDirectory } from ${JSON.stringify(source)};
  try {
    lockDirectory(process.argv[1]);
    console.log("locked");
  } catch (thrown) {
    console.log(thrown.code + " " + thrown.fields.pid);
  }
  setInterval(() => {}, 1000);`;

async function lockElsewhere(directory: string): Promise<{ said: string; kill(): Promise<void> }> {
  const args = ["--input-type=module", "-e", script, directory];
  const process_ = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const [said] = (await once(process_.stdout, "data")) as [Buffer];
  return {
    said: said.toString().trim(),
    async kill() {
      process_.kill("SIGKILL");
      await once(process_, "close");
    },
  };
}

test("a directory in use is refused, naming the pid that has it", async (t) => {
  const directory = temp(t);
  const release = lockDirectory(directory);
  assert.throws(() => lockDirectory(directory), {
    code: "storage.locked",
    fields: { directory, pid: process.pid },
  });
  const other = await lockElsewhere(directory);
  assert.equal(other.said, `storage.locked ${process.pid}`);
  await other.kill();
  release();
  lockDirectory(directory)();
  assert.deepEqual(readdirSync(directory), []);
});

test("the lock of a killed process is taken over", async (t) => {
  const directory = temp(t);
  const other = await lockElsewhere(directory);
  assert.equal(other.said, "locked");
  assert.throws(() => lockDirectory(directory), { code: "storage.locked" });
  await other.kill();
  const release = lockDirectory(directory);
  assert.equal(JSON.parse(readFileSync(join(directory, "lock"), "utf8")).pid, process.pid);
  release();
});

test("a lock whose pid now belongs to another process is stale, and so is one without sense", (t) => {
  const directory = temp(t);
  const path = join(directory, "lock");
  for (const text of [
    JSON.stringify({ pid: process.pid, started: "1", boot: "another" }),
    JSON.stringify({ pid: "x" }),
    "",
  ]) {
    writeFileSync(path, text);
    lockDirectory(directory)();
  }
  assert.deepEqual(readdirSync(directory), []);
});

test("a data directory keeps its id, and one that lost it is refused", async (t) => {
  const directory = join(temp(t), "data");
  const first = await openDataDirectory(directory);
  first.release();
  const second = await openDataDirectory(directory);
  assert.equal(second.diskId, first.diskId);
  second.release();
  writeFileSync(join(directory, "disk-id"), "not an id");
  await assert.rejects(openDataDirectory(directory), { code: "storage.damaged" });
  rmSync(join(directory, "disk-id"));
  writeFileSync(join(directory, "storage"), "");
  await assert.rejects(openDataDirectory(directory), { code: "storage.damaged" });
  assert.ok(!readdirSync(directory).includes("lock"));
});
