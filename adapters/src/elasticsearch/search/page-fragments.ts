import type { Block } from "../../../../kit/src/block.ts";
import { ServiceError } from "../../../../kit/src/errors.ts";
import type { PartialMessage, PartTask } from "../../../../query/src/engine/fragment.ts";
import { FragmentHost, transferablesOf } from "../../../../query/src/engine/fragment-host.ts";
import { recordLimits } from "../../../../query/src/limits.ts";
import type { PlanMessage } from "../../../../query/src/plan/plan.ts";
import { type HitsPage, type PageEnd, readPage } from "./hits-block.ts";

/** A page to evaluate, posted to a worker. */
export interface PageJob {
  readonly plan: PlanMessage;
  /** Its part's `ref` says nothing, its `bytes` are the page's. */
  readonly task: PartTask;
  /** The answer as Elasticsearch gave it. */
  readonly page: Uint8Array;
}

/** What a worker answers. */
export interface PageEvaluated {
  readonly message: PartialMessage;
  /** Documents of the page. */
  readonly rows: number;
  readonly end: PageEnd | undefined;
  readonly pit: string | undefined;
}

/** A worker's side: evaluates pages with the same fragments as blocks of our own. */
export class PageFragments {
  #blocks: readonly Block[] = [];
  readonly #host = new FragmentHost(
    { blocks: () => this.#blocks },
    { ...recordLimits, keptBytes: 0 },
  );

  run({ plan, task, page }: PageJob): PageEvaluated {
    try {
      return this.#evaluate(plan, task, readPage(page, plan.sink.kind !== "gather"));
    } catch (thrown) {
      if (!(thrown instanceof ServiceError)) throw thrown;
      const { code, message, fields } = thrown;
      const failed = { kind: "failed", code, message, fields } as const;
      return { message: failed, rows: 0, end: undefined, pit: undefined };
    } finally {
      // A page is asked once; it must not stay for want of a next one.
      this.#blocks = [];
    }
  }

  #evaluate(plan: PlanMessage, task: PartTask, page: HitsPage): PageEvaluated {
    const { block, rows, end, trouble, pit } = page;
    this.#blocks = block === undefined ? [] : [block];
    const message = this.#host.run(plan, task);
    const place = { rows, end, pit };
    if (message.kind === "failed" || trouble === undefined) return { message, ...place };
    const damaged = [...message.damaged, trouble];
    return { message: { ...message, damaged }, ...place };
  }
}

/** The buffers of an answer that may be moved to another thread. */
export function pageTransferables({ message }: PageEvaluated): ArrayBuffer[] {
  return transferablesOf(message);
}
