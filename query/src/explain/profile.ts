/** Why nothing of a block was decoded for its filter, the cheapest first. */
export const pruneReasons = ["time", "stream", "header", "tokens", "template"] as const;
export type PruneReason = (typeof pruneReasons)[number];

/** What a worker does with a part, in this order. */
export const workerStages = ["open", "filter", "pipes", "collect", "answer"] as const;
export type WorkerStage = (typeof workerStages)[number];

export interface Tally {
  blocks: number;
  rows: number;
}

/** What workers did for a query: plain data. */
export interface Profile {
  /** Pieces of work. */
  tasks: number;
  readonly pruned: Record<PruneReason, Tally>;
  /** Blocks that were not pruned. */
  readonly scanned: Tally;
  /** Rows that the filter left. */
  matched: number;
  /** Bytes decoded of each column; what a cache still had counts as well. */
  readonly decoded: Record<string, { blocks: number; bytes: number }>;
  /** Milliseconds. */
  readonly ms: Record<WorkerStage, number>;
}

export function emptyProfile(): Profile {
  const none = (): Tally => ({ blocks: 0, rows: 0 });
  return {
    tasks: 0,
    pruned: { time: none(), stream: none(), header: none(), tokens: none(), template: none() },
    scanned: none(),
    matched: 0,
    decoded: {},
    ms: { open: 0, filter: 0, pipes: 0, collect: 0, answer: 0 },
  };
}

/** Adds `more` to `sum`. */
export function addProfile(sum: Profile, more: Profile): void {
  sum.tasks += more.tasks;
  for (const reason of pruneReasons) addTally(sum.pruned[reason], more.pruned[reason]);
  addTally(sum.scanned, more.scanned);
  sum.matched += more.matched;
  for (const [field, { blocks, bytes }] of Object.entries(more.decoded)) {
    const column = Object.hasOwn(sum.decoded, field) ? sum.decoded[field] : undefined;
    sum.decoded[field] = {
      blocks: (column?.blocks ?? 0) + blocks,
      bytes: (column?.bytes ?? 0) + bytes,
    };
  }
  for (const stage of workerStages) sum.ms[stage] += more.ms[stage];
}

function addTally(sum: Tally, { blocks, rows }: Tally): void {
  sum.blocks += blocks;
  sum.rows += rows;
}
