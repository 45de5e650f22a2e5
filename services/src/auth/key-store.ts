import { randomBytes } from "node:crypto";
import {
  createKey,
  type KeyRequest,
  keyRandomBytes,
  parseToken,
  type StoredKey,
  storedKeyOf,
  storedKeySchema,
  verifyKey,
} from "../../../api/src/key.ts";
import type { Actor, AuditTrail } from "../../../cluster/src/audit/entry.ts";
import { inTime } from "../../../cluster/src/in-time.ts";
import { settle } from "../../../cluster/src/settle.ts";
import type { ZooKeeperClient } from "../../../coordinator/src/client/client.ts";
import { isZooKeeperError } from "../../../coordinator/src/client/errors.ts";
import { steps } from "../../../coordinator/src/client/multi.ts";
import type { Acl } from "../../../coordinator/src/wire/records.ts";
import type { Clock } from "../../../kit/src/clock.ts";
import { messageOf, ServiceError } from "../../../kit/src/errors.ts";
import type { Logger } from "../../../kit/src/logger.ts";

const keysPath = "/logkeep/keys";

/** Name of the key that `auth.adminKeyFile` holds. Nobody else's key has it: it goes when the file changes. */
const adminFileName = "admin-file";

/** Keys of one cluster: each costs a hash a request and a place in memory. */
const keysMax = 10_000;

export interface KeyStoreOptions {
  readonly client: ZooKeeperClient;
  /** Who may read the keys' znodes: the cluster alone, since even hashes are nobody else's. */
  readonly acl: readonly Acl[];
  readonly audit: AuditTrail;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The API keys, one znode each, held in memory and kept equal by a watch. */
export class KeyStore {
  readonly #options: KeyStoreOptions;
  #keys: ReadonlyMap<string, StoredKey> = new Map();
  #loading: Promise<void> | undefined;
  #nextLoad: Promise<void> | undefined;

  private constructor(options: KeyStoreOptions) {
    this.#options = options;
  }

  /** Waits for the coordinator: others of its members may be starting as well, or have just ended. */
  static async open(options: KeyStoreOptions): Promise<KeyStore> {
    const store = new KeyStore(options);
    const { client } = options;
    await settle(() => client.addWatch(keysPath, "persistentRecursive", () => store.#reload()));
    await store.#load();
    return store;
  }

  get size(): number {
    return this.#keys.size;
  }

  list(): readonly StoredKey[] {
    return [...this.#keys.values()].sort((a, b) => a.createdAt - b.createdAt);
  }

  /** The key of a token; throws `auth.invalid`. */
  verify(token: string): StoredKey {
    const parsed = parseToken(token);
    const stored = parsed === undefined ? undefined : this.#keys.get(parsed.id);
    if (parsed === undefined || stored === undefined) {
      throw new ServiceError("auth.invalid", "there is no such key");
    }
    const verdict = verifyKey(stored, parsed.secret, this.#options.clock.now());
    if (verdict !== "valid") throw new ServiceError("auth.invalid", `the key is ${verdict}`);
    return stored;
  }

  /** Makes and keeps a key; the token is in the answer and nowhere else. Rejects as `inTime`. */
  async create(
    request: Omit<KeyRequest, "createdAt">,
    by?: Actor,
  ): Promise<{ token: string; stored: StoredKey }> {
    if (this.#keys.size >= keysMax) {
      throw new ServiceError("request.malformed", "there are too many keys", { keysMax });
    }
    if (request.name === adminFileName) {
      throw new ServiceError("request.malformed", "the name is kept for auth.adminKeyFile", {
        name: request.name,
      });
    }
    const createdAt = this.#options.clock.now();
    const made = createKey({ ...request, createdAt }, randomBytes(keyRandomBytes));
    const { client, acl, audit } = this.#options;
    const data = Buffer.from(JSON.stringify(made.stored));
    const { id, tenant, hash: _, ...after } = made.stored;
    const changes = [
      steps.create(`${keysPath}/${id}`, data, { acl }),
      audit.step({ by, action: "key.create", tenant, target: id, after }),
    ];
    await inTime(client, (signal) => client.multi(changes, { signal }));
    await this.#loadSoon();
    return made;
  }

  /**
   * Makes the token of the admin key file a key that may do everything, in place of the one that the
   * file held before.
   */
  async adopt(token: string, tenant: string): Promise<void> {
    for (;;) {
      try {
        await settle(async () => {
          // A try of which nothing was heard may have been done.
          await this.#load();
          await this.#adopt(token, tenant);
        });
        break;
      } catch (thrown) {
        // Another node that starts has adopted it first.
        if (!isZooKeeperError(thrown, "NODEEXISTS", "NONODE")) throw thrown;
      }
    }
    await this.#load();
  }

  async #adopt(token: string, tenant: string): Promise<void> {
    const createdAt = this.#options.clock.now();
    const scopes = ["admin"] as const;
    const stored = storedKeyOf(token, { name: adminFileName, scopes, tenant, createdAt });
    if (stored === undefined) throw new ServiceError("config.invalid", "the token is none");
    const { client, acl } = this.#options;
    const path = `${keysPath}/${stored.id}`;
    const data = Buffer.from(JSON.stringify(stored));
    const before = this.#keys.get(stored.id);
    const isKept = before?.name === adminFileName && before.hash === stored.hash;
    const changes = this.list()
      .filter(({ id, name }) => name === adminFileName && id !== stored.id)
      .map(({ id }) => steps.delete(`${keysPath}/${id}`));
    if (before === undefined) changes.push(steps.create(path, data, { acl }));
    else if (!isKept) changes.push(steps.setData(path, data));
    if (changes.length === 0) return;
    const note = { by: undefined, action: "key.adopt", tenant, target: stored.id };
    await client.multi([...changes, this.#options.audit.step(note)]);
  }

  /** Throws `request.not-found`; rejects as `inTime`. */
  async revoke(id: string, by?: Actor): Promise<void> {
    const known = this.#keys.get(id);
    if (known === undefined)
      throw new ServiceError("request.not-found", "there is no such key", { id });
    try {
      const { client, audit } = this.#options;
      const { name, tenant } = known;
      const note = { by, action: "key.revoke", tenant, target: id, before: { name } };
      const changes = [steps.delete(`${keysPath}/${id}`), audit.step(note)];
      await inTime(client, (signal) => client.multi(changes, { signal }));
    } catch (thrown) {
      // Another node revoked it first: it is gone, which is what was asked.
      if (!isZooKeeperError(thrown, "NONODE")) throw thrown;
    }
    await this.#loadSoon();
  }

  /** The change is made, whether it is read back here by now or when the coordinator answers again. */
  async #loadSoon(): Promise<void> {
    await inTime(this.#options.client, () => this.#load()).catch(() => undefined);
  }

  #reload(): void {
    this.#load().catch((thrown: unknown) => {
      this.#options.logger.warn({ err: messageOf(thrown) }, "keys could not be read again");
    });
  }

  /** One load at a time; what changed during one is in the next, which all who wait for it share. */
  #load(): Promise<void> {
    if (this.#loading === undefined) return this.#startLoad();
    const begin = (): Promise<void> => {
      this.#nextLoad = undefined;
      return this.#loading ?? this.#startLoad();
    };
    this.#nextLoad ??= this.#loading.then(begin, begin);
    return this.#nextLoad;
  }

  #startLoad(): Promise<void> {
    this.#loading = settle(() => this.#read()).finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  async #read(): Promise<void> {
    const { client, logger } = this.#options;
    const { children } = await client.getChildren(keysPath);
    const keys = new Map<string, StoredKey>();
    await Promise.all(
      children.map(async (id) => {
        const stored = await this.#readOne(id);
        if (stored === undefined) return;
        const parsed = storedKeySchema.safeParse(stored);
        if (parsed.success) keys.set(id, parsed.data);
        else logger.warn({ key: id }, "a key cannot be read and is not valid");
      }),
    );
    this.#keys = keys;
  }

  async #readOne(id: string): Promise<unknown> {
    try {
      const { data } = await this.#options.client.getData(`${keysPath}/${id}`);
      return JSON.parse((data ?? Buffer.from("null")).toString());
    } catch (thrown) {
      if (isZooKeeperError(thrown, "NONODE")) return undefined;
      if (thrown instanceof SyntaxError) return null;
      throw thrown;
    }
  }
}
