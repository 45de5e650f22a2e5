import { isOther } from "../../src/replication/left-shards.ts";
import type { Process } from "./process.ts";
import type { Timeline } from "./timeline.ts";

export interface LettingGo {
  readonly timeline: Timeline;
  /** Between looks. */
  readonly lookMs: number;
  /** Called when files were deleted, or the log was to be emptied. */
  readonly done: (isLogged: boolean) => void;
}

/** Deletes a process's files, and empties its log, where the shard is elsewhere at two looks and nothing was to be held from the first on, as `LeftShards` does. */
export function letGo(process: Process, { timeline, lookMs, done }: LettingGo): void {
  const { keeper } = process;
  const { orders } = keeper;
  const later = (deed: () => void): void => {
    timeline.after(lookMs, () => {
      if (keeper === process.keeper && keeper.orders === orders) ifElsewhere(process, deed);
    });
  };
  later(() => {
    process.input({ kind: "left" });
    later(() => {
      if (keeper !== process.keeper) return;
      const what = keeper.clear(orders);
      if (what === "wanted") return;
      const isLogged = process.log.entries.length > 0;
      if (isLogged) process.input({ kind: "let-go" });
      if (isLogged || what === "cleared") done(isLogged);
    });
  });
}

function ifElsewhere(process: Process, deed: () => void): void {
  if (!process.isElsewhere) return;
  process.seat.look(-1, (input) => {
    const isLeft = input.kind === "view" && isOther(input.facts, process.replica);
    if (isLeft && process.isElsewhere) deed();
  });
}
