import { randomInt } from "node:crypto";

/** How many seeds a test runs: `few` with its room, `whole` in the suite of simulations, more in soak. */
export function seedsOf({ few, whole }: { readonly few: number; readonly whole: number }): number {
  const count = process.env["LOGKEEP_SIMULATIONS"] === "whole" ? whole : few;
  return Number(process.env["LOGKEEP_SOAK_SEEDS"] ?? count);
}

/** The same in each run, so that a change is to blame for what fails; soak draws. */
export function firstSeed(): number {
  return process.env["LOGKEEP_SOAK_SEEDS"] === undefined ? 1 : randomInt(1, 2 ** 31);
}
