import {
  type ChildProcess,
  type ExecFileSyncOptions,
  execFileSync,
  spawnSync,
} from "node:child_process";
import { once } from "node:events";
import { existsSync, readlinkSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { missing } from "../machine.ts";
import { spawnServer } from "../servers/child.ts";

/** For a test's `skip`: false, or why no network can be made here. Throws where the machine must have it. */
export function missingNetwork(): string | false {
  const reason = whyNot();
  return missing("namespaces", reason === undefined, reason ?? "");
}

function whyNot(): string | undefined {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "needs root on Linux";
  const steps =
    "ip link set lo up && ip link add lkb type bridge && ip link add lkv type veth peer name lkw";
  const tried = spawnSync("unshare", ["--net", "sh", "-c", steps]);
  return tried.status === 0 ? undefined : "no network namespaces with bridges can be made here";
}

interface Host {
  readonly holder: ChildProcess;
  readonly address: string;
  readonly mac: string;
}

/**
 * A switch with a host for each member, and this process beside it, each host in a network namespace; one such network a process. Who hears whom is set one
 * way at a time. Every namespace is held by a process that ends with this one, and with the last of them all of it is gone.
 *
 * A way is closed by a wrong entry in the sender's table of neighbours: its packets leave and nobody takes them, as if
 * a cable were cut; connections stay open and are not told.
 */
export class Network {
  readonly #hub: ChildProcess;
  readonly #hosts: readonly Host[];
  readonly #own: string;

  private constructor(hub: ChildProcess, hosts: readonly Host[], own: string) {
    this.#hub = hub;
    this.#hosts = hosts;
    this.#own = own;
  }

  /** Hosts are numbered from 1. */
  static async make(count: number): Promise<Network> {
    const hub = await holder();
    const own = `lk${process.pid}`;
    const subnet = Network.#subnet();
    within(hub, "ip link set lo up && ip link add switch type bridge && ip link set switch up");
    // The far end goes with the hub's namespace and takes the near one with it.
    run(`ip link add ${own} type veth peer name outside netns ${hub.pid}`);
    run(`ip addr add ${subnet}.250/24 dev ${own} && ip link set ${own} up`);
    within(hub, "ip link set outside master switch up");
    const hosts: Host[] = [];
    for (let id = 1; id <= count; id++) {
      const holding = await holder();
      const mac = macOf(id);
      within(hub, `ip link add h${id} type veth peer name eth netns ${holding.pid}`);
      within(hub, `ip link set h${id} master switch up`);
      const address = `${subnet}.${id}`;
      within(holding, `ip link set lo up && ip link set eth address ${mac}`);
      within(holding, `ip addr add ${address}/24 dev eth && ip link set eth up`);
      hosts.push({ holder: holding, address, mac });
    }
    const network = new Network(hub, hosts, own);
    network.heal();
    return network;
  }

  /** What no other process here has: networks of tests that run side by side are apart. */
  static #subnet(): string {
    return `10.${128 + ((process.pid >> 8) & 127)}.${process.pid & 255}`;
  }

  addressOf(id: number): string {
    return this.#host(id).address;
  }

  /** What stands before a command so that it runs on this host. */
  within(id: number): string[] {
    return ["nsenter", `--net=/proc/${this.#host(id).holder.pid}/ns/net`, "--"];
  }

  /** What `from` sends reaches none of `to` any more; what they send to it does. */
  mute(from: number, to: readonly number[]): void {
    const steps = to.filter((id) => id !== from).map((id) => this.#route(id, nobody));
    if (steps.length > 0) within(this.#host(from).holder, steps.join(" && "));
  }

  /** Neither side hears anything of the other. */
  split(one: readonly number[], other: readonly number[]): void {
    for (const id of one) this.mute(id, other);
    for (const id of other) this.mute(id, one);
  }

  /** Everyone hears everyone. */
  heal(): void {
    for (const [at, { holder: process }] of this.#hosts.entries()) {
      const others = this.#hosts.map((_, index) => index + 1).filter((id) => id !== at + 1);
      if (others.length === 0) continue;
      within(process, others.map((id) => this.#route(id, macOf(id))).join(" && "));
    }
  }

  async end(): Promise<void> {
    for (const process of [...this.#hosts.map((host) => host.holder), this.#hub]) {
      if (process.exitCode !== null || process.signalCode !== null) continue;
      const exited = once(process, "exit");
      process.kill("SIGKILL");
      await exited;
    }
    // The kernel takes namespaces apart in its own time; the next network may want the same name.
    spawnSync("ip", ["link", "del", this.#own]);
  }

  #route(id: number, mac: string): string {
    return `ip neigh replace ${this.#host(id).address} lladdr ${mac} nud permanent dev eth`;
  }

  #host(id: number): Host {
    const host = this.#hosts[id - 1];
    if (host === undefined) throw new Error(`there is no host ${id}`);
    return host;
  }
}

/** An address that nobody has. */
const nobody = "02:00:00:00:ff:ff";

function macOf(id: number): string {
  return `02:00:00:00:00:${id.toString(16).padStart(2, "0")}`;
}

/** A process that does nothing but hold a network namespace of its own. */
async function holder(): Promise<ChildProcess> {
  const child = spawnServer("unshare", ["--net", "sleep", "infinity"], { stdio: "ignore" });
  const mine = readlinkSync("/proc/self/ns/net");
  for (let tries = 0; tries < 500; tries++) {
    const file = `/proc/${child.pid}/ns/net`;
    if (existsSync(file) && readlinkSync(file) !== mine) return child;
    await sleep(10);
  }
  throw new Error("no network namespace came about");
}

function within({ pid }: ChildProcess, steps: string): void {
  execFileSync("nsenter", [`--net=/proc/${pid}/ns/net`, "--", "sh", "-c", steps], stdio);
}

function run(steps: string): void {
  execFileSync("sh", ["-c", steps], stdio);
}

const stdio: ExecFileSyncOptions = { stdio: ["ignore", "ignore", "pipe"] };
