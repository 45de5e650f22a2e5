// A coordinator alone, in its own process, asked by our client over loopback. Prints JSON lines.
//   node bench/src/coordinator.ts [--seconds 1.5] [--znodes 100000]
// Client and server share the cores; figures compare only within one run on one machine.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  fdatasyncSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { ZooKeeperClient } from "../../coordinator/src/client/client.ts";

const { values: options } = parseArgs({
  options: {
    seconds: { type: "string", default: "1.5" },
    znodes: { type: "string", default: "100000" },
  },
});

/** Whatever happens, the benchmark ends by then. */
const endsWithinMs = 30_000;
const inFlights = [1, 16, 256];
/** Data of a znode, as a small record or a lock holder's name. */
const data = Buffer.alloc(100, "x");
/** Calls of one cell that may be kept for its quantiles; more would be the benchmark's own memory. */
const latenciesMax = 1_000_000;

class Server {
  readonly child: ChildProcess;
  readonly address: string;

  private constructor(child: ChildProcess, address: string) {
    this.child = child;
    this.address = address;
  }

  /** Resolves when it serves. */
  static async start(directory: string): Promise<Server> {
    const cfg = path.join(directory, "zoo.cfg");
    writeFileSync(cfg, `dataDir=${path.join(directory, "data")}\nclientPort=0\n`);
    const bin = path.resolve(import.meta.dirname, "../../services/bin/logkeep");
    const child = spawn(bin, ["coordinator", "--config", cfg], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      const ready = /client=(\S+)\n/.exec(text);
      if (ready !== null) resolve(ready[1] as string);
    });
    child.once("exit", () => reject(new Error("the coordinator ended")));
    process.once("exit", () => child.kill("SIGKILL"));
    return new Server(child, await promise);
  }

  rssMiB(): number {
    const status = readFileSync(`/proc/${this.child.pid}/status`, "utf8");
    return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024);
  }

  async end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = once(this.child, "exit");
    this.child.kill(signal);
    await exited;
  }
}

interface Cell {
  readonly perSecond: number;
  readonly msP50: number;
  readonly msP99: number;
}

/** Keeps so many calls under way until the time is over. */
async function measure(inFlight: number, call: (n: number) => Promise<unknown>): Promise<Cell> {
  const latencies = new Float64Array(latenciesMax);
  const from = performance.now();
  const until = from + Number(options.seconds) * 1000;
  let count = 0;
  const worker = async (): Promise<void> => {
    for (let at = performance.now(); at < until; ) {
      const n = count++;
      await call(n);
      const now = performance.now();
      if (n < latenciesMax) latencies[n] = now - at;
      at = now;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  const seconds = (performance.now() - from) / 1000;
  const sorted = latencies.subarray(0, Math.min(count, latenciesMax)).sort();
  const quantile = (phi: number): number => round(sorted[Math.floor(phi * sorted.length)] ?? 0);
  return { perSecond: Math.round(count / seconds), msP50: quantile(0.5), msP99: quantile(0.99) };
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}

function print(row: object): void {
  console.log(JSON.stringify(row));
}

async function load(client: ZooKeeperClient): Promise<void> {
  for (const inFlight of inFlights) {
    const parent = `/create-${inFlight}`;
    await client.create(parent);
    const made = await measure(inFlight, (n) => client.create(`${parent}/n${n}`, data));
    print({ bench: "coordinator", call: "create", inFlight, ...made });
  }
  for (const inFlight of inFlights) {
    const got = await measure(inFlight, () => client.getData("/create-1/n0"));
    print({ bench: "coordinator", call: "getData", inFlight, ...got });
  }
  const set = await measure(256, (n) => client.setData(`/create-16/n${n % 1000}`, data));
  print({ bench: "coordinator", call: "setData", inFlight: 256, ...set });
}

/** What one forced write of 4 KiB costs here and now: no acknowledgement can be sooner. */
function syncMsP50(directory: string): number {
  const fd = openSync(path.join(directory, "sync"), "w");
  const page = Buffer.alloc(4096);
  for (let n = 0; n < 256; n++) writeSync(fd, page);
  const times: number[] = [];
  for (let n = 0; n < 200; n++) {
    const from = performance.now();
    writeSync(fd, page, 0, page.length, n * page.length);
    fdatasyncSync(fd);
    times.push(performance.now() - from);
  }
  closeSync(fd);
  return round(times.sort((a, b) => a - b)[100] as number);
}

/** Memory and recovery with so many znodes and nothing else. */
async function fill(directory: string, znodes: number): Promise<void> {
  const server = await Server.start(directory);
  const rssMiBEmpty = server.rssMiB();
  const client = new ZooKeeperClient({ connect: server.address });
  await client.create("/fill");
  let next = 0;
  const from = performance.now();
  const worker = async (): Promise<void> => {
    for (let n = next++; n < znodes; n = next++) await client.create(`/fill/n${n}`, data);
  };
  await Promise.all(Array.from({ length: 256 }, worker));
  const seconds = (performance.now() - from) / 1000;
  const rssMiB = server.rssMiB();
  print({ bench: "coordinator-memory", znodes, rssMiBEmpty, rssMiB, seconds: round(seconds) });
  await server.end("SIGKILL");
  await client.close();
  const killed = performance.now();
  const again = await Server.start(directory);
  const servesMs = Math.round(performance.now() - killed);
  const reader = new ZooKeeperClient({ connect: again.address });
  const found = await reader.exists("/fill");
  await reader.close();
  await again.end("SIGTERM");
  print({ bench: "coordinator-restart", znodes: found?.numChildren, servesMs });
}

function freshDirectory(): string {
  const directory = mkdtempSync(path.join(tmpdir(), "logkeep-bench-"));
  process.once("exit", () => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

setTimeout(() => {
  console.error("the benchmark took too long");
  process.exit(1);
}, endsWithinMs).unref();
print({
  bench: "machine",
  cores: availableParallelism(),
  load: round(loadavg()[0] as number),
  fdatasyncMsP50: syncMsP50(freshDirectory()),
});
const server = await Server.start(freshDirectory());
const client = new ZooKeeperClient({ connect: server.address });
await load(client);
await client.close();
await server.end("SIGTERM");
await fill(freshDirectory(), Number(options.znodes));
