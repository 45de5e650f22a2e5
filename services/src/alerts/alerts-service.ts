import os from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { type AlertFigures, Alerts } from "../../../alerts/src/engine.ts";
import { openWebhookSender } from "../../../alerts/src/notify/webhook.ts";
import type { RuleStore, Sender } from "../../../alerts/src/ports.ts";
import type { Cluster } from "../../../cluster/src/cluster.ts";
import { isLoopback, parseAddress } from "../../../config/src/address.ts";
import type { Settings } from "../../../config/src/schema.ts";
import type { RoleElection, RoleTerm } from "../../../coordinator/src/recipes/role-election.ts";
import { systemClock } from "../../../kit/src/clock.ts";
import { messageOf, ServiceError } from "../../../kit/src/errors.ts";
import { type Closable, Lifecycle } from "../../../kit/src/lifecycle.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import type { Reading } from "../reading.ts";
import type { StorePart } from "../store-part.ts";
import type { TailService } from "../tail-service.ts";
import { QueryEvaluator } from "./evaluator.ts";
import { StoreJournal } from "./journal.ts";
import { alertsBeginMs, alertsCloseMs } from "./limits.ts";
import { consoleLinks } from "./links.ts";
import { TailMatchSource } from "./match-source.ts";
import { schedulerOpener } from "./open-scheduler.ts";

export interface AlertsDeps {
  readonly settings: Settings;
  readonly cluster: Cluster;
  readonly stored: StorePart;
  readonly reading: Reading;
  readonly tails: TailService;
  readonly version: string;
  readonly logger: Logger;
}

/**
 * The alerts of this process: its rules are there from the start, evaluated while this process holds the role `evaluator`,
 * which one in the cluster has.
 */
export class AlertsService implements Closable {
  readonly rules: RuleStore;
  readonly #deps: AlertsDeps;
  readonly #journal: StoreJournal;
  readonly #sender: Sender;
  readonly #lifecycle = new Lifecycle();
  readonly #begun = Promise.withResolvers<void>();
  #ending: Promise<void> | undefined;
  #election: RoleElection | undefined;
  #engine: Alerts | undefined;

  private constructor(deps: AlertsDeps, rules: RuleStore) {
    const { settings, cluster, stored, reading, version, logger } = deps;
    const { writes: store, arena } = stored;
    this.#deps = deps;
    this.rules = rules;
    this.#journal = new StoreJournal({
      ...{ store, arena, reading, shardCount: cluster.shards, clock: systemClock, logger },
    });
    const sender = openWebhookSender({
      timeoutMs: settings.alerts.deliveryTimeoutMs,
      privateAddresses: mayCallPrivate(settings),
      userAgent: `logkeep/${version}`,
    });
    this.#sender = sender;
    this.#lifecycle.add("rules", () => rules.close());
    this.#lifecycle.add("journal", () => this.#journal.close());
    this.#lifecycle.add("sender", () => sender.close());
    this.#lifecycle.add("evaluation", () => this.end());
  }

  /** Reads the rules; evaluates none yet. */
  static async open(deps: AlertsDeps): Promise<AlertsService> {
    const { rulesMax } = deps.settings.alerts;
    const rules = await deps.cluster.openRules({ rulesMax, clock: systemClock });
    return new AlertsService(deps, rules);
  }

  /**
   * Stands for the role, and resolves when rules are evaluated here, or after some seconds without that. `url`: where
   * the console is, unless the settings say it.
   */
  async begin(url: string): Promise<void> {
    const { cluster, logger } = this.#deps;
    this.#election = cluster.elect("evaluator", {
      run: (term) => this.#run(term, url),
      onFailure: (thrown) =>
        logger.error({ reason: messageOf(thrown) }, "alerts are not evaluated, trying again"),
    });
    const abort = new AbortController();
    const late = sleep(alertsBeginMs, undefined, { signal: abort.signal, ref: false });
    await Promise.race([this.#begun.promise, late]).finally(() => abort.abort());
  }

  /** What evaluates now; undefined while another process does, or none. */
  get engine(): Alerts | undefined {
    return this.#engine;
  }

  /** Throws `alerts.unavailable` while rules are not evaluated in this process. */
  get running(): Alerts {
    if (this.#engine !== undefined) return this.#engine;
    throw new ServiceError("alerts.unavailable", "no rules are evaluated in this process now");
  }

  /** Zeros while nothing is evaluated here, but for the rules. */
  figures(): AlertFigures {
    return this.#engine?.figures() ?? { ...noFigures, rules: this.rules.list().length };
  }

  /** Ends evaluations and deliveries, once; `close` waits for it. */
  end(): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  /** Ends within some seconds, whatever receivers and queries do: what is not finished goes on at the next start. */
  close(): Promise<void> {
    return this.#lifecycle.close();
  }

  async #run(term: RoleTerm, url: string): Promise<void> {
    const engine = await this.#open(term, url);
    try {
      this.#engine = engine;
      this.#begun.resolve();
      await ended(term.signal);
    } finally {
      this.#engine = undefined;
      await engine.close();
    }
  }

  #open({ epoch }: RoleTerm, url: string): Promise<Alerts> {
    const { settings, cluster, reading, tails, logger } = this.#deps;
    const { linesMax, deliveryRetryMs } = settings.alerts;
    return Alerts.open({
      rules: this.rules,
      journal: this.#journal,
      evaluator: new QueryEvaluator({ reading, settings }),
      matches: new TailMatchSource(tails),
      sender: this.#sender,
      openScheduler: schedulerOpener(settings, cluster.id, logger),
      clock: systemClock,
      logger,
      linkOf: consoleLinks(settings.http.publicUrl ?? url, os.hostname()),
      ...{ linesMax, deliveryRetryMs, epoch },
    });
  }

  async #end(): Promise<void> {
    const abort = new AbortController();
    const late = sleep(alertsCloseMs, "late", { signal: abort.signal });
    const how = await Promise.race([this.#election?.close(), late]).finally(() => abort.abort());
    if (how === "late") this.#deps.logger.warn({}, "alerts did not end in time, left as they are");
  }
}

/** Of a node that evaluates nothing. */
export const noFigures: AlertFigures = {
  ...{ evaluations: 0, evaluationFailures: 0, evaluationSeconds: 0, matched: 0 },
  ...{ delivered: 0, refused: 0, expired: 0, failed: 0 },
  ...{ rules: 0, pending: 0, firing: 0, outboxWaiting: 0 },
};

/** `auto`: while nobody beyond this machine can write rules, webhooks may stay within it, too. */
function mayCallPrivate({ alerts, http }: Settings): boolean {
  if (alerts.privateWebhooks === "auto") return isLoopback(parseAddress(http.listen).host);
  return alerts.privateWebhooks === "allow";
}

function ended(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
    if (signal.aborted) resolve();
  });
}
