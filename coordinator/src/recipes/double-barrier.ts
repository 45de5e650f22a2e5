import { aclOpen } from "../client/acl.ts";
import type { ZooKeeperClient } from "../client/client.ts";
import { isZooKeeperError, ZooKeeperError } from "../client/errors.ts";
import type { CallOptions, WatchOptions } from "../client/options.ts";
import { childPath } from "../client/paths.ts";
import type { Acl } from "../wire/records.ts";
import { ensurePath } from "./ensure-path.ts";
import { Entries } from "./entries.ts";
import { type Hold, ZnodeHold } from "./hold.ts";
import { type Look, lookUntil } from "./look-until.ts";
import { makeOwnZnode, type OwnZnode, removeOwnZnode } from "./own-znode.ts";
import { untilDone, whileConnected } from "./until-done.ts";

export interface DoubleBarrierOptions {
  readonly client: ZooKeeperClient;
  /** Made with what is missing above it; its children are the barrier's own. */
  readonly path: string;
  /** How many must have come before anybody enters, 1 or more. */
  readonly members: number;
  readonly acl?: readonly Acl[];
}

/** A stay between the two barriers. */
export interface Stay {
  /** Of this round; greater than that of every round before. */
  readonly token: bigint;
  /** Aborted when the session may be over: the others may then leave without us. */
  readonly lost: AbortSignal;
  /** Says that we are done, and resolves when all others of the round are, or their sessions have ended. */
  leave(options?: CallOptions): Promise<void>;
}

/**
 * Members begin together and end together, round after round. When enough have come, the znode `gate` is set to open,
 * which lets in all who came before that: those whose czxid is below its mzxid. Who comes later waits for the next
 * round, which begins when the last member has left and the gate was closed.
 */
export class DoubleBarrier {
  readonly #options: DoubleBarrierOptions;
  readonly #entries: Entries;
  readonly #gate: string;
  readonly #closing = new AbortController();
  readonly #holds = new Set<Hold>();
  readonly #cleanings = new Set<Promise<void>>();

  constructor(options: DoubleBarrierOptions) {
    const { client, path, members } = options;
    if (!(Number.isInteger(members) && members >= 1)) {
      throw new ZooKeeperError("BADARGUMENTS", { path });
    }
    this.#options = options;
    this.#entries = new Entries(client, path);
    this.#gate = childPath(path, "gate");
  }

  /**
   * Resolves when enough have come. A member whose session expires before that comes anew. Rejects with the signal's reason
   * or CLOSED; nothing is left behind then.
   */
  async enter({ signal }: CallOptions = {}): Promise<Stay> {
    const { client, path: parent, acl = aclOpen } = this.#options;
    const closing = this.#closing.signal;
    const until = signal === undefined ? closing : AbortSignal.any([signal, closing]);
    until.throwIfAborted();
    await untilDone(() => ensurePath(client, this.#gate, { acl }), until);
    for (;;) {
      const asked = { client, parent, kind: "member", data: null, acl };
      const own = await makeOwnZnode(asked, until, (work) => this.#clean(work));
      try {
        const token = await lookUntil(client, (watching) => this.#look(own, watching), until);
        if (token !== undefined && client.sessionId === own.sessionId)
          return this.#stay(own, token);
      } catch (thrown) {
        this.#clean(removeOwnZnode(client, own.path, own));
        throw thrown;
      }
    }
  }

  /** Ends what waits, and leaves every round without waiting for the others. */
  async close(): Promise<void> {
    this.#closing.abort(new ZooKeeperError("CLOSED", { path: this.#options.path }));
    const work = [...[...this.#holds].map((hold) => hold.release()), ...this.#cleanings];
    await whileConnected(this.#options.client, Promise.all(work));
  }

  /** Finds the round's token; undefined when our znode has gone. */
  async #look(own: OwnZnode, watching: WatchOptions): Promise<Look<bigint | undefined>> {
    const { client, path, members } = this.#options;
    if ((await client.exists(own.path, watching)) === null) return { found: undefined };
    const { data, stat } = await client.getData(this.#gate, watching);
    const isOpen = data?.toString() === "open";
    if (isOpen && own.czxid < stat.mzxid) return { found: stat.mzxid };
    const all = await this.#entries.look();
    if (!isOpen) {
      // The last to come sees all others. The watch tells of our own change, too.
      if (all.length >= members) await this.#set("open", stat.version);
      return "wait";
    }
    const staying = all.find(({ czxid }) => czxid < stat.mzxid);
    if (staying === undefined) {
      // The last of the round did not live to close the gate.
      await this.#set("closed", stat.version);
      return "wait";
    }
    const there = await client.exists(childPath(path, staying.name), watching);
    return there === null ? "again" : "wait";
  }

  #stay(own: OwnZnode, token: bigint): Stay {
    const { client } = this.#options;
    const released = (): boolean => this.#holds.delete(hold);
    const hold: Hold = new ZnodeHold(client, own, { lostWhen: "lapsed", released });
    this.#holds.add(hold);
    const leave = async ({ signal }: CallOptions = {}): Promise<void> => {
      await hold.release();
      const look = (watching: WatchOptions) => this.#left(token, own.czxid, watching);
      await lookUntil(client, look, signal);
    };
    return { token, lost: hold.lost, leave };
  }

  async #left(token: bigint, czxid: bigint, watching: WatchOptions): Promise<Look<void>> {
    const { client, path } = this.#options;
    const { stat } = await client.getData(this.#gate);
    const staying = (await this.#entries.look()).filter((each) => each.czxid < token);
    // The next in a circle, so that not all of them wait for the same one.
    const next = staying.find((each) => each.czxid > czxid) ?? staying[0];
    if (next === undefined) {
      if (stat.mzxid === token) await this.#set("closed", stat.version);
      return { found: undefined };
    }
    const there = await client.exists(childPath(path, next.name), watching);
    return there === null ? "again" : "wait";
  }

  /** Of several who do it at once one succeeds; who is late changes nothing. */
  async #set(state: "open" | "closed", version: number): Promise<void> {
    try {
      await this.#options.client.setData(this.#gate, Buffer.from(state), version);
    } catch (thrown) {
      if (!isZooKeeperError(thrown, "BADVERSION")) throw thrown;
    }
  }

  #clean(work: Promise<void>): void {
    this.#cleanings.add(work);
    void work.finally(() => this.#cleanings.delete(work));
  }
}
