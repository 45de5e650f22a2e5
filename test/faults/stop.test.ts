// Goal: a stop asked for under load is quick and loses nothing; a start that cannot be says why in one line.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import { Service, temporaryFolder } from "../service.ts";
import { root } from "../suites.ts";

/** A stop that waits for a client would last as long as the client. */
const stopMsMax = 100_000;

test("SIGTERM under load: exit code 0 in time, and everything acknowledged is there once", async () => {
  const dataDir = temporaryFolder();
  const service = await Service.start({ dataDir });
  const acked = new Set<number>();
  let next = 0;
  let over = false;
  const send = async (): Promise<void> => {
    while (!over) {
      const first = next;
      next += 100;
      const records = Array.from({ length: 100 }, (_, i) => ({
        service: "s",
        n: String(first + i),
      }));
      const answer = await service.ship(records).catch(() => undefined);
      if (answer?.accepted !== 100) return;
      for (let n = first; n < first + 100; n++) acked.add(n);
    }
  };
  const ask = async (): Promise<void> => {
    while (!over) {
      const rows = await service.search("* | stats by (n) count() c").catch(() => undefined);
      if (rows === undefined) return;
    }
  };
  const client = new ZooKeeperClient({ connect: service.coordinator });
  const create = async (): Promise<void> => {
    while (!over) {
      const n = next++;
      const body = Buffer.from(`{"service":"z","n":"${n}"}`);
      const mode = "persistentSequential";
      try {
        await client.create("/logkeep/inbox/default/r-", body, { mode });
        acked.add(n);
      } catch {
        return;
      }
    }
  };
  // Tails have no end of their own, and a client that sends nothing has none either.
  const tail = await fetch(`${service.http}/api/v1/tail?query=*`);
  const idle = fetch(`${service.http}/api/v1/logs`, {
    method: "POST",
    body: new ReadableStream({ pull: () => new Promise(() => undefined) }),
    duplex: "half",
  } as RequestInit).catch(() => undefined);
  const running = [send(), send(), send(), ask(), create()];
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const asked = performance.now();
  const code = await service.stop();
  const tookMs = performance.now() - asked;
  over = true;
  await client.close();
  await Promise.all(running);
  await tail.body?.cancel().catch(() => undefined);
  await idle;
  assert.equal(code, 0, service.log);
  assert.ok(tookMs < stopMsMax, `it took ${tookMs} ms`);
  assert.ok(acked.size > 0);
  const again = await Service.start({ dataDir });
  const end = performance.now() + 120_000;
  const times = new Map<number, number>();
  // What lay in the inbox is drained first.
  do {
    times.clear();
    for (const row of await again.search("n:* | stats by (n) count() c"))
      times.set(Number(row["n"]), Number(row["c"]));
  } while ([...acked].some((n) => !times.has(n)) && performance.now() < end);
  assert.deepEqual(
    [...acked].filter((n) => times.get(n) !== 1),
    [],
  );
  assert.equal(await again.stop(), 0);
});

interface Refusal {
  readonly name: string;
  readonly args: (service: Service) => readonly string[];
  readonly says: (service: Service) => string;
}

const free = "127.0.0.1:0";

const refusals: readonly Refusal[] = [
  {
    name: "on a data directory that is in use names the process that has it",
    args: ({ dataDir }) => ["--data", dataDir, "--http", free, "--coordinator", free],
    says: ({ pid }) => `pid ${pid}`,
  },
  {
    name: "on an HTTP address that is taken names it and the flag",
    args: ({ http }) => {
      const taken = http.slice("http://".length);
      return ["--data", temporaryFolder(), "--http", taken, "--coordinator", free];
    },
    says: ({ http }) => http.slice("http://".length),
  },
  {
    name: "on a coordinator address that is taken names it and the flag",
    args: ({ coordinator }) => {
      return ["--data", temporaryFolder(), "--http", free, "--coordinator", coordinator];
    },
    says: ({ coordinator }) => coordinator,
  },
  {
    name: "in a data directory that is a file names it",
    args: () => {
      const file = path.join(temporaryFolder(), "file");
      writeFileSync(file, "");
      return ["--data", file, "--http", free, "--coordinator", free];
    },
    says: () => "the data directory cannot be used: EEXIST",
  },
  {
    name: "in a place where no directory can be made names it",
    args: () => ["--data", "/proc/logkeep", "--http", free, "--coordinator", free],
    says: () => "/proc/logkeep",
  },
];

test("a start that cannot be ends with 1 and says why in its last line", async (t) => {
  const service = await Service.start();
  for (const { name, args, says } of refusals) {
    await t.test(`a start ${name}`, async () => {
      const command = ["start", "--peer", free, ...args(service)];
      const child = spawn(path.join(root, "services/bin/logkeep"), command, {
        stdio: ["ignore", "pipe", "pipe"],
      });
      let [said, ready] = ["", ""];
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        said += text;
      });
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        ready += text;
      });
      const late = setTimeout(() => child.kill("SIGKILL"), 120_000);
      const [code] = (await once(child, "close")) as [number | null];
      clearTimeout(late);
      assert.equal(code, 1, said);
      assert.equal(ready, "");
      const last = said.trimEnd().split("\n").at(-1) ?? "";
      assert.match(last, /^logkeep: /);
      assert.ok(last.includes(says(service)), last);
    });
  }
  // The one that runs has not been harmed.
  assert.equal((await service.ship([{ service: "s" }])).accepted, 1);
  assert.equal(await service.stop(), 0);
});
