import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Prng } from "../../kit/src/prng.ts";
import { FakeService } from "./fake-service.ts";

// Goal: a run killed at any moment and started again stores every line once.
// Method: the service kills the run with SIGKILL at a drawn request, before or after it has stored it and
// with or without a pause; runs follow until one ends by itself. SEED=<n> replays one seed.

const script = new URL("./process.ts", import.meta.url).pathname;
const rounds = Number(process.env["LOGKEEP_SOAK_SEEDS"] ?? 2);
const seeds =
  process.env["SEED"] === undefined
    ? Array.from({ length: rounds }, (_, i) => i + 1)
    : [Number(process.env["SEED"])];

for (const seed of seeds) {
  test(`every line is stored once although ship is killed again and again, seed ${seed}`, async () => {
    const dir = mkdtempSync(join(tmpdir(), "logkeep-kill-"));
    const service = new FakeService();
    const url = await service.start();
    try {
      const prng = new Prng(seed);
      const count = 20_000 + prng.below(20_000);
      const isTimed = prng.chance(0.7);
      const file = join(dir, "app.log");
      writeFileSync(file, linesOf(prng, count, isTimed));
      const env = { ...process.env, XDG_STATE_HOME: dir };
      let kills = 0;
      for (;;) {
        const child = spawn(process.execPath, [script, "ship", "--url", url, file], {
          env,
          stdio: "ignore",
        });
        const killAt = kills < 4 ? 1 + prng.below(4) : Number.POSITIVE_INFINITY;
        const [isStored, pauseMs] = [prng.chance(0.5), prng.pick([0, 0, 5, 40])];
        let requests = 0;
        service.intercept = async (request, _, raw) => {
          if (++requests !== killAt) return false;
          if (isStored) service.storeQuietly(request, raw);
          await sleep(pauseMs);
          child.kill("SIGKILL");
          return true;
        };
        const [code] = (await once(child, "exit")) as [number | null];
        if (code === 0) break;
        assert.equal(code, null, `SEED=${seed}: it ended by itself with ${code}`);
        kills++;
      }
      assert.ok(kills > 0);
      const numbers = service.records.map(({ _msg }) =>
        Number(/line (\d+)/.exec(String(_msg))?.[1]),
      );
      if (isTimed) numbers.sort((a, b) => a - b);
      assert.deepEqual(
        numbers,
        Array.from({ length: count }, (_, i) => i),
        `SEED=${seed}`,
      );
      assert.deepEqual(readdirSync(join(dir, "logkeep", "ship")), [], `SEED=${seed}`);
    } finally {
      await service.stop();
      rmSync(dir, { recursive: true, force: true });
    }
  });
}

function linesOf(prng: Prng, count: number, isTimed: boolean): string {
  const lines = Array.from({ length: count }, (_, i) => {
    const time = isTimed ? "2026-01-31T10:00:00Z " : "";
    return `${time}line ${i} ${"x".repeat(prng.below(250))}${prng.chance(0.05) ? "\n\n" : "\n"}`;
  });
  return lines.join("");
}
