import { readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";

import {
  closeFile,
  directorySyncLater,
  openFile,
  renameFile,
  syncData,
  writeAllLater,
} from "../log/files-async.ts";
import { type ByState, ensembleStates, type StateHistory } from "./availability.ts";
import { availabilityFileBytesMax } from "./limits.ts";

/** What is kept of an ensemble's states over restarts of this member. Wall-clock milliseconds. */
export interface AvailabilityRecord {
  readonly history: StateHistory;
  /** When the first run began. */
  readonly beganMs: number;
  /** When this was written: what came later was not observed. */
  readonly savedMs: number;
  /** Starts of this member, the running one included. */
  readonly runs: number;
  /** Between runs, and while the process did not run. */
  readonly unobservedMs: number;
}

/** Beside `version-2`, where no ZooKeeper looks. */
export function availabilityPath(dataDir: string): string {
  return join(dataDir, "availability.json");
}

/** Undefined when there is none yet. Throws when it cannot be read, or is not what was written. */
export function availabilityRead(path: string): AvailabilityRecord | undefined {
  const size = statSync(path, { throwIfNoEntry: false })?.size;
  if (size === undefined) return undefined;
  if (size > availabilityFileBytesMax) throw new Error(`it has ${size} bytes`);
  const found: unknown = JSON.parse(readFileSync(path, "utf8"));
  const file = objectOf(found, "the file");
  if (file["format"] !== format) throw new Error("its format is not known");
  const counts = objectOf(file["counts"], "counts");
  const [led, electing, recovering] = ensembleStates.map((state) =>
    byStateOf(counts[state], `counts.${state}`),
  ) as [ByState, ByState, ByState];
  return {
    history: { inMs: byStateOf(file["inMs"], "inMs"), counts: { led, electing, recovering } },
    beganMs: amountOf(file["beganMs"], "beganMs"),
    savedMs: amountOf(file["savedMs"], "savedMs"),
    runs: amountOf(file["runs"], "runs"),
    unobservedMs: amountOf(file["unobservedMs"], "unobservedMs"),
  };
}

/** Replaces the file whole, off this thread: after a crash it holds the old record or the new one. */
export async function availabilityWrite(path: string, record: AvailabilityRecord): Promise<void> {
  const { history, ...rest } = record;
  const temporary = `${path}.tmp`;
  const fd = await openFile(temporary, "w");
  try {
    const text = `${JSON.stringify({ format, ...rest, ...history })}\n`;
    await writeAllLater(fd, Buffer.from(text), 0);
    await syncData(fd);
  } finally {
    await closeFile(fd);
  }
  await renameFile(temporary, path);
  await directorySyncLater(dirname(path));
}

const format = 1;

function byStateOf(found: unknown, name: string): ByState {
  const fields = objectOf(found, name);
  const of = (state: string): number => amountOf(fields[state], `${name}.${state}`);
  return { led: of("led"), electing: of("electing"), recovering: of("recovering") };
}

function objectOf(found: unknown, name: string): Readonly<Record<string, unknown>> {
  if (typeof found !== "object" || found === null) throw new Error(`${name} is no object`);
  return found as Readonly<Record<string, unknown>>;
}

function amountOf(found: unknown, name: string): number {
  if (typeof found === "number" && Number.isFinite(found) && found >= 0) return found;
  throw new Error(`${name} is no amount`);
}
