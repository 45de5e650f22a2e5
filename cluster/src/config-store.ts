import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import { isZooKeeperError } from "../../coordinator/src/client/errors.ts";
import { steps } from "../../coordinator/src/client/multi.ts";
import type { Watch } from "../../coordinator/src/client/options.ts";
import type { Acl } from "../../coordinator/src/wire/records.ts";
import type { Clock } from "../../kit/src/clock.ts";
import { messageOf, ServiceError } from "../../kit/src/errors.ts";
import type { Logger } from "../../kit/src/logger.ts";
import type { Actor, AuditTrail } from "./audit/entry.ts";
import { inTime } from "./in-time.ts";
import { configVersionsKept, configWriteMs, retryMs } from "./limits.ts";
import { paths } from "./paths.ts";
import { isPassing, settle } from "./settle.ts";
import { decodeZnode, encodeZnode } from "./znode-data.ts";

const sectionSchema = z.object({
  /** Raised by one with each change; 0 before the first. */
  version: z.int().nonnegative(),
  /** Values by path of the setting. */
  values: z.record(z.string(), z.unknown()),
  by: z.string(),
  atMs: z.number(),
});

/** What is set for the whole cluster in one section, as of one version. */
export type ConfigSection = Readonly<z.infer<typeof sectionSchema>>;

export interface ConfigStoreOptions {
  readonly client: ZooKeeperClient;
  readonly acl: readonly Acl[];
  readonly audit: AuditTrail;
  /** Sections that there may be. */
  readonly sections: ReadonlySet<string>;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface ConfigChange {
  readonly by: Actor;
  /** Only if the section has this version. */
  readonly version?: number | undefined;
  /** As in the journal: `config.set` or `config.rollback`. */
  readonly action: string;
}

const nothing: ConfigSection = { version: 0, values: {}, by: "", atMs: 0 };

/** What is set for the whole cluster: a znode each section, with its versions below it; kept equal by a watch. */
export class ConfigStore {
  readonly #options: ConfigStoreOptions;
  readonly #listeners = new Set<() => void>();
  #sections: ReadonlyMap<string, ConfigSection> = new Map();
  #watch: Watch | undefined;
  #reading: Promise<void> = Promise.resolve();
  /** Ends in the turn of the last look: a change that came before a promise had told of it would be read by nobody. */
  #isReading = false;
  #isStale = false;
  #isClosed = false;

  private constructor(options: ConfigStoreOptions) {
    this.#options = options;
  }

  /** Resolves when what is set has been read. */
  static async open(options: ConfigStoreOptions): Promise<ConfigStore> {
    const store = new ConfigStore(options);
    store.#watch = await settle(() =>
      options.client.addWatch(paths.config, "persistentRecursive", () => void store.#reload()),
    );
    await settle(() => store.#read());
    return store;
  }

  section(name: string): ConfigSection {
    return this.#sections.get(name) ?? nothing;
  }

  /** Of all sections, by path. */
  values(): Readonly<Record<string, unknown>> {
    return Object.assign({}, ...[...this.#sections.values()].map(({ values }) => values)) as Record<
      string,
      unknown
    >;
  }

  /** Called after a change was read. Returns how to stop. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Replaces the values of a section by what `change` makes of them; it throws to refuse. Asked again when another change came first.
   * Rejects with `config.version-mismatch`, and with `coordinator.unavailable` when the outcome is unknown.
   */
  async set(
    name: string,
    change: (values: ConfigSection["values"]) => ConfigSection["values"],
    { by, version, action }: ConfigChange,
  ): Promise<ConfigSection> {
    const signal = AbortSignal.timeout(configWriteMs);
    for (;;) {
      const { found, znodeVersion } = await this.#asked(name, signal);
      if (version !== undefined && version !== found.version) {
        const what =
          "the section has another version, nothing was changed; look at it and ask again";
        throw new ServiceError("config.version-mismatch", what, { version: found.version });
      }
      const values = change(found.values);
      const next: ConfigSection = {
        ...{ version: found.version + 1, values, by: by ?? "" },
        atMs: this.#options.clock.now(),
      };
      try {
        await this.#write(name, { next, before: found.values, by, action }, znodeVersion, signal);
      } catch (thrown) {
        // Another change came first, or deleted the version that was to go.
        if (isZooKeeperError(thrown, "BADVERSION", "NODEEXISTS", "NONODE")) continue;
        if (!isPassing(thrown) && !signal.aborted) throw thrown;
        const what = "the change could not be written; whether it was is not known";
        throw new ServiceError("coordinator.unavailable", what, {}, { cause: thrown });
      }
      await this.#reload();
      return next;
    }
  }

  /** The latest first. Rejects as `inTime`. */
  async history(name: string): Promise<readonly ConfigSection[]> {
    const { client } = this.#options;
    return inTime(client, async () => {
      const folder = paths.configSection(name);
      const { children } = await client.getChildren(folder).catch((thrown: unknown) => {
        if (isZooKeeperError(thrown, "NONODE")) return { children: [] };
        throw thrown;
      });
      const found = await Promise.all(
        children.map(async (child) => {
          const path = `${folder}/${child}`;
          try {
            return decodeZnode(sectionSchema, path, (await client.getData(path)).data);
          } catch (thrown) {
            // It was of the oldest, and has gone meanwhile.
            if (isZooKeeperError(thrown, "NONODE")) return undefined;
            throw thrown;
          }
        }),
      );
      return found.filter((one) => one !== undefined).sort((a, b) => b.version - a.version);
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#listeners.clear();
    // Not waited for: without the coordinator it would take until the session is closed.
    this.#watch?.close().catch(() => undefined);
  }

  async #write(
    name: string,
    change: {
      readonly next: ConfigSection;
      readonly before: ConfigSection["values"];
      readonly by: Actor;
      readonly action: string;
    },
    znodeVersion: number | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { client, acl, audit } = this.#options;
    const { next, before, by, action } = change;
    const data = encodeZnode(next);
    const path = paths.configSection(name);
    const oldest = next.version - configVersionsKept;
    const { version, values: after } = next;
    const changes = [
      znodeVersion === undefined
        ? steps.create(path, data, { acl })
        : steps.setData(path, data, znodeVersion),
      steps.create(paths.configVersion(name, next.version), data, { acl }),
      ...(oldest > 0 ? [steps.delete(paths.configVersion(name, oldest))] : []),
      audit.step({ by, action, target: name, version, before, after }),
    ];
    await client.multi(changes, { signal });
  }

  /** As it is now; nothing was changed when this rejects. */
  async #asked(name: string, signal: AbortSignal) {
    try {
      return await this.#find(name, signal);
    } catch (thrown) {
      if (thrown instanceof ServiceError) throw thrown;
      const what = "the coordinator does not answer; nothing was changed";
      throw new ServiceError("coordinator.unavailable", what, {}, { cause: thrown });
    }
  }

  async #find(
    name: string,
    signal?: AbortSignal,
  ): Promise<{ readonly found: ConfigSection; readonly znodeVersion: number | undefined }> {
    const path = paths.configSection(name);
    try {
      const { client } = this.#options;
      const { data, stat } = await client.getData(path, signal === undefined ? {} : { signal });
      return { found: decodeZnode(sectionSchema, path, data), znodeVersion: stat.version };
    } catch (thrown) {
      if (!isZooKeeperError(thrown, "NONODE")) throw thrown;
      return { found: nothing, znodeVersion: undefined };
    }
  }

  /** One read at a time; a change during one is followed by another. */
  async #reload(): Promise<void> {
    this.#isStale = true;
    if (!this.#isReading) {
      this.#isReading = true;
      this.#reading = this.#readUntilFresh();
    }
    await this.#reading;
  }

  async #readUntilFresh(): Promise<void> {
    while (this.#isStale && !this.#isClosed) {
      this.#isStale = false;
      try {
        await this.#read();
      } catch (thrown) {
        if (this.#isClosed || isZooKeeperError(thrown, "CLOSED")) break;
        const reason = messageOf(thrown);
        this.#options.logger.warn({ reason }, "the cluster's settings could not be read, again");
        this.#isStale = true;
        await sleep(retryMs);
        continue;
      }
      for (const listener of this.#listeners) listener();
    }
    this.#isReading = false;
  }

  /** A section that cannot be read stays as it was. */
  async #read(): Promise<void> {
    const { sections, logger } = this.#options;
    const read = await Promise.all(
      [...sections].map(async (name): Promise<[string, ConfigSection]> => {
        try {
          return [name, (await this.#find(name)).found];
        } catch (thrown) {
          if (!(thrown instanceof ServiceError)) throw thrown;
          logger.error({ section: name, ...thrown.fields }, "a section of settings cannot be read");
          return [name, this.section(name)];
        }
      }),
    );
    this.#sections = new Map(read);
  }
}
