import type { ZooKeeperClient } from "../client/client.ts";
import { ZooKeeperError } from "../client/errors.ts";
import { childPath } from "../client/paths.ts";
import type { Acl } from "../wire/records.ts";
import { Entries, type Entry } from "./entries.ts";
import { type Hold, type LostWhen, ZnodeHold } from "./hold.ts";
import { untilOneGone } from "./look-until.ts";
import { makeOwnZnode, type OwnZnode, removeOwnZnode } from "./own-znode.ts";
import { whileConnected } from "./until-done.ts";

/**
 * Whom one waits for, given those who came earlier, oldest first; nobody: it is one's turn. Of those named at least
 * one must leave before it can be.
 */
export type Rule = (earlier: readonly Entry[]) => readonly Entry[];

export interface ContestOptions {
  readonly client: ZooKeeperClient;
  /** Whose children the entries are; made with what is missing above it. */
  readonly path: string;
  readonly acl: readonly Acl[];
  readonly lostWhen: LostWhen;
}

export interface EnterOptions {
  readonly kind: string;
  readonly rule: Rule;
  readonly data: Uint8Array | null;
  readonly signal: AbortSignal | undefined;
  /** False: whose turn does not come at once leaves. */
  readonly isPatient: boolean;
}

/**
 * Entries of one znode in the order of their creation, each an ephemeral of its contender: what locks and their like
 * are made of. The order is that of czxid, which names cannot forge and counters that begin anew cannot confuse. Each
 * waits for those its rule names, so that one who leaves wakes few.
 */
export class Contest {
  readonly #options: ContestOptions;
  readonly #entries: Entries;
  readonly #closing = new AbortController();
  readonly #holds = new Set<Hold>();
  readonly #cleanings = new Set<Promise<void>>();

  constructor(options: ContestOptions) {
    this.#options = options;
    this.#entries = new Entries(options.client, options.path);
  }

  /**
   * Waits for one's turn; undefined only when not patient. An entry whose session expires is made anew, behind all others. Rejects
   * with the signal's reason, CLOSED, or what the coordinator refuses; nothing stays behind then.
   */
  async enter(asked: EnterOptions): Promise<Hold | undefined> {
    const { client, path: parent, acl } = this.#options;
    const { kind, data } = asked;
    const closing = this.#closing.signal;
    const signal = asked.signal === undefined ? closing : AbortSignal.any([asked.signal, closing]);
    signal.throwIfAborted();
    for (;;) {
      const options = { client, parent, kind, data, acl };
      const own = await makeOwnZnode(options, signal, (work) => this.#clean(work));
      const turn = await this.#turn(own, asked, signal).catch((thrown: unknown) => {
        this.#clean(removeOwnZnode(client, own.path, own));
        throw thrown;
      });
      if (turn === "gone") continue;
      if (turn === "blocked") {
        await removeOwnZnode(client, own.path, own);
        return undefined;
      }
      return turn;
    }
  }

  /** Everybody, oldest first. */
  entries(signal?: AbortSignal): Promise<readonly Entry[]> {
    return this.#entries.look(signal);
  }

  /**
   * Releases what is held and ends what waits. Nothing is left behind when it resolves; without a connection it does not
   * wait, and what is left goes when there is one, or with the session.
   */
  async close(): Promise<void> {
    this.#closing.abort(new ZooKeeperError("CLOSED", { path: this.#options.path }));
    const work = [...[...this.#holds].map((hold) => hold.release()), ...this.#cleanings];
    await whileConnected(this.#options.client, Promise.all(work));
  }

  async #turn(
    own: OwnZnode,
    { rule, isPatient }: EnterOptions,
    signal: AbortSignal,
  ): Promise<Hold | "gone" | "blocked"> {
    const { client, path } = this.#options;
    for (;;) {
      const all = await this.#entries.look(signal);
      if (!all.some(({ name }) => name === own.name)) return "gone";
      const earlier = all.filter(({ czxid }) => czxid < own.czxid);
      const awaited = rule(earlier);
      if (awaited.length === 0) {
        if (client.isConnected && client.sessionId === own.sessionId) return this.#hold(own);
        // Lost in this very turn: who looks again sees whether the entry is still there.
        await client.connected({ signal });
        continue;
      }
      if (!isPatient) return "blocked";
      const paths = awaited.map(({ name }) => childPath(path, name));
      await untilOneGone(client, [...paths, own.path], signal);
    }
  }

  #hold(own: OwnZnode): Hold {
    const { client, lostWhen } = this.#options;
    const released = (): boolean => this.#holds.delete(hold);
    const hold: Hold = new ZnodeHold(client, own, { lostWhen, released });
    this.#holds.add(hold);
    return hold;
  }

  #clean(work: Promise<void>): void {
    this.#cleanings.add(work);
    void work.finally(() => this.#cleanings.delete(work));
  }
}
