import { randomInt } from "node:crypto";
import { createServer, type Server } from "node:net";

/** An address of loopback at which nothing is served: who listens there keeps a port from other tests. */
const keeper = "127.86.86.86";

/**
 * Free ports of 127.0.0.1, below those that the system hands out. No other process is given them while this one lives, not even while
 * the node that listens there is down.
 */
export async function freePorts(count: number): Promise<number[]> {
  const found: number[] = [];
  while (found.length < count) {
    const port = randomInt(10_000, 32_000);
    const kept = await listening(port, keeper);
    if (kept === "taken") continue;
    const tried = await listening(port, "127.0.0.1");
    const ended = tried === "taken" ? kept : tried;
    if (tried !== "taken") found.push(port);
    await new Promise((resolve) => ended.close(resolve));
  }
  return found;
}

/** Also where the system knows no such address: then it keeps nothing. */
function listening(port: number, host: string): Promise<Server | "taken"> {
  return new Promise((resolve) => {
    const server = createServer().unref();
    server.once("error", ({ code }: NodeJS.ErrnoException) => {
      resolve(code === "EADDRNOTAVAIL" ? server : "taken");
    });
    server.listen(port, host, () => resolve(server));
  });
}
