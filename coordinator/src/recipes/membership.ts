import { aclOpen } from "../client/acl.ts";
import type { ZooKeeperClient } from "../client/client.ts";
import { isZooKeeperError } from "../client/errors.ts";
import type { CallOptions, WatchOptions } from "../client/options.ts";
import { childPath } from "../client/paths.ts";
import type { Acl } from "../wire/records.ts";
import { ensurePath } from "./ensure-path.ts";
import { lookUntil } from "./look-until.ts";
import { PersistentEphemeral } from "./persistent-ephemeral.ts";
import { untilDone } from "./until-done.ts";

export interface GroupOptions {
  readonly client: ZooKeeperClient;
  /** The group: a child is a member. */
  readonly path: string;
  readonly acl?: readonly Acl[];
}

export interface Member {
  readonly id: string;
  readonly data: Buffer | null;
  /** Of this stay of the member: greater than that of each of its stays before. */
  readonly token: bigint;
}

/** Who is there, seen from outside or as a member. */
export class Group {
  readonly #options: GroupOptions;

  constructor(options: GroupOptions) {
    this.#options = options;
  }

  /**
   * Joins until the membership is closed, through lost sessions; while one is lost the member is not there. Rejects when it may
   * not be written.
   */
  async join(
    id: string,
    data: Uint8Array,
    options: CallOptions & { readonly onFailure?: (thrown: unknown) => void } = {},
  ): Promise<PersistentEphemeral> {
    const { client, path, acl = aclOpen } = this.#options;
    const { signal, onFailure } = options;
    await untilDone(() => ensurePath(client, path, { acl }), signal);
    const told = onFailure === undefined ? {} : { onFailure };
    return new PersistentEphemeral({ client, path: childPath(path, id), data, acl, ...told });
  }

  /** Those who are there, the oldest first. */
  members({ signal }: CallOptions = {}): Promise<readonly Member[]> {
    return untilDone(() => this.#look({}), signal);
  }

  /** The members now, and again after each change, several of which may come as one. Ends with the signal or the client. */
  async *changes({ signal }: CallOptions = {}): AsyncGenerator<readonly Member[], undefined> {
    let last: readonly Member[] | undefined;
    for (;;) {
      try {
        last = await lookUntil(
          this.#options.client,
          async (watching) => {
            const members = await this.#look(watching);
            return last !== undefined && isSame(last, members) ? "wait" : { found: members };
          },
          signal,
        );
      } catch (thrown) {
        if (signal?.aborted === true || isZooKeeperError(thrown, "CLOSED")) return undefined;
        throw thrown;
      }
      yield last;
    }
  }

  async #look(watching: WatchOptions): Promise<readonly Member[]> {
    const { client, path } = this.#options;
    // Also watches for the group's own beginning.
    if ((await client.exists(path, watching)) === null) return [];
    const { children } = await client.getChildren(path, watching);
    const found = await Promise.all(
      children.map(async (id): Promise<readonly Member[]> => {
        try {
          const { data, stat } = await client.getData(childPath(path, id), watching);
          return [{ id, data, token: stat.czxid }];
        } catch (thrown) {
          if (isZooKeeperError(thrown, "NONODE")) return [];
          throw thrown;
        }
      }),
    );
    return found.flat().sort((a, b) => (a.token < b.token ? -1 : 1));
  }
}

function isSame(a: readonly Member[], b: readonly Member[]): boolean {
  return (
    a.length === b.length &&
    a.every((member, at) => {
      const other = b[at] as Member;
      const isEqual = member.data === null ? other.data === null : isBytes(member.data, other.data);
      return member.id === other.id && member.token === other.token && isEqual;
    })
  );
}

function isBytes(a: Buffer, b: Buffer | null): boolean {
  return b !== null && a.equals(b);
}
