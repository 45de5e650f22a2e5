import { execFile } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { root } from "../suites.ts";

/** What of the Containerfile counts when its image runs. */
export interface Image {
  readonly env: Readonly<Record<string, string>>;
  readonly user: number;
  readonly entrypoint: readonly string[];
  readonly workdir: string;
  /** A command that fails while the service is not ready. */
  readonly healthcheck: readonly string[];
  /** Symbolic links that it makes: what each path leads to. */
  readonly links: Readonly<Record<string, string>>;
  /** The commands that pack the product and install the package. */
  readonly pack: string;
  readonly install: string;
}

/** Reads the Containerfile; the last stage is the image. */
export function readImage(): Image {
  const text = readFileSync(path.join(root, "Containerfile"), "utf8");
  const lines = text.replaceAll(/\\\n\s*/g, "").split("\n");
  const last = lines.slice(lines.findLastIndex((line) => line.startsWith("FROM ")));
  const after = (word: string): string =>
    last.find((line) => line.startsWith(`${word} `))?.slice(word.length + 1) ?? "";
  const env = after("ENV").matchAll(/(\w+)=(\S+)/g);
  const links = after("RUN").matchAll(/\bln -s (\S+) (\S+)/g);
  const commands = lines
    .filter((line) => line.startsWith("RUN "))
    .flatMap((line) => line.slice("RUN ".length).split(/ ?&& /));
  const command = (form: RegExp): string => commands.find((each) => form.test(each)) ?? "";
  return {
    env: Object.fromEntries([...env].map(([, name, value]) => [name as string, value as string])),
    user: Number(after("USER").split(":")[0]),
    entrypoint: JSON.parse(after("ENTRYPOINT")) as string[],
    workdir: after("WORKDIR"),
    healthcheck: JSON.parse(/\[.*\]/.exec(after("HEALTHCHECK"))?.[0] ?? "[]") as string[],
    links: Object.fromEntries([...links].map(([, to, at]) => [at as string, to as string])),
    pack: command(/^npm pack /),
    install: command(/^npm install .*\/packed\//),
  };
}

const run = promisify(execFile);
const buildTimeoutMs = 400_000;

/** Packs and installs as the image's build does; gives the folder that is /opt/logkeep in the image. */
export async function buildImage({ pack, install }: Image, folder: string): Promise<string> {
  const packed = path.join(folder, "packed");
  const installed = path.join(folder, "installed");
  mkdirSync(packed);
  mkdirSync(installed);
  const within = (command: string): string[] => ["-c", command.replaceAll("/packed", packed)];
  await run("sh", within(pack), { cwd: root, timeout: buildTimeoutMs });
  await run("sh", within(install), { cwd: installed, timeout: buildTimeoutMs });
  return installed;
}
