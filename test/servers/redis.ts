import { type ChildProcess, spawnSync } from "node:child_process";
import { once } from "node:events";
import os from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { missing } from "../machine.ts";
import { temporaryFolder } from "../service.ts";
import { spawnServer } from "./child.ts";
import { freePorts } from "./ports.ts";

const startTimeoutMs = 90_000;

/** For a test's `skip`: false, or why there can be no Redis here. Throws where the machine must have one. */
export function missingRedis(): string | false {
  const isThere = spawnSync("redis-server", ["--version"]).status === 0;
  return missing("redis", isThere, "there is no redis-server; Debian's package is called so");
}

export interface RedisServerOptions {
  /** Whether a restart finds what was written. */
  readonly isDurable?: boolean;
  /** Serves TLS only, with these files. */
  readonly tls?: { readonly certificate: string; readonly key: string };
  readonly args?: readonly string[];
}

/** A real server on a free port of loopback; it ends with this process. */
export class RedisServer {
  readonly port: number;
  readonly #folder: string;
  readonly #options: RedisServerOptions;
  #child: ChildProcess | undefined;

  private constructor(port: number, options: RedisServerOptions) {
    this.port = port;
    this.#folder = options.isDurable === true ? temporaryFolder() : os.tmpdir();
    this.#options = options;
  }

  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    const [port] = (await freePorts(1)) as [number];
    const server = new RedisServer(port, options);
    await server.restart();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  get isRunning(): boolean {
    return this.#child?.exitCode === null && this.#child.signalCode === null;
  }

  /** Starts it again on its port, with what it kept. */
  async restart(): Promise<void> {
    await this.kill();
    const { isDurable = false, tls, args = [] } = this.#options;
    const port = String(this.port);
    const listener =
      tls === undefined
        ? ["--port", port]
        : [
            ...["--port", "0", "--tls-port", port, "--tls-auth-clients", "no"],
            ...["--tls-cert-file", tls.certificate, "--tls-key-file", tls.key],
          ];
    const own = [...listener, "--bind", "127.0.0.1", "--dir", this.#folder];
    const keeping = isDurable ? ["--appendonly", "yes", "--appendfsync", "always"] : [];
    const command = [...own, "--save", "", ...keeping, ...args];
    const child = spawnServer("redis-server", command, { stdio: ["ignore", "pipe", "ignore"] });
    this.#child = child;
    const deadline = Date.now() + startTimeoutMs;
    let log = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      log = (log + text).slice(-4000);
    });
    while (!log.includes("Ready to accept connections")) {
      if (!this.isRunning || Date.now() > deadline) throw new Error(`no redis: ${log}`);
      await sleep(10);
    }
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || !this.isRunning) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  }

  /** It keeps its connections and answers nothing, until `resume`. */
  pause(): void {
    this.#child?.kill("SIGSTOP");
  }

  resume(): void {
    this.#child?.kill("SIGCONT");
  }

  /** Runs commands on a connection of their own. */
  async ask<T>(deed: (redis: Redis) => Promise<T>): Promise<T> {
    const redis = new Redis(this.url, { maxRetriesPerRequest: 1 });
    redis.on("error", () => undefined);
    try {
      return await deed(redis);
    } finally {
      redis.disconnect();
    }
  }
}
