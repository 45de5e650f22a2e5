import type { Clock } from "../../kit/src/clock.ts";
import { crashPoint } from "../../kit/src/crash-point.ts";
import { messageOf } from "../../kit/src/errors.ts";
import type { Logger } from "../../kit/src/logger.ts";
import { backoffMs } from "./backoff.ts";
import type { AlertEntry } from "./entry.ts";
import type { WaitingItem } from "./fold.ts";
import type { History } from "./history.ts";
import {
  attemptsAtHostMax,
  attemptsAtOnceMax,
  attemptsInTroubleMax,
  attemptWaitMsMin,
  deliveryBackoffMsFirst,
  deliveryBackoffMsMost,
  deliveryOverdueMs,
  outboxLinesBytesMax,
  outboxMax,
  retryAfterMsMost,
} from "./limits.ts";
import { alertOfKey, linesBytes } from "./make-notification.ts";
import { DeliveryError } from "./notification.ts";
import type { AlertJournal, Sender } from "./ports.ts";
import type { Receiver } from "./rule.ts";
import type { Tally } from "./tally.ts";

export interface OutboxDeps {
  readonly journal: AlertJournal;
  readonly sender: Sender;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly history: History;
  readonly tally: Tally;
  readonly epoch: number;
  readonly deliveryRetryMs: number;
  /** The receiver of a rule by its URL, as it is now or as it was last known. */
  readonly receiverOf: (item: WaitingItem) => Receiver;
}

type Outcome = Extract<AlertEntry, { readonly kind: "done" }>["outcome"];

interface Waiting extends WaitingItem {
  atMs: number;
  readonly alert: string;
  readonly receiverKey: string;
  readonly host: Host;
  readonly bytes: number;
  /** In this process. */
  attempts: number;
  reason: string | undefined;
  isRunning: boolean;
  /** The next attempt is not before, by the clock. */
  notBeforeMs: number;
  /** When the scheduler is to call, by the monotonic clock. */
  expectedMs: number;
  /** It has ended, though perhaps not in the journal yet. */
  outcome: Outcome | undefined;
}

/** Where receivers of a tenant are: one server, as a rule. */
interface Host {
  readonly key: string;
  /** Deliveries that have not ended. */
  waiting: number;
  running: number;
  /** Its last attempt failed. */
  isInTrouble: boolean;
}

/**
 * Notifications on their way. What is in it is in the journal; each is delivered at least once, tried again with growing
 * waits until its time is up. Receivers do not wait for each other, and one is told in order that an alert fires and
 * that it is over.
 */
export class Outbox {
  readonly #deps: OutboxDeps;
  /** By the item's id, oldest first. */
  readonly #waiting = new Map<string, Waiting>();
  readonly #byAlert = new Map<string, Set<Waiting>>();
  /** Attempts under way, by receiver. */
  readonly #running = new Map<string, number>();
  readonly #hosts = new Map<string, Host>();
  /** Attempts under way at hosts in trouble. */
  #runningInTrouble = 0;
  #bytes = 0;

  constructor(deps: OutboxDeps) {
    this.#deps = deps;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Bytes of lines that a new notification may have. */
  get linesBytesLeft(): number {
    return Math.max(outboxLinesBytesMax - this.#bytes, 0);
  }

  /** Takes up what the journal has; to be told to the scheduler then. */
  add(items: readonly WaitingItem[]): void {
    for (const each of items) {
      if (this.#waiting.has(each.item.id)) continue;
      const alert = alertOfKey(each.notification.dedupeKey);
      const waiting: Waiting = {
        ...each,
        alert,
        receiverKey: `${each.tenant} ${each.item.url}`,
        host: this.#hostOf(each),
        // Lines are shared by the receivers of a notification: the first one counts for all.
        bytes: each.item.receiver === 0 ? linesBytes(each.notification.lines) : 0,
        attempts: 0,
        reason: undefined,
        isRunning: false,
        notBeforeMs: 0,
        expectedMs: this.#deps.clock.monotonicMs(),
        outcome: undefined,
      };
      this.#waiting.set(each.item.id, waiting);
      waiting.host.waiting++;
      this.#bytes += waiting.bytes;
      const ofAlert = this.#byAlert.get(alert) ?? new Set();
      this.#byAlert.set(alert, ofAlert.add(waiting));
    }
    this.#makeRoom();
  }

  /** What the scheduler has long not called for, at most `limit`. */
  overdue(limit: number): readonly string[] {
    const beforeMs = this.#deps.clock.monotonicMs() - deliveryOverdueMs;
    const ids: string[] = [];
    for (const [id, { isRunning, expectedMs }] of this.#waiting) {
      if (!isRunning && expectedMs < beforeMs) ids.push(id);
      if (ids.length === limit) break;
    }
    return ids;
  }

  /** What has not ended of one rule, or of all. */
  items(ruleId?: string): readonly WaitingItem[] {
    return [...this.#waiting.values()].filter(
      (each) => each.outcome === undefined && (ruleId === undefined || each.ruleId === ruleId),
    );
  }

  /** Notes that these were written again. */
  rewritten(items: readonly WaitingItem[], atMs: number): void {
    for (const { item } of items) {
      const waiting = this.#waiting.get(item.id);
      if (waiting !== undefined) waiting.atMs = atMs;
    }
  }

  /**
   * The scheduler's call: makes an attempt, or tells after how many milliseconds to call again; undefined when the
   * delivery has ended. Rejects when the journal does, and when the signal aborts.
   */
  async deliver(id: string, signal: AbortSignal): Promise<number | undefined> {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return undefined;
    const laterMs = await this.#step(waiting, signal);
    waiting.expectedMs = this.#deps.clock.monotonicMs() + (laterMs ?? 0);
    return laterMs;
  }

  async #step(waiting: Waiting, signal: AbortSignal): Promise<number | undefined> {
    if (waiting.outcome !== undefined) return this.#end(waiting, waiting.outcome);
    // Two schedulers may call for the same.
    if (waiting.isRunning) return jittered(1000);
    const waitMs = this.#waitOf(waiting);
    if (waitMs > 0) return waitMs;
    const { receiverKey, host } = waiting;
    if (!this.#hasRoom(waiting)) {
      // However many wait, they look no more often than a thousand times a second.
      return jittered(Math.max(attemptWaitMsMin, this.#waiting.size));
    }
    const wasInTrouble = host.isInTrouble;
    this.#running.set(receiverKey, (this.#running.get(receiverKey) ?? 0) + 1);
    host.running++;
    if (wasInTrouble) this.#runningInTrouble++;
    waiting.isRunning = true;
    try {
      return await this.#attempt(waiting, signal);
    } finally {
      waiting.isRunning = false;
      host.running--;
      if (wasInTrouble) this.#runningInTrouble--;
      const left = (this.#running.get(receiverKey) ?? 1) - 1;
      if (left === 0) this.#running.delete(receiverKey);
      else this.#running.set(receiverKey, left);
    }
  }

  /** Whether an attempt takes nothing from receivers that answer. */
  #hasRoom({ receiverKey, host }: Waiting): boolean {
    if ((this.#running.get(receiverKey) ?? 0) >= attemptsAtOnceMax) return false;
    if (host.running >= attemptsAtHostMax) return false;
    return !host.isInTrouble || this.#runningInTrouble < attemptsInTroubleMax;
  }

  #hostOf({ tenant, item }: WaitingItem): Host {
    const key = `${tenant} ${originOf(item.url)}`;
    const host = this.#hosts.get(key) ?? { key, waiting: 0, running: 0, isInTrouble: false };
    this.#hosts.set(key, host);
    return host;
  }

  /** How long the next attempt has to wait; 0: not at all. */
  #waitOf(waiting: Waiting): number {
    const now = this.#deps.clock.now();
    // Never beyond the longest wait, whatever the clock did.
    const ownMs = Math.min(waiting.notBeforeMs - now, retryAfterMsMost);
    if (waiting.notification.status === "firing") return Math.max(ownMs, 0);
    const [first] = [...(this.#byAlert.get(waiting.alert) ?? [])].filter(
      ({ item, notification }) => notification.status === "firing" && item.url === waiting.item.url,
    );
    if (first === undefined) return Math.max(ownMs, 0);
    const firstMs = Math.min(first.notBeforeMs - now, retryAfterMsMost);
    return Math.max(ownMs, firstMs, 0) + jittered(200);
  }

  async #attempt(waiting: Waiting, signal: AbortSignal): Promise<number | undefined> {
    const { sender, receiverOf } = this.#deps;
    try {
      await sender.send(receiverOf(waiting), waiting.notification, signal);
    } catch (thrown) {
      signal.throwIfAborted();
      waiting.attempts++;
      waiting.reason = messageOf(thrown);
      waiting.host.isInTrouble = !(thrown instanceof DeliveryError) || thrown.isTransient;
      return this.#failed(waiting, thrown);
    }
    waiting.attempts++;
    waiting.reason = undefined;
    waiting.host.isInTrouble = false;
    crashPoint("alerts.sent");
    return this.#end(waiting, "delivered");
  }

  #failed(waiting: Waiting, thrown: unknown): Promise<undefined> | number {
    const { clock, logger, tally, history, deliveryRetryMs } = this.#deps;
    const { tenant, item, attempts, reason, definition } = waiting;
    const isTransient = !(thrown instanceof DeliveryError) || thrown.isTransient;
    const leftMs = item.createdMs + deliveryRetryMs - clock.now();
    const facts = { tenant, rule: definition.name, url: originOf(item.url), attempts, reason };
    if (!isTransient || leftMs <= 0) {
      logger.warn(facts, "notification was not delivered");
      return this.#end(waiting, isTransient ? "expired" : "refused");
    }
    // Once for a receiver's notification; the attempts are in its history.
    if (attempts === 1) logger.warn(facts, "notification is tried again");
    tally.failed++;
    history.note(tenant, item, { outcome: "waiting", attempts, reason });
    const asked = thrown instanceof DeliveryError ? (thrown.retryAfterMs ?? 0) : 0;
    const times = { firstMs: deliveryBackoffMsFirst, mostMs: deliveryBackoffMsMost };
    const waitMs = Math.max(
      backoffMs(attempts, Math.random(), times),
      Math.min(asked, retryAfterMsMost),
    );
    // The last attempt is made when the time is up.
    const laterMs = Math.max(Math.min(waitMs, leftMs), 1);
    waiting.notBeforeMs = clock.now() + laterMs;
    return laterMs;
  }

  async #end(waiting: Waiting, outcome: Outcome): Promise<undefined> {
    const { journal, clock, epoch, tally, history } = this.#deps;
    const { tenant, item, attempts, reason } = waiting;
    // Even before it is written: what is written again from now on leaves it out.
    waiting.outcome = outcome;
    const fact = { tenant, outboxId: item.id, outcome, attempts, reason };
    await journal.append([{ kind: "done", epoch, atMs: clock.now(), ...fact }]);
    crashPoint("alerts.done");
    if (this.#waiting.delete(item.id)) {
      this.#bytes -= waiting.bytes;
      waiting.host.waiting--;
      if (waiting.host.waiting === 0) this.#hosts.delete(waiting.host.key);
      const ofAlert = this.#byAlert.get(waiting.alert);
      ofAlert?.delete(waiting);
      if (ofAlert?.size === 0) this.#byAlert.delete(waiting.alert);
      tally[outcome]++;
      history.note(tenant, item, { outcome, attempts, reason });
    }
    return undefined;
  }

  /** Ends the oldest deliveries of the receiver that has the most, when there are too many. */
  #makeRoom(): void {
    let excess = this.#waiting.size - outboxMax;
    if (excess <= 0) return;
    const counts = new Map<string, number>();
    for (const { receiverKey } of this.#waiting.values()) {
      counts.set(receiverKey, (counts.get(receiverKey) ?? 0) + 1);
    }
    const [most] = [...counts].reduce((a, b) => (b[1] > a[1] ? b : a));
    for (const waiting of this.#waiting.values()) {
      if (waiting.receiverKey !== most || waiting.isRunning) continue;
      excess--;
      if (waiting.outcome === undefined) {
        waiting.reason = `more than ${outboxMax} notifications wait`;
        this.#end(waiting, "expired").catch((thrown: unknown) => {
          // The scheduler's next call ends it.
          const reason = messageOf(thrown);
          this.#deps.logger.warn({ reason }, "alerts journal cannot be written");
        });
      }
      if (excess === 0) return;
    }
  }
}

/** Never quite the same time for all. */
function jittered(ms: number): number {
  return Math.round(ms * (0.5 + Math.random()));
}

/** Paths and queries of webhooks hold secrets. */
function originOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : "";
}
