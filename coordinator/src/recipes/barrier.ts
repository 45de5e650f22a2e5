import { aclOpen } from "../client/acl.ts";
import type { ZooKeeperClient } from "../client/client.ts";
import { isZooKeeperError } from "../client/errors.ts";
import type { CallOptions } from "../client/options.ts";
import type { Acl } from "../wire/records.ts";
import { ensurePath } from "./ensure-path.ts";
import { untilOneGone } from "./look-until.ts";
import { untilDone } from "./until-done.ts";

export interface BarrierOptions {
  readonly client: ZooKeeperClient;
  /** There while the barrier is down. */
  readonly path: string;
  readonly acl?: readonly Acl[];
}

/** Nobody passes while it is down. It outlives who lowered it. */
export class Barrier {
  readonly #options: BarrierOptions;

  constructor(options: BarrierOptions) {
    this.#options = options;
  }

  /** Puts it down. Says whether it was up. */
  lower({ signal }: CallOptions = {}): Promise<boolean> {
    const { client, path, acl = aclOpen } = this.#options;
    return untilDone(() => ensurePath(client, path, { acl }), signal);
  }

  /** Lets everybody pass. */
  lift({ signal }: CallOptions = {}): Promise<void> {
    const { client, path } = this.#options;
    return untilDone(async () => {
      try {
        await client.delete(path);
      } catch (thrown) {
        if (!isZooKeeperError(thrown, "NONODE")) throw thrown;
      }
    }, signal);
  }

  /** Resolves when it is up. Rejects with the signal's reason or CLOSED. */
  pass({ signal }: CallOptions = {}): Promise<void> {
    return untilOneGone(this.#options.client, [this.#options.path], signal);
  }
}
