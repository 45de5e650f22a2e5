import { pause } from "../../../kit/src/pause.ts";
import type { NodeIdentity } from "../node.ts";
import { dialledWaitMs, redialMsMax, redialMsMin } from "./limits.ts";
import type { PeerAddress, PeerDirectory } from "./peers.ts";

export interface DiallerDeps {
  readonly self: NodeIdentity;
  readonly directory: PeerDirectory;
  /** Whether there is a link to the node. */
  isLinked(node: number): boolean;
  /** Resolves once a link is there; rejects with why not. */
  connect(to: PeerAddress): Promise<void>;
  /** Of one attempt; the same reason again and again is told once. */
  onFailed(to: PeerAddress, thrown: unknown, isNew: boolean): void;
}

/** Dials every node of the directory that there is no link to, until there is. */
export class Dialler {
  readonly #deps: DiallerDeps;
  readonly #abort = new AbortController();
  readonly #running = new Map<number, Promise<void>>();
  readonly #stopListening: () => void;

  constructor(deps: DiallerDeps) {
    this.#deps = deps;
    this.#stopListening = deps.directory.onChange(() => this.look());
  }

  /** Begins to dial whom it has to; after each change and each end of a link. */
  look(): void {
    if (this.#abort.signal.aborted) return;
    const { self, directory } = this.#deps;
    for (const { nodeId } of directory.current()) {
      if (nodeId === self.nodeId || this.#running.has(nodeId) || !this.#isWanted(nodeId)) continue;
      const running = this.#dial(nodeId).finally(() => {
        this.#running.delete(nodeId);
        // A link may have ended, or the node have come again, in that very moment.
        if (this.#isWanted(nodeId)) this.look();
      });
      this.#running.set(nodeId, running);
    }
  }

  async close(): Promise<void> {
    this.#stopListening();
    this.#abort.abort();
    await Promise.all(this.#running.values());
  }

  async #dial(node: number): Promise<void> {
    const { self, connect, onFailed } = this.#deps;
    const { signal } = this.#abort;
    if (self.nodeId > node) await pause(dialledWaitMs, signal, { ref: false });
    let waitMs = redialMsMin;
    let lastReason: string | undefined;
    while (this.#isWanted(node)) {
      const to = this.#addressOf(node) as PeerAddress;
      try {
        await connect(to);
        return;
      } catch (thrown) {
        if (signal.aborted) return;
        const reason = String(thrown);
        onFailed(to, thrown, reason !== lastReason);
        lastReason = reason;
      }
      // Nodes that lost each other at one moment do not come back at one moment.
      await pause(waitMs * (0.5 + Math.random() / 2), signal, { ref: false });
      waitMs = Math.min(redialMsMax, waitMs * 2);
    }
  }

  #isWanted(node: number): boolean {
    if (this.#abort.signal.aborted || this.#deps.isLinked(node)) return false;
    return this.#addressOf(node) !== undefined;
  }

  #addressOf(node: number): PeerAddress | undefined {
    return this.#deps.directory.current().find(({ nodeId }) => nodeId === node);
  }
}
