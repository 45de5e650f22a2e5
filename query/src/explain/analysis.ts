import type { Part } from "../source.ts";
import { addProfile, emptyProfile, type Profile } from "./profile.ts";

/** What whoever asks does itself, in this order. */
export const mainStages = ["cut", "merge", "encode"] as const;
export type MainStage = (typeof mainStages)[number];

export interface PartsTally {
  parts: number;
  rows: number;
  bytes: number;
}

/** Gathers what is done for one query; handed in with it. */
export class Analysis {
  readonly profile: Profile = emptyProfile();
  /** Milliseconds. */
  readonly ms: Record<MainStage, number> = { cut: 0, merge: 0, encode: 0 };
  /** Parts whose times are within the query's. */
  readonly inRange: PartsTally = { parts: 0, rows: 0, bytes: 0 };
  /** Parts of which something was read; others were not needed any more. */
  readonly #read = new Set<Part>();

  get partsRead(): PartsTally {
    return tallyOf([...this.#read]);
  }

  opened(parts: readonly Part[], ms: number): void {
    Object.assign(this.inRange, tallyOf(parts));
    this.ms.cut += ms;
  }

  did(stage: MainStage, sinceMs: number): void {
    this.ms[stage] += performance.now() - sinceMs;
  }

  answered(part: Part, profile: Profile | undefined): void {
    this.#read.add(part);
    if (profile !== undefined) addProfile(this.profile, profile);
  }
}

export function tallyOf(parts: readonly Part[]): PartsTally {
  const sum = { parts: parts.length, rows: 0, bytes: 0 };
  for (const { rows, bytes } of parts) {
    sum.rows += rows;
    sum.bytes += bytes;
  }
  return sum;
}
