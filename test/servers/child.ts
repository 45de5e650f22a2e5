import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { existsSync } from "node:fs";

const setpriv = "/usr/bin/setpriv";

/** Those that run. */
const children = new Set<ChildProcess>();

process.once("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});

/**
 * Spawns a server that ends with this process, even when this process is killed: the kernel sees to it. The child's
 * pid is the server's own.
 */
export function spawnServer(
  command: string,
  args: readonly string[],
  options: SpawnOptions,
): ChildProcess {
  // Where it is not there, a test process that is killed leaves its servers behind.
  const within = existsSync(setpriv) ? [setpriv, "--pdeathsig", "KILL", "--"] : [];
  const [first, ...others] = [...within, command, ...args];
  const child = spawn(first as string, others, options);
  children.add(child);
  child.once("exit", () => children.delete(child));
  return child;
}
