import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import path from "node:path";
import { spawnServer } from "../servers/child.ts";
import { zookeeperCommand } from "../servers/zookeeper.ts";
import { root } from "../suites.ts";

/** Whose server it is. */
export type MemberKind = "logkeep" | "apache";

export interface MemberPlace {
  readonly id: number;
  readonly host: string;
  readonly port: number;
  readonly folder: string;
  /** The whole `zoo.cfg`, but for what is this member's own. */
  readonly settings: readonly string[];
  /** A command that the server runs behind, as `nsenter … --`. */
  readonly within: readonly string[];
}

/** How long a server that was asked to end may take. */
const stopTimeoutMs = 60_000;

/** Whoever is asked and says nothing counts as one that does not serve: a busy machine takes a second for an answer. */
const wordTimeoutMs = 5_000;

/** One server of an ensemble: a process of its own from a written `zoo.cfg`, and the data it leaves. */
export class Member {
  readonly id: number;
  readonly host: string;
  readonly port: number;
  readonly dataDir: string;
  readonly #place: MemberPlace;
  #kind: MemberKind;
  #child: ChildProcess | undefined;
  #isPaused = false;

  constructor(place: MemberPlace, kind: MemberKind) {
    this.id = place.id;
    this.host = place.host;
    this.port = place.port;
    this.dataDir = path.join(place.folder, "data");
    this.#place = place;
    this.#kind = kind;
    mkdirSync(this.dataDir, { recursive: true });
    writeFileSync(path.join(this.dataDir, "myid"), `${place.id}\n`);
    const own = [
      `dataDir=${this.dataDir}`,
      `clientPort=${place.port}`,
      `clientPortAddress=${place.host}`,
    ];
    writeFileSync(this.#config, [...own, ...place.settings, ""].join("\n"));
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get kind(): MemberKind {
    return this.#kind;
  }

  get isRunning(): boolean {
    return this.#child?.exitCode === null && this.#child.signalCode === null;
  }

  /** Runs and is not held by SIGSTOP. */
  get isAwake(): boolean {
    return this.isRunning && !this.#isPaused;
  }

  /** The last of what its processes logged. */
  get log(): string {
    return readFileSync(this.#logFile, "utf8").slice(-6_000);
  }

  /** Does not wait until it serves. With another kind it takes over the data of the one before. */
  start(kind = this.#kind): void {
    if (this.isRunning) throw new Error(`member ${this.id} runs already`);
    this.#kind = kind;
    this.#isPaused = false;
    const bin = path.join(root, "services/bin/logkeep");
    const server =
      kind === "apache"
        ? zookeeperCommand(this.#config)
        : [bin, "coordinator", "--config", this.#config, "--insecure-listen"];
    const [first, ...args] = [...this.#place.within, ...server];
    const output = openSync(this.#logFile, "a");
    this.#child = spawnServer(first as string, args, {
      cwd: this.#place.folder,
      stdio: ["ignore", output, output],
    });
    closeSync(output);
  }

  /** As an operator does. */
  stop(): Promise<void> {
    return this.#end("SIGTERM");
  }

  kill(): Promise<void> {
    return this.#end("SIGKILL");
  }

  /** Holds it where it is: it keeps its connections and answers nothing. */
  pause(): void {
    this.#isPaused = true;
    this.#child?.kill("SIGSTOP");
  }

  resume(): void {
    this.#isPaused = false;
    this.#child?.kill("SIGCONT");
  }

  /** What it answers to a four-letter word; "" when it does not. */
  async word(word: string): Promise<string> {
    if (!this.isAwake) return "";
    return new Promise((resolve) => {
      let answer = "";
      const socket = connect(this.port, this.host, () => socket.write(word));
      socket.setTimeout(wordTimeoutMs, () => socket.destroy());
      socket.setEncoding("utf8").on("data", (text: string) => {
        answer += text;
      });
      socket.on("error", () => undefined);
      socket.once("close", () => resolve(answer));
    });
  }

  /** `leader`, `follower`, `observer` or `standalone`; undefined while it does not serve. */
  async mode(): Promise<string | undefined> {
    return /^Mode: (\S+)$/m.exec(await this.word("srvr"))?.[1];
  }

  async #end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const child = this.#child;
    if (child === undefined || !this.isRunning) return;
    const exited = once(child, "exit");
    child.kill(signal);
    if (this.#isPaused) this.resume();
    const late = setTimeout(() => child.kill("SIGKILL"), stopTimeoutMs);
    await exited;
    clearTimeout(late);
  }

  get #config(): string {
    return path.join(this.#place.folder, "zoo.cfg");
  }

  get #logFile(): string {
    return path.join(this.#place.folder, "server.log");
  }
}
