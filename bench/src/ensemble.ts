// Three coordinators, each in its own process, asked by our client over loopback; beside them three of Apache's where its
// jars are (`node test/servers/install.ts zookeeper`). Prints JSON lines.
//   node bench/src/ensemble.ts [--seconds 1]
// All of them share the cores, and both ensembles stand at once; each cell is taken ours, theirs, theirs, ours.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import { missingZooKeeper, zookeeperCommand } from "../../test/servers/zookeeper.ts";

const { values: options } = parseArgs({ options: { seconds: { type: "string", default: "1" } } });

/** Whatever happens, the benchmark ends by then. */
const endsWithinMs = 120_000;
const inFlights = [1, 16, 256];
const sessions = 3;
/** Data of a znode, as a small record or a lock holder's name. */
const data = Buffer.alloc(100, "x");
/** As a production server would have it, rather than a test's. */
const heap = ["-Xmx1g"];

interface Ensemble {
  readonly name: string;
  readonly children: readonly ChildProcess[];
  readonly clients: readonly ZooKeeperClient[];
}

interface Measured {
  readonly perSecond: number;
  readonly msP99: number;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { readonly port: number };
  server.close();
  await once(server, "close");
  return port;
}

/** Writes the members' files and starts a process for each; resolves when clients are connected. */
async function start(name: string, command: (cfg: string) => string[]): Promise<Ensemble> {
  const directory = mkdtempSync(path.join(tmpdir(), "logkeep-bench-"));
  process.once("exit", () => rmSync(directory, { recursive: true, force: true }));
  const ids = [1, 2, 3];
  const ports: number[] = [];
  for (const _ of ids) ports.push(await freePort());
  const members: string[] = [];
  for (const id of ids) {
    members.push(`server.${id}=127.0.0.1:${await freePort()}:${await freePort()}`);
  }
  const children = ids.map((id, index) => {
    const dataDir = path.join(directory, String(id));
    mkdirSync(dataDir);
    writeFileSync(path.join(dataDir, "myid"), `${id}\n`);
    const cfg = path.join(directory, `${id}.cfg`);
    const own = [`dataDir=${dataDir}`, `clientPort=${ports[index]}`, "admin.enableServer=false"];
    const limits = ["tickTime=2000", "initLimit=10", "syncLimit=5", "maxClientCnxns=0"];
    writeFileSync(cfg, [...own, ...limits, ...members, ""].join("\n"));
    const [file, ...args] = command(cfg);
    const child = spawn(file as string, args, { stdio: "ignore" });
    process.once("exit", () => child.kill("SIGKILL"));
    return child;
  });
  const clients = Array.from({ length: sessions }, (_, index) => {
    return new ZooKeeperClient({ connect: `127.0.0.1:${ports[index % ports.length]}` });
  });
  for (const [index, client] of clients.entries()) await client.create(`/s${index}`);
  return { name, children, clients };
}

/** Keeps so many calls under way, over all sessions, until the time is over. */
async function measure(
  clients: readonly ZooKeeperClient[],
  inFlight: number,
  call: (client: ZooKeeperClient, session: number, n: number) => Promise<unknown>,
): Promise<Measured> {
  const latencies: number[] = [];
  const from = performance.now();
  const until = from + Number(options.seconds) * 1000;
  const worker = async (_: unknown, index: number): Promise<void> => {
    const session = index % clients.length;
    const client = clients[session] as ZooKeeperClient;
    for (let at = performance.now(), n = index; at < until; n += inFlight) {
      await call(client, session, n);
      const now = performance.now();
      latencies.push(now - at);
      at = now;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  const seconds = (performance.now() - from) / 1000;
  const sorted = Float64Array.from(latencies).sort();
  const msP99 = round(sorted[Math.floor(0.99 * sorted.length)] ?? 0);
  return { perSecond: Math.round(sorted.length / seconds), msP99 };
}

function rssMiB({ children }: Ensemble): number {
  const each = children.map(({ pid }) => {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
  });
  return Math.round(each.reduce((sum, one) => sum + one, 0));
}

/** One cell in an order that lets neither gain from what warms up meanwhile. */
async function compare(call: string, inFlight: number): Promise<void> {
  const order = [...ensembles, ...[...ensembles].reverse()];
  for (const [round, { name, clients }] of order.entries()) {
    // Their names differ from those of every other cell.
    const prefix = `${call}-${inFlight}-${round}-`;
    const measured = await measure(clients, inFlight, (client, session, n) => {
      if (call === "create") return client.create(`/s${session}/${prefix}${n}`, data);
      if (call === "setData") return client.setData(`/s${session}`, data);
      return client.getData(`/s${session}`);
    });
    print({ bench: "ensemble", of: name, call, inFlight, ...measured });
  }
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}

function print(row: object): void {
  console.log(JSON.stringify(row));
}

setTimeout(() => {
  console.error("the benchmark took too long");
  process.exit(1);
}, endsWithinMs).unref();
print({ bench: "machine", cores: availableParallelism(), load: round(loadavg()[0] as number) });
const bin = path.resolve(import.meta.dirname, "../../services/bin/logkeep");
const ensembles = [await start("logkeep", (cfg) => [bin, "coordinator", "--config", cfg])];
const missing = missingZooKeeper();
if (missing === false) ensembles.push(await start("apache", (cfg) => zookeeperCommand(cfg, heap)));
else print({ bench: "ensemble", of: "apache", missing });
for (const each of ensembles) print({ bench: "ensemble-rss", of: each.name, mib: rssMiB(each) });
for (const inFlight of inFlights) await compare("create", inFlight);
for (const inFlight of inFlights) await compare("getData", inFlight);
await compare("setData", 256);
for (const each of ensembles) print({ bench: "ensemble-rss", of: each.name, mib: rssMiB(each) });
for (const { clients } of ensembles) for (const client of clients) await client.close();
for (const { children } of ensembles) for (const child of children) child.kill("SIGTERM");
