import type { ZooKeeperClient } from "../client/client.ts";
import { isZooKeeperError } from "../client/errors.ts";
import type { Acl } from "../wire/records.ts";
import { retryMs } from "./limits.ts";
import { untilDone } from "./until-done.ts";

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
  readonly #closing = new AbortController();
  #data: Uint8Array;
  #token: bigint | undefined;
  #busy: Promise<void> | undefined;
  #isStale = false;
  #retry: NodeJS.Timeout | undefined;

  constructor(options: EphemeralOptions) {
    this.#options = options;
    this.#data = options.data;
    this.#stop = options.client.onSession((event) => {
      if (event.kind === "connected" && event.isNew) this.#ensure();
      if (event.kind === "expired") this.#token = undefined;
      if (event.kind === "closed") this.#closing.abort();
    });
    this.#ensure();
  }

  /** Resolves when it is there for the first time. */
  get made(): Promise<void> {
    return this.#made.promise;
  }

  /** `czxid` of the one that is there, as far as is known; each one made later has a greater one. */
  get token(): bigint | undefined {
    return this.#token;
  }

  /** Other data, of this znode and those made later. Rejects when it may not be written. */
  async update(data: Uint8Array): Promise<void> {
    this.#data = data;
    try {
      await untilDone(() => this.#options.client.setData(this.#options.path, data));
    } catch (thrown) {
      // Whoever makes it next takes the new data.
      if (!isZooKeeperError(thrown, "NONODE")) throw thrown;
    }
  }

  /** Deletes it, if the coordinator can be reached. */
  async close(): Promise<void> {
    this.#closing.abort();
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
    if (this.#closing.signal.aborted) return;
    if (this.#busy !== undefined) {
      this.#isStale = true;
      return;
    }
    this.#busy = this.#make()
      .catch((thrown: unknown) => {
        if (this.#closing.signal.aborted) return;
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
    const { client, path, acl } = this.#options;
    const options = acl === undefined ? {} : { acl };
    try {
      await client.create(path, this.#data, { mode: "ephemeral", ...options });
    } catch (thrown) {
      if (!isZooKeeperError(thrown, "NODEEXISTS")) throw thrown;
    }
    const { signal } = this.#closing;
    const stat = await client.exists(path, { watch: () => this.#ensure(), watchSignal: signal });
    // It went in between, and the watch tells only when somebody makes it.
    if (stat === null) this.#isStale = true;
    // Another session's is on its way out: the watch brings us back when it has gone.
    if (stat?.ephemeralOwner !== client.sessionId) return;
    this.#token = stat.czxid;
    this.#made.resolve();
  }
}
