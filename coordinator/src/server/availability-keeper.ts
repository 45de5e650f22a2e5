import type { Clock } from "../../../kit/src/clock.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import {
  type AvailabilityModel,
  availabilityModel,
  type ByState,
  type EnsembleState,
} from "./availability.ts";
import {
  type AvailabilityRecord,
  availabilityPath,
  availabilityRead,
  availabilityWrite,
} from "./availability-file.ts";
import { availabilitySaveMsMax, availabilitySaveMsMin } from "./limits.ts";
import { StateRecorder } from "./state-recorder.ts";

/** What a member can say of its ensemble's availability. Wall-clock times in milliseconds. */
export interface AvailabilityFigures extends AvailabilityModel {
  /** The state now, and for how long. */
  readonly state: EnsembleState;
  readonly stateMs: number;
  /** Since when this member keeps count, over all its runs. */
  readonly beganMs: number;
  readonly runs: number;
  readonly observedMs: ByState;
  /** Time since then in which this member was down or did not run: it counts for no state. */
  readonly unobservedMs: number;
}

/** Keeps what a member sees of its ensemble, over restarts, in a file of its data directory. */
export class AvailabilityKeeper {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #recorder: StateRecorder;
  readonly #before: Pick<AvailabilityRecord, "beganMs" | "runs" | "unobservedMs">;
  #isChanged = true;
  #savedMs = -Infinity;
  #saving: Promise<void> | undefined;
  #isFailing = false;

  constructor(
    settings: { readonly dataDir: string; readonly clock: Clock; readonly logger: Logger },
    state: EnsembleState,
  ) {
    this.#path = availabilityPath(settings.dataDir);
    this.#clock = settings.clock;
    this.#logger = settings.logger;
    const nowMs = this.#clock.now();
    const record = this.#read();
    const downMs = record === undefined ? 0 : Math.max(0, nowMs - record.savedMs);
    this.#before = {
      beganMs: record?.beganMs ?? nowMs,
      runs: (record?.runs ?? 0) + 1,
      unobservedMs: (record?.unobservedMs ?? 0) + downMs,
    };
    this.#recorder = new StateRecorder(state, this.#clock.monotonicMs(), record?.history);
  }

  /** Milliseconds since the state has been what it is. */
  get stateMs(): number {
    return this.#clock.monotonicMs() - this.#recorder.sinceMs;
  }

  /** The state from now on. */
  see(state: EnsembleState): void {
    if (this.#recorder.see(state, this.#clock.monotonicMs())) this.#isChanged = true;
  }

  /** To be called every second or so. */
  look(): void {
    const nowMs = this.#clock.monotonicMs();
    this.#recorder.look(nowMs);
    const sinceMs = nowMs - this.#savedMs;
    const isDue = this.#isChanged && sinceMs > availabilitySaveMsMin;
    if (isDue || sinceMs > availabilitySaveMsMax) this.#save();
  }

  figures(): AvailabilityFigures {
    this.#recorder.look(this.#clock.monotonicMs());
    const { state, history } = this.#recorder;
    const { beganMs, runs, unobservedMs } = this.#before;
    return {
      state,
      stateMs: this.stateMs,
      beganMs,
      runs,
      observedMs: history.inMs,
      unobservedMs: unobservedMs + this.#recorder.pausedMs,
      ...availabilityModel(history, state),
    };
  }

  /** Writes the last of it. */
  async close(): Promise<void> {
    this.#recorder.look(this.#clock.monotonicMs());
    await this.#saving;
    this.#save();
    await this.#saving;
  }

  /** What cannot be read is begun anew: figures are worth no refusal to start. */
  #read(): AvailabilityRecord | undefined {
    try {
      return availabilityRead(this.#path);
    } catch (thrown) {
      const fields = { path: this.#path, err: thrown };
      this.#logger.warn(fields, "coordinator availability begins anew: its file cannot be read");
      return undefined;
    }
  }

  #save(): void {
    if (this.#saving !== undefined) return;
    this.#savedMs = this.#clock.monotonicMs();
    this.#isChanged = false;
    const { beganMs, runs, unobservedMs } = this.#before;
    const record = {
      history: this.#recorder.history,
      beganMs,
      runs,
      unobservedMs: unobservedMs + this.#recorder.pausedMs,
      savedMs: this.#clock.now(),
    };
    this.#saving = availabilityWrite(this.#path, record)
      .then(
        () => {
          this.#isFailing = false;
        },
        (thrown: unknown) => this.#failed(thrown),
      )
      .finally(() => {
        this.#saving = undefined;
      });
  }

  /** Said once: a full disk has other ways to be noticed. */
  #failed(thrown: unknown): void {
    const fields = { path: this.#path, err: thrown };
    if (!this.#isFailing) this.#logger.warn(fields, "coordinator availability cannot be kept");
    this.#isFailing = true;
  }
}
