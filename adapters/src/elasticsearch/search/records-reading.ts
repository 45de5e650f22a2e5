import type { PartialMessage, PartTask } from "../../../../query/src/engine/fragment.ts";
import { endOf } from "../../../../query/src/engine/record-merger.ts";
import type { PartEnd } from "../../../../query/src/engine/sink.ts";
import type { PlanMessage } from "../../../../query/src/plan/plan.ts";
import type { PageEnd } from "./hits-block.ts";
import type { PageSizes } from "./page-sizes.ts";
import type { Pages } from "./pages.ts";
import { type PartReading, ReadSoFar } from "./reading.ts";

/** Records in the order in which they are answered, a page at a time, from where the last one ended. */
export class RecordsReading implements PartReading {
  readonly #pages: Pages;
  readonly #sizes: PageSizes;
  /** Where the page begins that is read next. */
  #after: PageEnd | undefined;
  /** Of a page that is read again: its size, and what of it was answered. */
  #rest: { readonly size: number; readonly answered: PartEnd | undefined } | undefined;

  constructor(pages: Pages, sizes: PageSizes) {
    this.#pages = pages;
    this.#sizes = sizes;
  }

  async run(plan: PlanMessage, task: PartTask, signal: AbortSignal): Promise<PartialMessage> {
    const read = new ReadSoFar();
    for (;;) {
      const rest = this.#rest;
      const page = await this.#pages.read({
        ...{ plan, signal, after: this.#after, isAgain: rest !== undefined },
        size: rest?.size ?? this.#sizes.next(),
        task: { ...task, after: rest?.answered },
      });
      const { message } = page;
      if (message.kind === "failed" || message.answer.kind !== "records") return message;
      read.add(message);
      const { chunk } = message.answer;
      if (chunk.more) {
        // A chunk takes less than the page has: the page is read again for its rest.
        this.#rest = { size: page.size, answered: endOf(chunk, rest?.answered) };
        return read.done({ kind: "records", chunk });
      }
      this.#rest = undefined;
      this.#after = page.end ?? this.#after;
      if (chunk.ms.length > 0 || page.isLast) {
        return read.done({ kind: "records", chunk: { ...chunk, more: !page.isLast } });
      }
    }
  }
}
