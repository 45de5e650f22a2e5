import { setTimeout as sleep } from "node:timers/promises";
import type { ClusterAnswer } from "../../api/src/answers.ts";
import { freePorts } from "../../coordinator/test/free-ports.ts";
import { Service, type ServiceOptions, temporaryFolder } from "../service.ts";
import { secret } from "./nodes.ts";

/** Nodes 1 to 3, whose parts in the coordinator's ensemble change from start to start. All end with this process. */
export class Members {
  readonly #ports: readonly number[];
  readonly #folders = [1, 2, 3].map(() => temporaryFolder());
  readonly #services = new Map<number, Service>();

  private constructor(ports: readonly number[]) {
    this.#ports = ports;
  }

  static async open(): Promise<Members> {
    return new Members(await freePorts(12));
  }

  /** Of the command: the ensemble of all three, those named without a vote. */
  ensemble(observers: readonly number[]): string[] {
    const text = (id: number): string => {
      const [quorum, election] = this.#ports.slice(id * 2 - 2);
      const role = observers.includes(id) ? ":observer" : "";
      return `${id}=127.0.0.1:${quorum}:${election}${role}`;
    };
    return ["--ensemble", [1, 2, 3].map(text).join(",")];
  }

  peerOf(id: number): string {
    return `127.0.0.1:${this.#ports[5 + id]}`;
  }

  /** How a node is started with these arguments besides its own. */
  optionsOf(id: number, more: readonly string[]): ServiceOptions & { readonly dataDir: string } {
    const listeners = [
      "--peer",
      this.peerOf(id),
      "--coordinator",
      `127.0.0.1:${this.#ports[8 + id]}`,
    ];
    return {
      dataDir: this.#folders[id - 1] as string,
      args: [...listeners, "--node-id", String(id), ...more],
      env: { LOGKEEP_CLUSTER_SECRET: secret },
      readyTimeoutMs: 120_000,
    };
  }

  async start(id: number, more: readonly string[]): Promise<Service> {
    const service = await Service.start(this.optionsOf(id, more));
    this.#services.set(id, service);
    return service;
  }

  /** As it was last started. */
  node(id: number): Service {
    const found = this.#services.get(id);
    if (found === undefined) throw new Error(`node ${id} was never started`);
    return found;
  }

  running(): Service[] {
    return [...this.#services.values()].filter(({ isRunning }) => isRunning);
  }

  /** What each of these is in the ensemble, in order: `leader,observer`. */
  async modes(ids: readonly number[]): Promise<string> {
    const modes = ids.map(async (id) => {
      const response = await fetch(`${this.node(id).http}/api/v1/cluster`);
      return ((await response.json()) as ClusterAnswer).coordinator.state;
    });
    return (await Promise.all(modes)).join();
  }

  /** Resolves when the claim holds; one that throws does not hold yet. */
  async until(what: string, claim: () => Promise<boolean>): Promise<void> {
    const endMs = performance.now() + 120_000;
    while (!(await claim().catch(() => false))) {
      if (performance.now() > endMs) {
        const logs = [...this.#services].map(
          ([id, { log }]) => `--- node ${id}\n${log.slice(-4000)}`,
        );
        throw new Error(`${what} did not come to be\n${logs.join("\n")}`);
      }
      await sleep(100);
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#services.values()].map((service) => service.kill()));
  }
}
