import assert from "node:assert/strict";
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { after, before, beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { FakeService } from "./fake-service.ts";
import { type Ran, run } from "./run.ts";

const dir = mkdtempSync(join(tmpdir(), "logkeep-follow-"));
const state = join(dir, "state.json");
let service: FakeService;
let url: string;

before(async () => {
  service = new FakeService();
  url = await service.start();
});

beforeEach(() => {
  service.reset();
  rmSync(state, { force: true });
});

after(async () => {
  await service.stop();
  rmSync(dir, { recursive: true, force: true });
});

const ship = (args: readonly string[], options: Parameters<typeof run>[1] = {}): Promise<Ran> =>
  run(["ship", "--url", url, "--state", state, ...args], options);

function fileOf(name: string, content: string | Uint8Array): string {
  const path = join(dir, name);
  writeFileSync(path, content);
  return path;
}

const numbers = (): number[] =>
  service.records.map(({ _msg }) => Number(/line (\d+)/.exec(String(_msg))?.[1]));

async function until(isSo: () => boolean): Promise<void> {
  for (let waited = 0; !isSo(); waited += 10) {
    assert.ok(waited < 30_000, "it took too long");
    await sleep(10);
  }
}

test("following sends what is added, over a rotation and a truncation, and ends when interrupted", async () => {
  const file = fileOf("app.log", "line 0\nline 1\nline");
  const stop = new AbortController();
  const running = ship(["--follow", file], { signal: stop.signal });
  await until(() => service.records.length === 2);
  appendFileSync(file, " 2\n");
  await until(() => service.records.length === 3);
  // Rotated: the old file gets one more line before the new one is there.
  renameSync(file, `${file}.1`);
  appendFileSync(`${file}.1`, "line 3\n");
  await until(() => service.records.length === 4);
  // Longer than what follows the truncation, which is seen even when nobody looked in between.
  writeFileSync(file, "line 4 of this file\n");
  await until(() => service.records.length === 5);
  truncateSync(file, 0);
  await sleep(600);
  appendFileSync(file, "line 5\n");
  await until(() => service.records.length === 6);
  stop.abort();
  const ran = await running;
  assert.deepEqual([ran.code, numbers()], [0, [0, 1, 2, 3, 4, 5]]);

  // What came while nobody followed is sent by the next run, and nothing again.
  appendFileSync(file, "line 6\n");
  const again = new AbortController();
  const next = ship(["--follow", file], { signal: again.signal });
  await until(() => service.records.length === 7);
  await sleep(50);
  again.abort();
  await next;
  assert.deepEqual(numbers(), [0, 1, 2, 3, 4, 5, 6]);
});

test("a pipe is sent whenever it falls silent, and to its end", async () => {
  const stdin = new PassThrough();
  const running = ship(["-"], { stdin });
  stdin.write("line 0\nline");
  await until(() => service.records.length === 1);
  stdin.end(" 1");
  const ran = await running;
  assert.deepEqual([ran.code, numbers()], [0, [0, 1]]);
  assert.equal(existsSync(state), false);
});
