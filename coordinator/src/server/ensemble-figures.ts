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
import { ValueSummary } from "./value-summary.ts";

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
  readonly isLeading: () => boolean;
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
  /** Of elections, from looking to a leader being elected. */
  readonly electionTime = new ValueSummary();
  /** From losing a leader, or the start, to being led. */
  readonly unavailableTime = new ValueSummary();
  /** The same where this member became the leader. */
  readonly leaderUnavailableTime = new ValueSummary();
  #zabState: ZabState = "election";
  #elections = 1;
  #electingMs: number;
  #unavailableMs: number;

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
    this.#electingMs = this.#beganMs;
    this.#unavailableMs = this.#beganMs;
    // Not a step of the coordinator's own: those may be far apart.
    this.#timer = setInterval(() => this.#look(), propagationSampleMs);
    this.#timer.unref();
  }

  /** How far this member is with its leader; to be called as often as it may have changed. */
  see(state: ZabState): void {
    if (state === this.#zabState || this.#isAlone) return;
    const nowMs = this.#clock.monotonicMs();
    if (this.#zabState === "election") this.electionTime.add(nowMs - this.#electingMs);
    if (this.#zabState === "broadcast") this.#unavailableMs = nowMs;
    if (state === "election") {
      this.#elections++;
      this.#electingMs = nowMs;
    }
    if (state === "broadcast") {
      this.unavailableTime.add(nowMs - this.#unavailableMs);
      if (this.#sources.isLeading()) this.leaderUnavailableTime.add(nowMs - this.#unavailableMs);
    }
    this.#zabState = state;
    this.#keeper.see(stateOf[state]);
  }

  /** Times that this member began to look for a leader. */
  get elections(): number {
    return this.#elections;
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
