import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { root } from "../suites.ts";

/** How long a command may take before it is killed. */
const commandMs = 180_000;

/** How a command ended, and what it said on both streams. */
export interface Said {
  readonly code: number | null;
  readonly said: string;
}

/** Runs `logkeep` as a person does, who knows no secret. */
export async function run(args: readonly string[]): Promise<Said> {
  const { LOGKEEP_CLUSTER_SECRET: _, ...env } = process.env;
  const child = spawn(path.join(root, "services/bin/logkeep"), args, {
    stdio: ["ignore", "pipe", "pipe"],
    env,
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
  }
  const late = setTimeout(() => child.kill("SIGKILL"), commandMs);
  const [code] = (await once(child, "close")) as [number | null];
  clearTimeout(late);
  return { code, said };
}
