import type { PartialMessage, PartTask } from "../../../../query/src/engine/fragment.ts";
import { createNewest } from "../../../../query/src/engine/sink.ts";
import { createGatherPipe } from "../../../../query/src/pipe/create.ts";
import type { GatherPipe } from "../../../../query/src/pipe/pipe.ts";
import type { PlanMessage } from "../../../../query/src/plan/plan.ts";
import type { PageEnd } from "./hits-block.ts";
import type { PageSizes } from "./page-sizes.ts";
import type { Pages } from "./pages.ts";
import { type PartReading, ReadSoFar, tooMuchMemory } from "./reading.ts";

export interface GatherReadingOptions {
  readonly pages: Pages;
  readonly sizes: PageSizes;
  /** Pages come in the order of the answer, of which no more rows than this are wanted. */
  readonly rowsWanted?: number | undefined;
}

/** All pages of a slice, gathered into one partial; of ordered ones only as many as have the rows that are wanted. */
export class GatherReading implements PartReading {
  readonly #options: GatherReadingOptions;

  constructor(options: GatherReadingOptions) {
    this.#options = options;
  }

  async run(plan: PlanMessage, task: PartTask, signal: AbortSignal): Promise<PartialMessage> {
    const { pages, sizes, rowsWanted } = this.#options;
    const read = new ReadSoFar();
    const gather = gatherOf(plan);
    let after: PageEnd | undefined;
    let rows = 0;
    for (;;) {
      const page = await pages.read({ plan, task, signal, after, size: sizes.next() });
      const { message } = page;
      if (message.kind === "failed" || message.answer.kind !== "gather") return message;
      read.add(message);
      const { partial } = message.answer;
      if (rowsWanted !== undefined) rows += (partial as { readonly rowCount: number }).rowCount;
      const isEnough = page.isLast || (rowsWanted !== undefined && rows >= rowsWanted);
      if (after === undefined && isEnough) return read.done(message.answer);
      gather.merge(partial);
      if (gather.byteSize > plan.memoryBytesMax) return tooMuchMemory(plan);
      if (isEnough) return read.done({ kind: "gather", partial: gather.export() });
      after = page.end;
    }
  }
}

/** What merges the partials of pages: the same as merges those of parts. */
function gatherOf({ sink }: PlanMessage): GatherPipe {
  if (sink.kind === "gather") return createGatherPipe(sink.pipe);
  return createNewest(sink.kind === "newest" ? sink.wanted : undefined);
}
