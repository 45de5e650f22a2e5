import { spawn, spawnSync } from "node:child_process";
import { hash } from "node:crypto";
import { once } from "node:events";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { root } from "../suites.ts";

/** A runtime, and the tools beside it. */
export interface Jdk {
  readonly java: string;
  readonly javac: string;
  readonly jar: string;
  /** The feature release, as 17. */
  readonly version: number;
}

/** Where Debian and others put what they install. */
const systemFolder = "/usr/lib/jvm";

/** Maven reads some hundred files over the network, on a machine that does other things. */
const mavenTimeoutMs = 600_000;

/** The newest JDK of release `min` or above: of JAVA_HOME, PATH and /usr/lib/jvm. */
export function findJdk(min: number): Jdk | undefined {
  return newest(min, (home) => existsSync(path.join(home, "bin/javac")));
}

/** The newest runtime of release `min` or above; it need not have a compiler. */
export function findJava(min: number): Pick<Jdk, "java" | "version"> | undefined {
  return newest(min, () => true);
}

function newest(min: number, accepts: (home: string) => boolean): Jdk | undefined {
  let best: Jdk | undefined;
  for (const home of javaHomes()) {
    const java = path.join(home, "bin/java");
    if (!existsSync(java) || !accepts(home)) continue;
    const version = versionOf(java);
    if (version < min || version <= (best?.version ?? 0)) continue;
    best = { java, javac: path.join(home, "bin/javac"), jar: path.join(home, "bin/jar"), version };
  }
  return best;
}

function javaHomes(): string[] {
  const homes: string[] = [];
  const named = process.env["JAVA_HOME"];
  if (named !== undefined && named !== "") homes.push(named);
  for (const folder of (process.env["PATH"] ?? "").split(path.delimiter)) {
    if (folder !== "" && existsSync(path.join(folder, "java"))) homes.push(path.dirname(folder));
  }
  if (existsSync(systemFolder)) {
    for (const name of readdirSync(systemFolder)) homes.push(path.join(systemFolder, name));
  }
  return homes;
}

/** The release of `java`, or 0 when it does not say. */
function versionOf(java: string): number {
  const { stderr } = spawnSync(java, ["-version"], { encoding: "utf8" });
  return Number(/version "(\d+)/.exec(stderr ?? "")?.[1] ?? 0);
}

/** The folder with the jars of a server, when they were fetched with exactly this pom. */
export function jarsThere(name: string, pomText: string): string | undefined {
  const folder = path.join(serverFolder(name), "lib");
  const mark = path.join(serverFolder(name), "fetched");
  if (!existsSync(mark) || readFileSync(mark, "utf8") !== hash("sha256", pomText)) return undefined;
  return folder;
}

/**
 * Fetches the runtime jars of a pom with Maven, once, into `.cache/servers/<name>/lib`; gives that folder.
 * Two at once: the second waits for the first. Rejects with what Maven said.
 */
export async function mavenJars(name: string, pomText: string): Promise<string> {
  const folder = serverFolder(name);
  mkdirSync(folder, { recursive: true });
  const unlock = await lock(path.join(folder, "lock"));
  try {
    const there = jarsThere(name, pomText);
    if (there !== undefined) return there;
    rmSync(path.join(folder, "fetched"), { force: true });
    rmSync(path.join(folder, "lib"), { recursive: true, force: true });
    writeFileSync(path.join(folder, "pom.xml"), pomText);
    await copyDependencies(folder);
    renameSync(path.join(folder, "lib.new"), path.join(folder, "lib"));
    writeFileSync(path.join(folder, "fetched"), hash("sha256", pomText));
    return path.join(folder, "lib");
  } finally {
    unlock();
  }
}

function serverFolder(name: string): string {
  return path.join(root, ".cache/servers", name);
}

async function copyDependencies(folder: string): Promise<void> {
  const output = path.join(folder, "lib.new");
  rmSync(output, { recursive: true, force: true });
  const goal = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";
  const options = ["-DincludeScope=runtime", `-DoutputDirectory=${output}`];
  const child = spawn("mvn", ["-q", "-B", goal, ...options], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: mavenTimeoutMs,
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-4000);
    });
  }
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`mvn ended with ${code}:\n${said}`);
}

/** Waits for a file that only one process can hold; a holder that died is replaced. */
async function lock(file: string): Promise<() => void> {
  for (;;) {
    try {
      const descriptor = openSync(file, "wx");
      writeFileSync(descriptor, String(process.pid));
      closeSync(descriptor);
      return () => rmSync(file, { force: true });
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== "EEXIST") throw thrown;
      // A lock without a pid is about to get one.
      const holder = Number(readIfThere(file));
      if (holder > 0 && !isAlive(holder)) rmSync(file, { force: true });
      await sleep(200);
    }
  }
}

function readIfThere(file: string): string {
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
