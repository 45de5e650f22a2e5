import type { ZooKeeperClient } from "../client/client.ts";
import { isZooKeeperError } from "../client/errors.ts";
import type { Acl } from "../wire/records.ts";
import { retryMs } from "./limits.ts";

export interface EphemeralOptions {
  readonly client: ZooKeeperClient;
  /** Its parent must exist. */
  readonly path: string;
  readonly data: Uint8Array;
  readonly acl?: readonly Acl[];
  /** Told when it could not be made, for the log; it is tried again. */
  readonly onFailure?: (thrown: unknown) => void;
}

/** An ephemeral znode that is made again in each new session, and when somebody deletes it, until it is closed. */
export class PersistentEphemeral {
  readonly #options: EphemeralOptions;
  readonly #stop: () => void;
  readonly #made = Promise.withResolvers<void>();
  #isClosed = false;
  #busy: Promise<void> | undefined;
  #isStale = false;
  #retry: NodeJS.Timeout | undefined;

  constructor(options: EphemeralOptions) {
    this.#options = options;
    this.#stop = options.client.onSession((event) => {
      if (event.kind === "connected" && event.isNew) this.#ensure();
      if (event.kind === "closed") this.#isClosed = true;
    });
    this.#ensure();
  }

  /** Resolves when it is there for the first time. */
  get made(): Promise<void> {
    return this.#made.promise;
  }

  /** Deletes it, if the coordinator can be reached. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stop();
    clearTimeout(this.#retry);
    await this.#busy;
    const { client, path } = this.#options;
    if (!client.isConnected) return;
    try {
      await client.delete(path);
    } catch (thrown) {
      if (!isZooKeeperError(thrown)) throw thrown;
    }
  }

  #ensure(): void {
    clearTimeout(this.#retry);
    if (this.#isClosed) return;
    if (this.#busy !== undefined) {
      this.#isStale = true;
      return;
    }
    this.#busy = this.#make()
      .catch((thrown: unknown) => {
        if (this.#isClosed) return;
        this.#options.onFailure?.(thrown);
        this.#retry = setTimeout(() => this.#ensure(), retryMs);
      })
      .finally(() => {
        this.#busy = undefined;
        if (!this.#isStale) return;
        this.#isStale = false;
        this.#ensure();
      });
  }

  async #make(): Promise<void> {
    const { client, path, data, acl } = this.#options;
    const options = acl === undefined ? {} : { acl };
    try {
      await client.create(path, data, { mode: "ephemeral", ...options });
    } catch (thrown) {
      if (!isZooKeeperError(thrown, "NODEEXISTS")) throw thrown;
    }
    const stat = await client.exists(path, { watch: () => this.#ensure() });
    // Another session's is on its way out: the watch brings us back when it has gone.
    if (stat?.ephemeralOwner === client.sessionId) this.#made.resolve();
  }
}
