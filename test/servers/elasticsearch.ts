import { type ChildProcess, spawnSync } from "node:child_process";
import { hash } from "node:crypto";
import { once } from "node:events";
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { missing } from "../machine.ts";
import { temporaryFolder } from "../service.ts";
import { root } from "../suites.ts";
import { spawnServer } from "./child.ts";
import { elasticsearchPom } from "./elasticsearch-pom.ts";
import { findJdk, type Jdk, jarsThere } from "./java.ts";
import { freePorts } from "./ports.ts";

/** The release of Java that the server's jars are compiled for. */
const javaMin = 21;

const startTimeoutMs = 240_000;

const sources = path.join(import.meta.dirname, "elasticsearch");

/** For a test's `skip`: false, or why there is no real Elasticsearch here. Throws where there must be one. */
export function missingElasticsearch(): string | false {
  const reason = whyNot();
  return missing("elasticsearch", reason === undefined, reason ?? "");
}

function whyNot(): string | undefined {
  if (findJdk(javaMin) === undefined) return `there is no JDK of release ${javaMin} or newer`;
  if (jarsThere("elasticsearch", elasticsearchPom) !== undefined) return undefined;
  return "its jars are not there: node test/servers/install.ts elasticsearch";
}

/** A node of the real server on a free port of loopback; it ends with this process. */
export class Elasticsearch {
  readonly home: string;
  #child: ChildProcess;
  #port: number;

  private constructor(home: string, started: Started) {
    this.home = home;
    this.#child = started.child;
    this.#port = started.port;
  }

  static async start(): Promise<Elasticsearch> {
    const home = temporaryFolder();
    const [port] = (await freePorts(1)) as [number];
    return new Elasticsearch(home, await launch(home, port));
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  /** Ends it as a machine that loses power does, but for its disk. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exited;
  }

  /** Starts it again, on the same data and port. */
  async restart(): Promise<void> {
    await this.kill();
    this.#child = (await launch(this.home, this.#port)).child;
  }
}

interface Started {
  readonly child: ChildProcess;
  readonly port: number;
}

async function launch(home: string, port: number): Promise<Started> {
  const jdk = findJdk(javaMin);
  const lib = jarsThere("elasticsearch", elasticsearchPom);
  if (jdk === undefined || lib === undefined) throw new Error(whyNot());
  const built = build(jdk, lib);
  const plugin = path.join(home, "plugins/logkeep-test");
  if (!existsSync(plugin)) {
    mkdirSync(path.dirname(plugin), { recursive: true });
    symlinkSync(path.join(built, "plugin"), plugin);
  }
  const options = [
    // The least in which the server starts and takes the tests' requests; it is one of several processes here.
    ...["-Xms384m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"],
    ...["--add-modules", "jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED"],
    ...["-cp", `${path.join(built, "main")}:${lib}/*`],
  ];
  const command = [...options, "logkeep.server.ServerMain", home, String(port)];
  const child = spawnServer(jdk.java, command, { stdio: ["ignore", "pipe", "pipe"] });
  return { child, port: await readyPort(child) };
}

/** Compiles the server's own main and its plugin once for each state of their sources; gives the folder. */
function build(jdk: Jdk, lib: string): string {
  const files = globSync(`${sources}/*.java`).sort();
  // How they are built counts, too.
  const inputs = [...files, import.meta.filename];
  const state = hash("sha256", inputs.map((file) => readFileSync(file, "utf8")).join("\0"));
  const cache = path.join(root, ".cache/servers/elasticsearch");
  const folder = path.join(cache, `built-${state.slice(0, 16)}`);
  if (existsSync(folder)) return folder;
  const made = mkdtempSync(path.join(cache, "building-"));
  // Apart from each other: the server refuses a plugin with a class that it already has.
  const isMain = (file: string): boolean => path.basename(file) === "ServerMain.java";
  const plugin = path.join(made, "plugin");
  const inside = path.join(made, "inside");
  const plain = files.filter((file) => !isMain(file));
  run(jdk.javac, ["-nowarn", "-cp", `${lib}/*`, "-d", inside, ...plain]);
  mkdirSync(plugin);
  run(jdk.jar, ["cf", path.join(plugin, "logkeep-test.jar"), "-C", inside, "."]);
  const main = ["-d", path.join(made, "main"), ...files.filter(isMain)];
  run(jdk.javac, ["-nowarn", "-cp", `${inside}:${lib}/*`, ...main]);
  writeFileSync(path.join(plugin, "plugin-descriptor.properties"), descriptor);
  try {
    renameSync(made, folder);
  } catch (thrown) {
    // Another process was first with the same.
    if (!existsSync(folder)) throw thrown;
  }
  return folder;
}

const descriptor = [
  "name=logkeep-test",
  "description=what the tests' server needs beside its core",
  "version=1",
  "classname=logkeep.server.TestPlugin",
  `java.version=${javaMin}`,
  `elasticsearch.version=${
    /<artifactId>elasticsearch<\/artifactId>\s*<version>([\d.]+)</.exec(
      elasticsearchPom.slice(elasticsearchPom.indexOf("<dependencies>")),
    )?.[1]
  }`,
  "",
].join("\n");

function run(command: string, args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ended with ${status}: ${error?.message ?? stderr}`);
}

async function readyPort(child: ChildProcess): Promise<number> {
  const said: string[] = [];
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      clearTimeout(late);
      child.kill("SIGKILL");
      reject(new Error(`Elasticsearch ${why}\n${said.join("").slice(-4000)}`));
    };
    const late = setTimeout(() => fail("was not ready in time"), startTimeoutMs);
    let isReady = false;
    const listen = (text: string): void => {
      said.push(text);
      if (said.length > 500) said.shift();
      const ready = isReady ? null : /^ready (\d+)$/m.exec(said.join(""));
      if (ready === null) return;
      isReady = true;
      clearTimeout(late);
      resolve(Number(ready[1]));
    };
    child.stdout?.setEncoding("utf8").on("data", listen);
    child.stderr?.setEncoding("utf8").on("data", listen);
    child.once("exit", (code, signal) => fail(`ended with ${code ?? signal}`));
    child.once("error", (error) => fail(error.message));
  });
}
