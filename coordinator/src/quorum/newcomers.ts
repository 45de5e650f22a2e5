import type { Socket } from "node:net";

import { unnamedMax } from "./limits.ts";

/**
 * Connections that have not said who they are. Each has its time, and there is a number of them: the oldest goes for a new
 * one, so that who opens many and says nothing keeps nobody out who speaks.
 */
export class Newcomers {
  readonly #withinMs: number;
  readonly #timers = new Map<Socket, NodeJS.Timeout>();

  constructor(withinMs: number) {
    this.#withinMs = withinMs;
  }

  add(socket: Socket): void {
    const [oldest] = this.#timers.keys();
    if (this.#timers.size >= unnamedMax && oldest !== undefined) oldest.destroy();
    const timer = setTimeout(() => socket.destroy(), this.#withinMs);
    this.#timers.set(socket, timer);
    socket.once("close", () => this.named(socket));
  }

  /** It has said who it is, or is gone. */
  named(socket: Socket): void {
    clearTimeout(this.#timers.get(socket));
    this.#timers.delete(socket);
  }

  end(): void {
    for (const socket of this.#timers.keys()) socket.destroy();
  }
}
