import { ServiceError } from "../../../../kit/src/errors.ts";
import type { PartTask } from "../../../../query/src/engine/fragment.ts";
import type { PlanMessage } from "../../../../query/src/plan/plan.ts";
import type { PageEnd } from "./hits-block.ts";
import { pageBytesMax, pageRowsMax, recordBytesMax } from "./limits.ts";
import type { PageEvaluated, PageJob } from "./page-fragments.ts";
import type { PointInTime } from "./point-in-time.ts";
import { TooLong } from "./server.ts";

/** Evaluates a page somewhere, with a `PageFragments`; rejects when whoever does it failed, or the signal is aborted. */
export type EvaluatePage = (job: PageJob, signal: AbortSignal) => Promise<PageEvaluated>;

export interface PagesOptions {
  readonly pit: PointInTime;
  readonly evaluate: EvaluatePage;
  /** Query, order and slice. */
  readonly body: Readonly<Record<string, unknown>>;
}

export interface PageAsk {
  readonly plan: PlanMessage;
  readonly task: PartTask;
  /** Behind which document the page begins; undefined: the first page. */
  readonly after: PageEnd | undefined;
  /** Documents that are wanted at most. */
  readonly size: number;
  /** The page was read before, with this size, and is wanted as it was. */
  readonly isAgain?: boolean;
  readonly signal: AbortSignal;
}

export interface Page extends PageEvaluated {
  /** Documents that were asked for. */
  readonly size: number;
  readonly isLast: boolean;
}

/** A search, page by page: each is fetched as bytes and handed on as it is. One page is in memory at a time. */
export class Pages {
  readonly #options: PagesOptions;
  /** Documents that fit into a page, by those read so far. */
  #fitting = pageRowsMax;

  constructor(options: PagesOptions) {
    this.#options = options;
  }

  async read(ask: PageAsk): Promise<Page> {
    const { plan, task, signal } = ask;
    const { size, bytes } = await this.#fetch(ask);
    const byteLength = bytes.byteLength;
    const part = { ...task.part, ref: undefined, bytes: byteLength };
    const job = { plan, task: { ...task, part }, page: bytes };
    const evaluated = await this.#options.evaluate(job, signal);
    this.#options.pit.renew(evaluated.pit);
    if (evaluated.rows > 0) {
      const fitting = Math.floor((pageBytesMax * evaluated.rows) / (2 * byteLength));
      this.#fitting = Math.min(pageRowsMax, Math.max(1, fitting));
    }
    return { ...evaluated, size, isLast: evaluated.rows < size };
  }

  async #fetch({ after, size: wanted, isAgain = false, signal }: PageAsk) {
    const { pit, body } = this.#options;
    for (;;) {
      const size = isAgain ? wanted : Math.max(1, Math.min(wanted, this.#fitting));
      const asked = { ...body, size, track_total_hits: false };
      const search = after === undefined ? asked : { ...asked, search_after: after };
      try {
        const bytesMax = size === 1 ? recordBytesMax : pageBytesMax;
        return { size, bytes: await pit.search(search, bytesMax, signal) };
      } catch (thrown) {
        if (!(thrown instanceof TooLong)) throw thrown;
        if (size === 1 || isAgain)
          throw new ServiceError("index.unavailable", "a document is too long");
        this.#fitting = Math.floor(size / 4);
      }
    }
  }
}
