import type { ZooKeeperClient } from "../client/client.ts";
import { isOutcomeUnknown, isZooKeeperError } from "../client/errors.ts";
import { type MultiStep, steps } from "../client/multi.ts";
import type { Hold } from "./hold.ts";

/** An item that was taken: ours until it is done, given back, or our session ends. */
export class Delivery implements AsyncDisposable {
  /** The item's own, the same for each who takes it. */
  readonly id: string;
  readonly data: Buffer | null;
  /** Greater than that of everybody who took this item before. */
  readonly token: bigint;
  /** Aborted when the item may be given to another, and when it is done or given back. */
  readonly lost: AbortSignal;
  readonly #client: ZooKeeperClient;
  readonly #itemPath: string;
  readonly #claim: string;
  readonly #hold: Hold;
  readonly #sessionId: bigint;

  constructor(
    client: ZooKeeperClient,
    item: {
      readonly id: string;
      readonly path: string;
      /** The znode that keeps others away from it. */
      readonly claim: string;
      readonly data: Buffer | null;
    },
    hold: Hold,
  ) {
    this.id = item.id;
    this.data = item.data;
    this.token = hold.token;
    this.lost = hold.lost;
    this.#client = client;
    this.#itemPath = item.path;
    this.#claim = item.claim;
    this.#hold = hold;
    this.#sessionId = client.sessionId;
  }

  /**
   * Takes the item out of the queue for good, in one txn with these operations: what they change is changed once for
   * the item. Rejects with NONODE when it was lost to another, with `isOutcomeUnknown` when the session ended before it could be
   * known.
   */
  async done(operations: readonly MultiStep[] = []): Promise<void> {
    const client = this.#client;
    const gone = [this.#hold.path, this.#claim, this.#itemPath];
    const all = this.#hold.guard([...gone.map((path) => steps.delete(path)), ...operations]);
    let unknown: unknown;
    for (;;) {
      try {
        await client.multi(all);
        break;
      } catch (thrown) {
        if (isOutcomeUnknown(thrown)) unknown = thrown;
        else if (unknown !== undefined && isZooKeeperError(thrown, "NONODE", "SESSIONEXPIRED")) {
          // In our session nobody but we takes our znode away.
          const isSame = client.sessionId === this.#sessionId && thrown.index === 0;
          if (isSame) break;
          throw unknown;
        } else throw thrown;
      }
    }
    await this.#hold.release();
  }

  /** Leaves it to another. */
  giveBack(): Promise<void> {
    return this.#hold.release();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#hold.release();
  }
}
