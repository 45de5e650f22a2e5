import type { AlertRecord } from "./ports.ts";

/** What receivers get, as it is printed in a webhook's body. Times are RFC 3339 in UTC. */
export interface Notification {
  readonly status: "firing" | "resolved";
  /** The rule's name. */
  readonly rule: string;
  /** The rule's own labels and those of the group. */
  readonly labels: Readonly<Record<string, string>>;
  /** Match: records that matched so far. Threshold: the value that was compared. */
  readonly count: number;
  readonly lines: readonly AlertRecord[];
  readonly startsAt: string;
  /** Null while it fires. */
  readonly endsAt: string | null;
  /** The same in every attempt to deliver this notification, and no other's. */
  readonly dedupeKey: string;
  /** Into the console, at the records. */
  readonly link: string;
}

/** An attempt to deliver that failed. */
export class DeliveryError extends Error {
  override readonly name = "DeliveryError";
  /** Whether it may go better later: not for what the receiver refuses as such. */
  readonly isTransient: boolean;
  /** How long the receiver asked to be left alone, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    { isTransient, retryAfterMs }: { isTransient: boolean; retryAfterMs?: number | undefined },
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.isTransient = isTransient;
    this.retryAfterMs = retryAfterMs;
  }
}
