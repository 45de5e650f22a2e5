import type { ZooKeeperClient } from "../client/client.ts";
import { type MultiStep, steps } from "../client/multi.ts";
import type { SessionEvent } from "../client/session-events.ts";
import { type OwnZnode, removeOwnZnode } from "./own-znode.ts";
import { isPassing } from "./until-done.ts";

/**
 * When a holder is told that it may hold no longer. `suspended`: with the connection, though it may come back in time;
 * `lapsed`: only when the session may be over, which bets on clocks that run at about the same rate.
 */
export type LostWhen = "suspended" | "lapsed";

/** Something that is held until it is released or lost. */
export interface Hold extends AsyncDisposable {
  /** Greater than that of everybody who held it before: for whatever is protected to refuse who comes late. */
  readonly token: bigint;
  /** The znode that stands for it. */
  readonly path: string;
  /** Aborted when it is held no longer or may be, and by `release`. */
  readonly lost: AbortSignal;
  /** The operations behind a check that it is still held: for `multi`, which is then refused with NONODE. */
  guard(operations: readonly MultiStep[]): readonly MultiStep[];
  /** Resolves when it is free for others. */
  release(): Promise<void>;
}

/** A hold that an ephemeral znode of our own stands for. */
export class ZnodeHold implements Hold {
  readonly token: bigint;
  readonly path: string;
  readonly lost: AbortSignal;
  readonly #client: ZooKeeperClient;
  readonly #own: OwnZnode;
  readonly #over = new AbortController();
  readonly #stop: () => void;
  readonly #released: () => void;
  #releasing: Promise<void> | undefined;

  /** To be made in the same turn in which it was found to be held. */
  constructor(
    client: ZooKeeperClient,
    own: OwnZnode,
    { lostWhen, released }: { readonly lostWhen: LostWhen; readonly released: () => void },
  ) {
    this.#client = client;
    this.#own = own;
    this.#released = released;
    this.token = own.czxid;
    this.path = own.path;
    this.lost = this.#over.signal;
    const endings: readonly SessionEvent["kind"][] = [
      ...(["lapsed", "expired", "closed", "readOnly"] as const),
      ...(lostWhen === "suspended" ? (["suspended"] as const) : []),
    ];
    this.#stop = client.onSession(({ kind }) => {
      if (endings.includes(kind)) this.#lose();
    });
    void this.#watch();
  }

  guard(operations: readonly MultiStep[]): readonly MultiStep[] {
    // Nobody sets its data, and nobody else makes a znode of this name.
    return [steps.check(this.path, 0), ...operations];
  }

  release(): Promise<void> {
    this.#releasing ??= this.#release();
    return this.#releasing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }

  async #release(): Promise<void> {
    this.#lose();
    await removeOwnZnode(this.#client, this.path, this.#own);
    this.#released();
  }

  #lose(): void {
    this.#stop();
    this.#over.abort();
  }

  /** Somebody else may delete the znode. */
  async #watch(): Promise<void> {
    const again = (): void => void this.#watch();
    if (this.lost.aborted) return;
    try {
      const stat = await this.#client.exists(this.path, { watch: again, watchSignal: this.lost });
      if (stat === null) this.#lose();
    } catch (thrown) {
      if (isPassing(thrown)) again();
      else this.#lose();
    }
  }
}
