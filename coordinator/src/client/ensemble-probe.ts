import type { Socket } from "node:net";

import { dial, type SecurityOf } from "./dial.ts";
import { connectTimeoutMsMax, probeMsMax, probeMsMin } from "./limits.ts";
import type { ServerList, Target } from "./server-list.ts";

/**
 * Looks for a server that takes writes while the client is connected to one that only reads, by the four-letter
 * word `isro`, as Apache's clients do: at first often, then each minute.
 */
export class EnsembleProbe {
  readonly #servers: ServerList;
  readonly #securityOf: SecurityOf;
  readonly #found: (target: Target) => void;
  #socket: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #waitMs = probeMsMin;
  #isStopped = false;

  constructor(servers: ServerList, securityOf: SecurityOf, found: (target: Target) => void) {
    this.#servers = servers;
    this.#securityOf = securityOf;
    this.#found = found;
    this.#later();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
  }

  #later(): void {
    this.#timer = setTimeout(() => void this.#look(), this.#waitMs);
    this.#waitMs = Math.min(probeMsMax, this.#waitMs * 2);
  }

  async #look(): Promise<void> {
    const target = await this.#servers.next();
    if (this.#isStopped) return;
    const said = target === undefined ? "" : await this.#ask(target);
    if (this.#isStopped) return;
    if (target !== undefined && said === "rw") this.#found(target);
    else this.#later();
  }

  #ask(target: Target): Promise<string> {
    return new Promise((resolve) => {
      let said = "";
      const socket = dial(target, this.#securityOf(target.server), () => socket.write("isro"));
      this.#socket = socket;
      socket.setTimeout(connectTimeoutMsMax, () => socket.destroy());
      socket.on("error", () => undefined);
      socket.on("data", (chunk: Buffer) => {
        // The answer is two letters: whoever says more is not asked further.
        said += chunk.toString("latin1", 0, 8);
        if (said.length >= 8) socket.destroy();
      });
      socket.on("close", () => resolve(said.trim()));
    });
  }
}
