import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import type { RuleStore, StoredRule } from "../../alerts/src/ports.ts";
import type { Rule } from "../../alerts/src/rule.ts";
import type { ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import { isZooKeeperError } from "../../coordinator/src/client/errors.ts";
import { type MultiStep, steps } from "../../coordinator/src/client/multi.ts";
import type { Watch } from "../../coordinator/src/client/options.ts";
import type { WatchEvent } from "../../coordinator/src/client/watches.ts";
import type { Acl } from "../../coordinator/src/wire/records.ts";
import type { Clock } from "../../kit/src/clock.ts";
import { messageOf, ServiceError } from "../../kit/src/errors.ts";
import type { Logger } from "../../kit/src/logger.ts";
import type { AuditTrail } from "./audit/entry.ts";
import { retryMs, ruleGatherMs, rulesInFlight, ruleWriteMs } from "./limits.ts";
import { paths } from "./paths.ts";
import { decodeRule, encodeRule, rulePath, rulePlace } from "./rule-data.ts";
import { isPassing, settle } from "./settle.ts";

export interface RuleStoreOptions {
  readonly client: ZooKeeperClient;
  /** Of rules: the cluster's alone, since they hold secrets. */
  readonly acl: readonly Acl[];
  readonly audit: AuditTrail;
  /** Rules of one tenant. */
  readonly rulesMax: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The rules of all tenants, one znode each, held in memory and kept equal by a watch. */
export class ZnodeRuleStore implements RuleStore {
  readonly #options: RuleStoreOptions;
  readonly #listeners = new Set<() => void>();
  readonly #rules = new Map<string, StoredRule>();
  /** Paths that have changed, or all of them. */
  #stale: Set<string> | "all" = "all";
  #reloading: Promise<void> | undefined;
  #watch: Watch | undefined;
  #isClosed = false;

  private constructor(options: RuleStoreOptions) {
    this.#options = options;
  }

  /** Resolves when the rules that are there have been read. */
  static async open(options: RuleStoreOptions): Promise<ZnodeRuleStore> {
    const store = new ZnodeRuleStore(options);
    const onEvent = (event: WatchEvent): void => store.#changed(event);
    store.#watch = await settle(() =>
      options.client.addWatch(paths.alerts, "persistentRecursive", onEvent),
    );
    await store.#reload();
    return store;
  }

  list(): readonly StoredRule[] {
    return [...this.#rules.values()];
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async put(tenant: string, rule: Rule, version?: number, by?: string): Promise<StoredRule> {
    const path = rulePath(tenant, rule.name);
    return this.#write(path, async (signal) => {
      const before = await this.#find(path, signal);
      if (version !== undefined && version !== (before?.version ?? -1)) throw mismatch(before);
      const nowMs = this.#options.clock.now();
      const { id = randomUUID(), createdMs = nowMs } = before ?? {};
      const znode = { id, rule, createdMs, updatedMs: nowMs };
      const data = encodeRule(znode);
      const next = before === undefined ? 0 : before.version + 1;
      const note = { by, action: "rule.put", tenant, target: rule.name, version: next };
      const journal = this.#options.audit.step({
        ...note,
        ...(before?.rule === undefined ? {} : { before: withoutSecrets(before.rule) }),
        after: withoutSecrets(rule),
      });
      if (before === undefined) await this.#create(tenant, path, data, journal, signal);
      else {
        const set = steps.setData(path, data, before.version);
        await this.#options.client.multi([set, journal], { signal });
      }
      return { tenant, version: next, ...znode };
    });
  }

  async delete(tenant: string, name: string, version?: number, by?: string): Promise<void> {
    const path = rulePath(tenant, name);
    await this.#write(path, async (signal) => {
      const stat = await this.#options.client.exists(path, { signal });
      if (stat === null) throw new ServiceError("request.not-found", "no such rule", { name });
      if (version !== undefined && version !== stat.version) throw mismatch(stat);
      const journal = this.#options.audit.step({ by, action: "rule.delete", tenant, target: name });
      await this.#options.client.multi([steps.delete(path, stat.version), journal], { signal });
    });
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#listeners.clear();
    // Not waited for: without the coordinator it would take until the session is closed.
    this.#watch?.close().catch(() => undefined);
    return Promise.resolve();
  }

  /** Does a change until it met no other one, and reads it back into the list. */
  async #write<T>(path: string, change: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const signal = AbortSignal.timeout(ruleWriteMs);
    for (;;) {
      try {
        const done = await change(signal);
        this.#markStale(path);
        await this.#reload();
        return done;
      } catch (thrown) {
        // Somebody else was faster: with a version that was asked for, the next look says so.
        if (isZooKeeperError(thrown, "BADVERSION", "NODEEXISTS", "NONODE")) continue;
        if (thrown instanceof ServiceError) throw thrown;
        const what = "the rule could not be written; whether it was is not known";
        throw new ServiceError("coordinator.unavailable", what, {}, { cause: thrown });
      }
    }
  }

  async #create(
    tenant: string,
    path: string,
    data: Buffer,
    journal: MultiStep,
    signal: AbortSignal,
  ): Promise<void> {
    const { client, acl, rulesMax } = this.#options;
    const folder = paths.tenantRules(tenant);
    const there = await client.exists(folder, { signal });
    if (there === null) await client.create(folder, null, { acl, signal });
    if ((there?.numChildren ?? 0) >= rulesMax) {
      const what = "the tenant has as many rules as it may";
      throw new ServiceError("alerts.too-many", what, { rulesMax });
    }
    await client.multi([steps.create(path, data, { acl }), journal], { signal });
  }

  /** What there is to replace; a znode that cannot be read keeps its version only. */
  async #find(
    path: string,
    signal: AbortSignal,
  ): Promise<{ version: number; id?: string; createdMs?: number; rule?: Rule } | undefined> {
    try {
      const { data, stat } = await this.#options.client.getData(path, { signal });
      try {
        return decodeRule(path, data, stat);
      } catch {
        return { version: stat.version };
      }
    } catch (thrown) {
      if (isZooKeeperError(thrown, "NONODE")) return undefined;
      throw thrown;
    }
  }

  #changed({ kind, path }: WatchEvent): void {
    if (this.#isClosed) return;
    if (kind === "missed") this.#stale = "all";
    else if (rulePlace(path) === undefined) return;
    else this.#markStale(path);
    this.#reload().catch(() => undefined);
  }

  #markStale(path: string): void {
    if (this.#stale !== "all") this.#stale.add(path);
  }

  /** Resolves when everything that is stale now has been read; one reads at a time. */
  async #reload(): Promise<void> {
    while (this.#stale === "all" || this.#stale.size > 0) {
      this.#reloading ??= this.#read().finally(() => {
        this.#reloading = undefined;
      });
      await this.#reloading;
    }
  }

  async #read(): Promise<void> {
    // What changes together is read together.
    await sleep(ruleGatherMs);
    const stale = this.#stale;
    this.#stale = new Set();
    try {
      const all = stale === "all" ? await this.#listPaths() : [...stale];
      for (let at = 0; at < all.length; at += rulesInFlight) {
        await Promise.all(all.slice(at, at + rulesInFlight).map((path) => this.#readOne(path)));
      }
      if (stale === "all") {
        const there = new Set(all);
        for (const path of this.#rules.keys()) if (!there.has(path)) this.#rules.delete(path);
      }
    } catch (thrown) {
      this.#stale = "all";
      if (this.#isClosed || isZooKeeperError(thrown, "CLOSED")) throw thrown;
      this.#options.logger.warn({ reason: messageOf(thrown) }, "rules could not be read, again");
      if (!isPassing(thrown)) await sleep(retryMs);
      return;
    }
    for (const listener of this.#listeners) listener();
  }

  /** Tenants whose folder goes meanwhile have no rules. */
  async #listPaths(): Promise<string[]> {
    const { client, logger } = this.#options;
    const { children: tenants } = await client.getChildren(paths.alerts);
    const found: string[] = [];
    for (const tenant of tenants) {
      const folder = paths.tenantRules(tenant);
      const { children } = await client.getChildren(folder).catch((thrown: unknown) => {
        if (isZooKeeperError(thrown, "NONODE")) return { children: [] };
        throw thrown;
      });
      for (const name of children) {
        const path = `${folder}/${name}`;
        if (rulePlace(path) === undefined) logger.warn({ path }, "a znode is no rule, skipped");
        else found.push(path);
      }
    }
    return found;
  }

  async #readOne(path: string): Promise<void> {
    const { client, logger } = this.#options;
    try {
      const { data, stat } = await client.getData(path);
      this.#rules.set(path, decodeRule(path, data, stat));
    } catch (thrown) {
      if (isZooKeeperError(thrown) && !isZooKeeperError(thrown, "NONODE", "NOAUTH")) throw thrown;
      // Who may read it says nothing about the rule, so the one that is known stays in force.
      if (!isZooKeeperError(thrown, "NOAUTH")) this.#rules.delete(path);
      if (isZooKeeperError(thrown, "NONODE")) return;
      logger.warn({ path, reason: messageOf(thrown).slice(0, 500) }, "a rule cannot be read");
    }
  }
}

/** Receivers of notifications are named by their hosts: a path may hold a token, as chats have it. */
function withoutSecrets(rule: Rule): unknown {
  const text = JSON.stringify(rule, (name, value: unknown) => {
    if (name === "secret") return undefined;
    return name === "url" ? (URL.parse(String(value))?.origin ?? "") : value;
  });
  return JSON.parse(text);
}

function mismatch(found: { readonly version: number } | undefined): ServiceError {
  const what = found === undefined ? "there is no such rule" : "the rule has another version";
  const version = found?.version ?? -1;
  return new ServiceError("alerts.version-mismatch", what, { version });
}
