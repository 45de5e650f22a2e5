import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { ZooKeeperClient } from "../src/client/client.ts";
import { parseConnectString, type ServerAddress } from "../src/client/paths.ts";
import { startCoordinator } from "../src/server/start.ts";

/** A server for one test file, with a chroot of its own. */
export interface TestServer {
  /** `host:port`, or several. */
  readonly address: string;
  readonly chroot: string;
  close(): Promise<void>;
}

/**
 * Our own server on a free port; with LOGKEEP_TEST_ZOOKEEPER=host:port,… those, which is how ensembles are tested, and
 * Apache's.
 */
export async function openServer(): Promise<TestServer> {
  const foreign = process.env["LOGKEEP_TEST_ZOOKEEPER"];
  const chroot = `/test-${randomUUID()}`;
  const server =
    foreign === undefined ? await ownServer() : { address: foreign, close: async () => {} };
  const client = new ZooKeeperClient({ connect: server.address });
  await client.create(chroot);
  await client.close();
  return { ...server, chroot };
}

async function ownServer(): Promise<{ readonly address: string; close(): Promise<void> }> {
  const dataDir = await mkdtemp(join(tmpdir(), "logkeep-client-"));
  const server = await startCoordinator({ dataDir, tickTimeMs: 100, maxSessionTimeoutMs: 40_000 });
  return {
    address: `${server.address.host}:${server.address.port}`,
    close: async () => {
      await server.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/**
 * A way to a server that can be cut: connections break, and new ones are refused while it is down. Of several servers
 * each connection goes to the next.
 */
export class CuttableProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isDown = false;
  #isHeld = false;

  private constructor(target: string) {
    const { servers } = parseConnectString(target);
    let next = 0;
    this.#server = createServer((inner) => {
      if (this.#isDown) {
        inner.destroy();
        return;
      }
      const outer = connect({ ...(servers[next++ % servers.length] as ServerAddress) });
      for (const [from, to] of [
        [inner, outer],
        [outer, inner],
      ] as const) {
        this.#sockets.add(from);
        from.on("data", (chunk: Buffer) => {
          if (!(this.#isHeld && from === outer)) to.write(chunk);
        });
        from.on("error", () => undefined);
        from.on("close", () => {
          this.#sockets.delete(from);
          to.destroy();
        });
      }
    });
  }

  static async open(target: string): Promise<CuttableProxy> {
    const proxy = new CuttableProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get address(): string {
    const address = this.#server.address() as { port: number };
    return `127.0.0.1:${address.port}`;
  }

  /** Breaks every connection; with `down`, refuses new ones until `up`. */
  cut(state: "up" | "down"): void {
    this.#isDown = state === "down";
    for (const socket of this.#sockets) socket.destroy();
  }

  up(): void {
    this.#isDown = false;
    this.#isHeld = false;
  }

  /** Swallows what the server says, as a network does that lost its way back. */
  hold(): void {
    this.#isHeld = true;
  }

  async close(): Promise<void> {
    this.cut("down");
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
