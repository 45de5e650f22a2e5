import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePorts } from "../../coordinator/test/free-ports.ts";
import type { Network } from "../ensemble/network.ts";
import { Service, temporaryFolder } from "../service.ts";
import { allInSync } from "./in-sync.ts";

export interface NodesOptions {
  /** Nodes, each a voting member unless `connect` says otherwise; ids count from 1. */
  readonly count: number;
  /** `host:port` of a coordinator that runs by itself. */
  readonly connect?: readonly string[];
  /** Of every node. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Each node on a host of its own. */
  readonly network?: Network | undefined;
  /** How long the new cluster may take until it serves, once its nodes are there. */
  readonly formTimeoutMs?: number;
  /** Further than `args` and `env`, asked at each start of a node. */
  readonly place?: (id: number, dataDir: string) => Promise<Place> | Place;
}

/** What one node runs in. */
export interface Place {
  /** A command that becomes the node, as `nsenter … --`. */
  readonly within?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The command of another release. */
  readonly bin?: string | undefined;
}

/** Ids of nodes that are to be left alone. */
export interface Except {
  readonly except?: readonly number[];
}

/** The cluster's secret of tests: nodes on hosts of their own listen beyond loopback. */
export const secret = "a-secret-of-tests-that-is-long-enough";

/** How long a cluster may take to form, or to serve again, on a busy machine. */
const servingTimeoutMs = 120_000;

/** Real nodes of one cluster, each `logkeep start --ensemble …`. All end with this process. */
export class Nodes {
  readonly #options: NodesOptions;
  readonly #folder = temporaryFolder();
  readonly #ensemble: string;
  readonly #peerPorts: readonly number[];
  readonly #services = new Map<number, Service>();

  private constructor(options: NodesOptions, ensemble: string, peerPorts: readonly number[]) {
    this.#options = options;
    this.#ensemble = ensemble;
    this.#peerPorts = peerPorts;
  }

  /** Starts all of them; resolves when all serve. */
  static async start(options: NodesOptions): Promise<Nodes> {
    const ports = await freePorts(options.count * 2 + 10);
    const members = Array.from({ length: options.count }, (_, at) => {
      const host = options.network?.addressOf(at + 1) ?? "127.0.0.1";
      return `${at + 1}=${host}:${ports[at * 2]}:${ports[at * 2 + 1]}`;
    });
    const nodes = new Nodes(options, members.join(","), ports.slice(options.count * 2));
    const ids = members.map((_, at) => at + 1);
    try {
      const started = await Promise.allSettled(ids.map((id) => nodes.startNode(id)));
      for (const each of started) if (each.status === "rejected") throw each.reason;
      await nodes.serving({}, options.formTimeoutMs);
    } catch (thrown) {
      await nodes.close();
      throw thrown;
    }
    return nodes;
  }

  /** A node that is there; it may have ended meanwhile. */
  node(id: number): Service {
    const found = this.#services.get(id);
    if (found === undefined) throw new Error(`node ${id} was never started`);
    return found;
  }

  /** `host:port` where other nodes reach it. */
  peerOf(id: number): string {
    return `${this.#options.network?.addressOf(id) ?? "127.0.0.1"}:${this.#peerPorts[id - 1]}`;
  }

  get ids(): number[] {
    return [...this.#services.keys()];
  }

  /** Those that run. */
  running({ except = [] }: Except = {}): Service[] {
    return [...this.#services]
      .filter(([id, service]) => service.isRunning && !except.includes(id))
      .map(([, service]) => service);
  }

  /**
   * Starts a voting node, again or for the first time; `join`: one more, that joins by the first that runs, or by that one,
   * whether it runs or not.
   */
  async startNode(
    id: number,
    {
      join = false,
      args: more = [],
    }: { readonly join?: boolean | number; readonly args?: readonly string[] } = {},
  ): Promise<Service> {
    const { args = [], env = {}, network, place } = this.#options;
    const host = network?.addressOf(id) ?? "127.0.0.1";
    const listeners = network === undefined ? [] : listenersOf(host);
    const peer = ["--peer", `${host}:${this.#peerPorts[id - 1]}`];
    const dataDir = path.join(this.#folder, `node-${id}`);
    const own = await place?.(id, dataDir);
    const service = await Service.start({
      dataDir,
      within: [...(network?.within(id) ?? []), ...(own?.within ?? [])],
      bin: own?.bin,
      readyTimeoutMs: servingTimeoutMs,
      env: { LOGKEEP_CLUSTER_SECRET: secret, ...env, ...own?.env },
      args: [
        ...listeners,
        ...peer,
        ...["--node-id", String(id)],
        ...(join === false ? this.#coordinator : ["--join", this.#peerToJoin(join)]),
        ...args,
        ...more,
      ],
    });
    this.#services.set(id, service);
    return service;
  }

  /** Resolves when each shard has an owner and every node that runs says that it is ready. */
  async serving(except: Except = {}, timeoutMs = servingTimeoutMs): Promise<void> {
    const endMs = performance.now() + timeoutMs;
    for (;;) {
      const answers = await Promise.all(this.running(except).map(isReady));
      if (answers.every(Boolean)) return;
      if (performance.now() > endMs) throw new Error(`the cluster does not serve:\n${this.log}`);
      await sleep(50);
    }
  }

  /** Resolves when any one node may die, and the others go on. */
  async inSync(): Promise<void> {
    await this.serving();
    await allInSync(() => this.running());
  }

  get #coordinator(): readonly string[] {
    const { connect } = this.#options;
    if (connect === undefined) return ["--ensemble", this.#ensemble];
    return ["--connect", connect.join(",")];
  }

  get log(): string {
    return [...this.#services]
      .map(
        ([id, service]) =>
          `--- node ${id} (${service.isRunning ? "runs" : "ended"})\n${service.log.slice(-4000)}`,
      )
      .join("\n");
  }

  async close(): Promise<void> {
    await Promise.all([...this.#services.values()].map((service) => service.kill()));
  }

  #peerToJoin(join: true | number): string {
    return join === true ? this.#peerOfRunning() : this.peerOf(join);
  }

  #peerOfRunning(): string {
    for (const [id, service] of this.#services) {
      const host = this.#options.network?.addressOf(id) ?? "127.0.0.1";
      if (service.isRunning) return `${host}:${this.#peerPorts[id - 1]}`;
    }
    throw new Error("no node runs");
  }
}

function listenersOf(host: string): string[] {
  return ["--http", `${host}:7070`, "--coordinator", `${host}:2181`, "--insecure-listen"];
}

async function isReady(service: Service): Promise<boolean> {
  try {
    const response = await fetch(`${service.http}/readyz`, { signal: AbortSignal.timeout(10_000) });
    return response.ok;
  } catch {
    return false;
  }
}
