import type { AlertEvent } from "../../api/src/alerts.ts";
import type { OutboxItem } from "./entry.ts";
import { historyEventsMax, historyLinesBytesMax } from "./limits.ts";
import { linesBytes, timeText } from "./make-notification.ts";
import type { Notification } from "./notification.ts";

/** What is known of a delivery. */
export interface DeliveryState {
  readonly outcome: "waiting" | "delivered" | "refused" | "expired";
  readonly attempts: number;
  readonly reason: string | undefined;
}

interface Delivery {
  readonly url: string;
  state: DeliveryState;
}

interface Event {
  readonly atMs: number;
  readonly notification: Notification;
  readonly bytes: number;
  readonly deliveries: Map<string, Delivery>;
}

interface TenantHistory {
  /** By dedupe key, oldest first. */
  readonly events: Map<string, Event>;
  bytes: number;
}

/** The newest notifications of each tenant and what became of them, in memory; the journal makes it again. */
export class History {
  readonly #tenants = new Map<string, TenantHistory>();

  /** Takes up notifications and their deliveries; one that is there already is not doubled. */
  add(
    tenant: string,
    atMs: number,
    notifications: readonly Notification[],
    items: readonly OutboxItem[],
  ): void {
    const history = this.#tenants.get(tenant) ?? { events: new Map<string, Event>(), bytes: 0 };
    this.#tenants.set(tenant, history);
    const itemsOf = Map.groupBy(items, (item) => item.dedupeKey);
    for (const notification of notifications) {
      const { dedupeKey, lines } = notification;
      if (history.events.has(dedupeKey)) continue;
      const own = itemsOf.get(dedupeKey) ?? [];
      const event = {
        atMs: own[0]?.createdMs ?? atMs,
        notification,
        bytes: linesBytes(lines),
        deliveries: new Map(own.map(({ id, url }) => [id, { url, state: waiting }])),
      };
      history.events.set(dedupeKey, event);
      history.bytes += event.bytes;
    }
    trim(history);
  }

  /** Notes how a delivery stands; one of an event that is kept no more is let go. */
  note(
    tenant: string,
    { id, dedupeKey }: Pick<OutboxItem, "id" | "dedupeKey">,
    state: DeliveryState,
  ): void {
    const delivery = this.#tenants.get(tenant)?.events.get(dedupeKey)?.deliveries.get(id);
    if (delivery !== undefined) delivery.state = state;
  }

  /** Newest first. */
  events(
    tenant: string,
    { limit, rule }: { readonly limit: number; readonly rule?: string | undefined },
  ): readonly AlertEvent[] {
    const events = [...(this.#tenants.get(tenant)?.events.values() ?? [])];
    return events
      .filter(({ notification }) => rule === undefined || notification.rule === rule)
      .reverse()
      .slice(0, limit)
      .map(eventOf);
  }
}

const waiting: DeliveryState = { outcome: "waiting", attempts: 0, reason: undefined };

function trim(history: TenantHistory): void {
  for (const [key, { bytes }] of history.events) {
    const fits = history.events.size <= historyEventsMax && history.bytes <= historyLinesBytesMax;
    if (fits) return;
    history.events.delete(key);
    history.bytes -= bytes;
  }
}

function eventOf({ atMs, notification, deliveries }: Event): AlertEvent {
  const { labels, lines, ...told } = notification;
  return {
    ...told,
    time: timeText(atMs),
    labels: { ...labels },
    lines: lines.map((line) => ({ ...line })),
    deliveries: [...deliveries.values()].map(({ url, state: { outcome, attempts, reason } }) => ({
      url,
      outcome,
      attempts,
      ...(reason === undefined ? {} : { reason }),
    })),
  };
}
