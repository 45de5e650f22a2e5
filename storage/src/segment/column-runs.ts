import type { Block } from "../../../kit/src/block.ts";
import { blockCellsMax, blockColumnsFull } from "../format/limits.ts";

/** Blocks that may become new blocks together, and the rows that one of these may have. */
export interface ColumnRun<Source extends Block> {
  readonly blocks: readonly Source[];
  readonly rowsMax: number;
}

/**
 * Splits blocks, in their order, where their fields together become too many: every field costs each row of a
 * block, whether it has it or not, and records of ever new fields would cost rows by fields.
 */
export function columnRuns<Source extends Block>(blocks: readonly Source[]): ColumnRun<Source>[] {
  const runs: ColumnRun<Source>[] = [];
  let run: Source[] = [];
  let names = new Set<string>();
  const close = (): void => {
    const rowsMax = Math.max(1, Math.floor(blockCellsMax / Math.max(1, names.size)));
    if (run.length > 0) runs.push({ blocks: run, rowsMax });
  };
  for (const block of blocks) {
    const added = block.fieldNames.filter((name) => !names.has(name));
    if (run.length > 0 && added.length > 0 && names.size + added.length > blockColumnsFull) {
      close();
      run = [];
      names = new Set();
    }
    for (const name of block.fieldNames) names.add(name);
    run.push(block);
  }
  close();
  return runs;
}
