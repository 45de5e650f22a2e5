import { once } from "node:events";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import os from "node:os";
import path from "node:path";

/** Below those that Linux gives to outgoing connections: one of those could take a server's place while it is down. */
const portMin = 12_000;
const portMax = 32_000;

/** Files that say that a port is this process's, for as long as it runs. */
const claims = new Set<string>();

process.once("exit", () => {
  for (const file of claims) rmSync(file, { force: true });
});

/**
 * Ports of loopback for servers that are told where to listen, and come back there after a restart. Nobody listens on them
 * now, and no other process that asks here gets them while this one runs.
 */
export async function freePorts(count: number): Promise<number[]> {
  const found: number[] = [];
  while (found.length < count) {
    const port = portMin + Math.floor(Math.random() * (portMax - portMin));
    if (claim(port) && (await isFree(port))) found.push(port);
  }
  return found;
}

function claim(port: number): boolean {
  const file = path.join(os.tmpdir(), `logkeep-test-port-${port}`);
  if (claims.has(file)) return false;
  try {
    writeFileSync(file, String(process.pid), { flag: "wx" });
  } catch {
    // Whoever was killed leaves it behind; the port is for another look.
    if (!isHeld(file)) rmSync(file, { force: true });
    return false;
  }
  claims.add(file);
  return true;
}

function isHeld(file: string): boolean {
  try {
    process.kill(Number(readFileSync(file, "utf8")), 0);
    return true;
  } catch (thrown) {
    // Of another user.
    return (thrown as NodeJS.ErrnoException).code === "EPERM";
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const isFound = await new Promise<boolean>((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => resolve(true));
  });
  if (!isFound) return false;
  server.close();
  await once(server, "close");
  return true;
}
