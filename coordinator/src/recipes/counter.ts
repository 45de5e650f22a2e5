import { pause } from "../../../kit/src/pause.ts";
import { aclOpen } from "../client/acl.ts";
import type { ZooKeeperClient } from "../client/client.ts";
import { isOutcomeUnknown, isZooKeeperError, ZooKeeperError } from "../client/errors.ts";
import { steps } from "../client/multi.ts";
import type { CallOptions } from "../client/options.ts";
import type { Acl } from "../wire/records.ts";
import { ensurePath } from "./ensure-path.ts";
import { raceMsMax, raceMsMin } from "./limits.ts";
import { makeOwnZnode, type OwnZnode, removeOwnZnode } from "./own-znode.ts";
import { isPassing, untilDone, whileConnected } from "./until-done.ts";

export interface CounterOptions {
  readonly client: ZooKeeperClient;
  /** Holds the number as decimal text; its children are the counter's own. Made, with 0, where it is missing. */
  readonly path: string;
  readonly acl?: readonly Acl[];
  /** Draws the waits of those who lose a race. */
  readonly random?: () => number;
}

/**
 * A whole number that many add to, each addition counted once: with it, in the same txn, goes the addition's number into an
 * ephemeral of the adder, which tells afterwards whether one whose answer was lost was done.
 */
export class Counter {
  readonly #options: CounterOptions;
  readonly #closing = new AbortController();
  #receipt: Receipt | undefined;
  #additions = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: CounterOptions) {
    this.#options = options;
  }

  /** As of some moment; `isLinearizable` as of now. */
  async get(options: CallOptions & { readonly isLinearizable?: boolean } = {}): Promise<bigint> {
    const { client, path } = this.#options;
    try {
      return numberOf((await client.getData(path, options)).data, path);
    } catch (thrown) {
      if (isZooKeeperError(thrown, "NONODE")) return 0n;
      throw thrown;
    }
  }

  /**
   * Adds, one after the other, and says the sum. Rejects with `isOutcomeUnknown` only when the session ended before it could be
   * known, with the signal's reason (then it may have been added), or with CLOSED.
   */
  add(amount: bigint | number = 1, { signal }: CallOptions = {}): Promise<bigint> {
    const closing = this.#closing.signal;
    const until = signal === undefined ? closing : AbortSignal.any([signal, closing]);
    const added = this.#last.then(() => this.#add(BigInt(amount), until));
    this.#last = added.catch(() => undefined);
    return added;
  }

  async close(): Promise<void> {
    this.#closing.abort(new ZooKeeperError("CLOSED", { path: this.#options.path }));
    await this.#last;
    const { client } = this.#options;
    const own = this.#receipt?.own;
    if (own !== undefined) await whileConnected(client, removeOwnZnode(client, own.path, own));
  }

  async #add(amount: bigint, signal: AbortSignal): Promise<bigint> {
    const { client, path, random = Math.random } = this.#options;
    const addition = ++this.#additions;
    let unknown: unknown;
    for (let races = 0; ; ) {
      signal.throwIfAborted();
      const receipt = await this.#receiptOf(unknown, signal);
      if (unknown !== undefined) {
        const seen = await this.#read(receipt, unknown, signal);
        if (seen.addition === addition) return seen.sum;
      }
      const { data, stat } = await untilDone(() => client.getData(path), signal);
      const sum = numberOf(data, path) + amount;
      try {
        await client.multi([
          steps.setData(path, Buffer.from(String(sum)), stat.version),
          steps.setData(receipt.own.path, receiptOf({ addition, sum }), receipt.version),
        ]);
        receipt.version++;
        return sum;
      } catch (thrown) {
        if (isOutcomeUnknown(thrown)) unknown = thrown;
        else if (isZooKeeperError(thrown, "BADVERSION")) {
          await pause(Math.min(raceMsMax, raceMsMin * 2 ** races++) * random(), signal);
          races = Math.min(races, 16);
        } else if (isZooKeeperError(thrown, "NONODE") && thrown.index === 1) {
          this.#receipt = undefined;
        } else if (!isPassing(thrown)) throw thrown;
      }
    }
  }

  /** The receipt of this session. Throws `unknown`, if there is such an attempt, when the one it went into is gone. */
  async #receiptOf(unknown: unknown, signal: AbortSignal): Promise<Receipt> {
    const { client, path, acl = aclOpen } = this.#options;
    await client.connected({ signal });
    if (this.#receipt?.own.sessionId === client.sessionId) return this.#receipt;
    if (unknown !== undefined) throw unknown;
    await untilDone(() => ensurePath(client, path, { data: Buffer.from("0"), acl }), signal);
    const asked = { client, parent: path, kind: "adder", data: null, acl };
    // What an abort leaves is removed meanwhile, or goes with the session.
    const own = await makeOwnZnode(asked, signal, () => undefined);
    this.#receipt = { own, version: 0 };
    return this.#receipt;
  }

  async #read(receipt: Receipt, unknown: unknown, signal: AbortSignal): Promise<Addition> {
    try {
      const { client } = this.#options;
      const { data, stat } = await untilDone(() => client.getData(receipt.own.path), signal);
      receipt.version = stat.version;
      return additionOf(data);
    } catch (thrown) {
      if (isZooKeeperError(thrown, "NONODE")) throw unknown;
      throw thrown;
    }
  }
}

interface Receipt {
  readonly own: OwnZnode;
  version: number;
}

/** What a receipt says: the number of the addition within its adder, and what came out. */
interface Addition {
  readonly addition: number;
  readonly sum: bigint;
}

function receiptOf({ addition, sum }: Addition): Buffer {
  return Buffer.from(`${addition} ${sum}`);
}

function additionOf(data: Buffer | null): Addition {
  const [addition = "0", sum = "0"] = (data?.toString() ?? "").split(" ");
  return { addition: Number(addition), sum: BigInt(sum) };
}

/** Nothing is 0. Throws MARSHALLINGERROR for what is no number. */
function numberOf(data: Buffer | null, path: string): bigint {
  const text = data?.toString() ?? "";
  if (!/^(-?[0-9]{1,1000})?$/.test(text)) throw new ZooKeeperError("MARSHALLINGERROR", { path });
  return BigInt(text);
}
