import { ValueSummary } from "./value-summary.ts";

/** How many clients may connect how fast; ZooKeeper's `connection_throttle_*`. */
export interface ConnectionThrottleSettings {
  /** Tokens that there are at most; each ConnectRequest costs one. 0: none costs anything. */
  readonly tokensMax: number;
  /** After each such time there are `fillCount` more. */
  readonly fillMs: number;
  readonly fillCount: number;
  /** Between two looks at the probability of a refusal by lot; undefined: there is no lot. */
  readonly freezeMs: number | undefined;
  /** The probability grows by this when no token is left, */
  readonly dropIncrease: number;
  /** and falls by this when as few are lacking as this share of all. */
  readonly dropDecrease: number;
  readonly decreaseRatio: number;
  /** What a session costs by its kind; tokens are then as many times more as a global one costs. Undefined: all cost one. */
  readonly weights: Readonly<Record<SessionKind, number>> | undefined;
}

/** A new session that is known to all, or to its member alone; or one that comes again. */
export type SessionKind = "global" | "local" | "renew";

/** ZooKeeper's, where nothing is said. */
export const connectionThrottleDefault: ConnectionThrottleSettings = {
  tokensMax: 0,
  fillMs: 1,
  fillCount: 1,
  freezeMs: undefined,
  dropIncrease: 0.02,
  dropDecrease: 0.002,
  decreaseRatio: 0,
  weights: undefined,
};

/** ZooKeeper's weights, where they are wanted and not said. */
export const sessionWeightsDefault: Readonly<Record<SessionKind, number>> = {
  global: 3,
  local: 1,
  renew: 2,
};

/**
 * Refuses clients that connect faster than tokens come: a token bucket, and before it, if it is wanted, a lot whose odds follow
 * the load (BLUE: Feng, Shin, Kandlur, Saha, The BLUE Active Queue Management Algorithms, 2002), as ZooKeeper's `BlueThrottle`.
 */
export class ConnectionThrottle {
  readonly #settings: ConnectionThrottleSettings;
  readonly #random: () => number;
  readonly #tokensMax: number;
  readonly #fillCount: number;
  #tokens: number;
  #filledMs: number;
  #frozenMs: number;
  #dropProbability = 0;
  /** Clients that were let in and that were not. */
  admitted = 0;
  refused = 0;
  /** Tokens that were lacking each time that one was let in. */
  readonly deficits: ValueSummary = new ValueSummary();

  /** `random` draws from 0 to 1; times are monotonic. */
  constructor(settings: ConnectionThrottleSettings, random: () => number, nowMs: number) {
    const unit = settings.weights?.global ?? 1;
    this.#settings = settings;
    this.#random = random;
    this.#tokensMax = settings.tokensMax * unit;
    this.#fillCount = settings.fillCount * unit;
    this.#tokens = this.#tokensMax;
    this.#filledMs = nowMs;
    this.#frozenMs = nowMs;
  }

  /** Of a refusal by lot. */
  get dropProbability(): number {
    return this.#dropProbability;
  }

  /** Whether a client that asks for such a session is let in; it then has taken its tokens. */
  admit(kind: SessionKind, nowMs: number): boolean {
    const isLetIn = this.#tokensMax === 0 || this.#take(kind, nowMs);
    if (isLetIn) {
      this.admitted++;
      this.deficits.add(this.#tokensMax - this.#tokens);
    } else this.refused++;
    return isLetIn;
  }

  #take(kind: SessionKind, nowMs: number): boolean {
    const cost = this.#settings.weights?.[kind] ?? 1;
    this.#fill(nowMs);
    this.#dropAdjust(nowMs);
    if (this.#dropProbability > 0 && this.#random() < this.#dropProbability) return false;
    if (this.#tokens < cost) return false;
    this.#tokens -= cost;
    return true;
  }

  #fill(nowMs: number): void {
    const { fillMs } = this.#settings;
    const fills = Math.floor((nowMs - this.#filledMs) / fillMs);
    if (fills <= 0) return;
    this.#filledMs += fills * fillMs;
    this.#tokens = Math.min(this.#tokensMax, this.#tokens + fills * this.#fillCount);
  }

  #dropAdjust(nowMs: number): void {
    const { freezeMs, dropIncrease, dropDecrease, decreaseRatio } = this.#settings;
    if (freezeMs === undefined || nowMs - this.#frozenMs <= freezeMs) return;
    this.#frozenMs = nowMs;
    const lacking = this.#tokensMax - this.#tokens;
    if (this.#tokens === 0) {
      this.#dropProbability = Math.min(1, this.#dropProbability + dropIncrease);
    } else if (lacking <= Math.round(this.#tokensMax * decreaseRatio)) {
      this.#dropProbability = Math.max(0, this.#dropProbability - dropDecrease);
    }
  }
}
