import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { spawnServer } from "./servers/child.ts";
import { root } from "./suites.ts";

/** What a test starts: the command that a user types, on free ports of loopback. */
export interface ServiceOptions {
  /** Kept between runs of one test; a new folder by default. */
  readonly dataDir?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** A command and its arguments that become the service, as `nsenter … --`. */
  readonly within?: readonly string[];
  /** The command of another release; by default that of this checkout. */
  readonly bin?: string | undefined;
  /** How long it may take until it serves; a minute and a half by default. */
  readonly readyTimeoutMs?: number;
}

/** A folder that keeps everything that services log; without it a test keeps the last of it. */
const logFolder = process.env["SERVICE_LOGS"];
const stopTimeoutMs = 120_000;
/** How often a question that reached its deadline is asked again: where ten programs want each core, the first one may. */
const askedAgainMax = 10;

/** A running `logkeep start`. */
export class Service {
  readonly child: ChildProcess;
  readonly dataDir: string;
  readonly http: string;
  readonly coordinator: string;
  readonly #errors: string[];

  private constructor(
    child: ChildProcess,
    dataDir: string,
    ready: RegExpExecArray,
    errors: string[],
  ) {
    this.child = child;
    this.dataDir = dataDir;
    this.http = ready[1] as string;
    this.coordinator = ready[2] as string;
    this.#errors = errors;
  }

  static async start({
    dataDir = temporaryFolder(),
    args = [],
    env = {},
    within = [],
    bin = path.join(root, "services/bin/logkeep"),
    readyTimeoutMs = 90_000,
  }: ServiceOptions = {}): Promise<Service> {
    const listeners = [
      "--http",
      "127.0.0.1:0",
      "--coordinator",
      "127.0.0.1:0",
      "--peer",
      "127.0.0.1:0",
    ];
    const command = [...within, bin, "start", "--data", dataDir, ...listeners, ...args];
    const child = spawnServer(command[0] as string, command.slice(1), {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...env },
    });
    const errors: string[] = [];
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      errors.push(text);
      if (logFolder !== undefined) {
        appendFileSync(path.join(logFolder, `${path.basename(dataDir)}-${child.pid}.log`), text);
      }
      if (errors.length > 200) errors.shift();
    });
    const ready = await readyLine(child, errors, readyTimeoutMs);
    return new Service(child, dataDir, ready, errors);
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** The last of what the service logged. */
  get log(): string {
    return this.#errors.join("");
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Resident memory of the process in MiB. */
  rssMiB(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN) / 1024;
  }

  /** Ends it as an operator does; gives its exit code. */
  async stop(): Promise<number | null> {
    await this.#end("SIGTERM");
    return this.child.exitCode;
  }

  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async #end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    if (!this.isRunning) return;
    const exited = once(this.child, "exit");
    this.child.kill(signal);
    const late = setTimeout(() => this.child.kill("SIGKILL"), stopTimeoutMs);
    await exited;
    clearTimeout(late);
  }

  /** `POST /api/v1/logs` with records as JSON lines; gives the parsed answer. */
  async ship(
    records: readonly object[],
    {
      stream = "service,host",
      headers = {},
    }: { stream?: string; headers?: Record<string, string> } = {},
  ): Promise<{ accepted: number; rejected: number }> {
    const response = await fetch(`${this.http}/api/v1/logs?stream=${stream}`, {
      method: "POST",
      headers: { "Content-Type": "application/x-ndjson", ...headers },
      body: records.map((record) => `${JSON.stringify(record)}\n`).join(""),
    });
    if (response.status !== 200)
      throw new Error(`ship: ${response.status} ${await response.text()}`);
    return (await response.json()) as { accepted: number; rejected: number };
  }

  /** `GET /api/v1/query`; gives the rows. */
  async search(query: string, params: Readonly<Record<string, string>> = {}): Promise<Row[]> {
    const search = new URLSearchParams({ query, start: "0", limit: "0", ...params });
    for (let again = 0; ; again++) {
      const response = await fetch(`${this.http}/api/v1/query?${search}`);
      const text = await response.text();
      if (response.status === 504 && again < askedAgainMax) continue;
      if (response.status !== 200) throw new Error(`search: ${response.status} ${text}`);
      return text
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as Row);
    }
  }

  /** Waits until the log, which comes by a pipe, has this. */
  async logged(text: string | RegExp): Promise<void> {
    const isThere = () =>
      typeof text === "string" ? this.log.includes(text) : text.test(this.log);
    for (const end = performance.now() + 60_000; !isThere(); await sleep(20)) {
      if (performance.now() > end)
        throw new Error(`the log does not tell of ${text}:\n${this.log}`);
    }
  }

  /** How many records match. */
  async count(query: string, params: Readonly<Record<string, string>> = {}): Promise<number> {
    const rows = await this.search(`${query} | stats count() n`, params);
    return Number(rows[0]?.["n"] ?? Number.NaN);
  }
}

export type Row = Record<string, string>;

/** A folder that goes when the test process ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), "logkeep-test-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function readyLine(
  child: ChildProcess,
  errors: readonly string[],
  timeoutMs: number,
): Promise<RegExpExecArray> {
  let text = "";
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      clearTimeout(late);
      child.kill("SIGKILL");
      reject(new Error(`the service ${why}\n${text}\n${errors.join("")}`));
    };
    const late = setTimeout(() => fail("was not ready in time"), timeoutMs);
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      const ready = /^logkeep ready http=(\S+) coordinator=(\S+)\n/.exec(text);
      if (ready === null) return;
      // Left alone it would kill a service that has long been serving.
      clearTimeout(late);
      resolve(ready);
    });
    child.once("exit", (code, ended) => fail(`ended with ${code ?? ended}`));
    child.once("error", (error) => fail(error.message));
  });
}
