import type { Clock } from "../../../kit/src/clock.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import type { ZabState } from "../core/effects.ts";
import type { EnsembleState } from "./availability.ts";
import { type AvailabilityFigures, AvailabilityKeeper } from "./availability-keeper.ts";
import { propagationSampleMs } from "./limits.ts";
import {
  type Propagation,
  type PropagationCounts,
  PropagationWindow,
  propagationOf,
} from "./propagation.ts";

/** ΔZ/N and ΔZ/M, lately and since the process began. */
export interface PropagationFigures {
  readonly window: Propagation;
  readonly sinceStart: Propagation;
}

/** What a member counts of its ensemble. */
export interface FigureSources {
  /** Since the process began. */
  readonly counts: () => PropagationCounts;
  /** Members that have what is committed, as far as this one knows, itself included. */
  readonly synchronised: () => number;
}

/** Availability and propagation, as one member sees them, kept up by the second. */
export class EnsembleFigures {
  readonly #isAlone: boolean;
  readonly #keeper: AvailabilityKeeper;
  readonly #window = new PropagationWindow();
  readonly #sources: FigureSources;
  readonly #clock: Clock;
  readonly #beganMs: number;
  readonly #timer: NodeJS.Timeout;
  #zabState: ZabState = "election";

  constructor(
    settings: {
      readonly dataDir: string;
      readonly clock: Clock;
      readonly logger: Logger;
      /** Who is alone is led by itself. */
      readonly ensemble: object | undefined;
    },
    sources: FigureSources,
  ) {
    this.#isAlone = settings.ensemble === undefined;
    this.#keeper = new AvailabilityKeeper(settings, this.#isAlone ? "led" : "electing");
    this.#sources = sources;
    this.#clock = settings.clock;
    this.#beganMs = this.#clock.monotonicMs();
    // Not a step of the coordinator's own: those may be far apart.
    this.#timer = setInterval(() => this.#look(), propagationSampleMs);
    this.#timer.unref();
  }

  /** How far this member is with its leader; to be called as often as it may have changed. */
  see(state: ZabState): void {
    if (state === this.#zabState || this.#isAlone) return;
    this.#zabState = state;
    this.#keeper.see(stateOf[state]);
  }

  /** For how long the ensemble has been in the state that it is in. */
  get stateMs(): number {
    return this.#keeper.stateMs;
  }

  availability(): AvailabilityFigures {
    return this.#keeper.figures();
  }

  propagation(): PropagationFigures {
    const counts = this.#sources.counts();
    const synchronised = this.#sources.synchronised();
    const nowMs = this.#clock.monotonicMs();
    return {
      window: this.#window.figures(counts, synchronised, nowMs),
      sinceStart: propagationOf(counts, synchronised, nowMs - this.#beganMs),
    };
  }

  /** Puts on disk what was seen. */
  close(): Promise<void> {
    clearInterval(this.#timer);
    return this.#keeper.close();
  }

  #look(): void {
    this.#keeper.look();
    this.#window.sample(this.#sources.counts(), this.#clock.monotonicMs());
  }
}

const stateOf: Readonly<Record<ZabState, EnsembleState>> = {
  election: "electing",
  discovery: "recovering",
  synchronization: "recovering",
  broadcast: "led",
};
