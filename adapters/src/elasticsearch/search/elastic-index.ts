import type { Client } from "@elastic/elasticsearch";
import { assert } from "../../../../kit/src/assert.ts";
import { ServiceError } from "../../../../kit/src/errors.ts";
import type { FragmentPool } from "../../../../query/src/engine/pool.ts";
import type { Cut, Source } from "../../../../query/src/source.ts";
import { slicesMax } from "./limits.ts";
import { openCut } from "./open-cut.ts";
import type { EvaluatePage } from "./pages.ts";
import { isPartReading } from "./reading.ts";
import { SearchServer, TooLong } from "./server.ts";

export interface ElasticIndexOptions {
  readonly client: Client;
  /** How the names of indices begin. */
  readonly prefix: string;
  /** Time in which Elasticsearch must have answered one request. */
  readonly timeoutMs: number;
  readonly evaluate: EvaluatePage;
}

export interface QuestionTimes {
  /** The question's deadline, from now. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Where queries read that a mirror in Elasticsearch answers. */
export class ElasticIndex {
  readonly #options: ElasticIndexOptions;
  readonly #server: SearchServer;
  readonly #open = new Set<Cut>();
  readonly #closing = new Set<Promise<void>>();
  /** Evaluates the parts of cuts of this index, whatever they are. */
  readonly pool: FragmentPool = {
    size: slicesMax,
    run: async (plan, task, signal) => {
      try {
        const { ref } = task.part;
        assert(isPartReading(ref), "the part is of a cut of this index");
        return await ref.run(plan, task, signal);
      } catch (thrown) {
        const { code, message, fields } = failureOf(thrown);
        return { kind: "failed", code, message, fields };
      }
    },
  };

  constructor(options: ElasticIndexOptions) {
    this.#options = options;
    this.#server = new SearchServer(options.client, options.timeoutMs);
  }

  /** A source for one question, whose cuts last as long as it does. Opening one throws `index.unavailable`. */
  source({ timeoutMs, signal }: QuestionTimes): Source {
    const late = AbortSignal.timeout(timeoutMs);
    const ends = signal === undefined ? late : AbortSignal.any([signal, late]);
    return {
      open: async (tenant, range, asked) => {
        const { prefix, evaluate } = this.#options;
        try {
          const question = { prefix, tenant, range, asked, timeoutMs };
          const opened = await openCut({ server: this.#server, evaluate }, question, ends);
          return this.#kept(opened.cut, opened.close);
        } catch (thrown) {
          throw failureOf(thrown);
        }
      },
    };
  }

  /** Lets go of what questions that were left hold at Elasticsearch. */
  async close(): Promise<void> {
    for (const cut of this.#open) cut.release();
    await Promise.all(this.#closing);
  }

  #kept(opened: Cut, close: () => Promise<void>): Cut {
    const cut: Cut = {
      parts: opened.parts,
      missing: opened.missing,
      release: () => {
        if (!this.#open.delete(cut)) return;
        const closing = close().finally(() => this.#closing.delete(closing));
        this.#closing.add(closing);
      },
    };
    this.#open.add(cut);
    return cut;
  }
}

/** What was thrown, unless it is no failure that a caller can bring about: that is thrown on. */
function failureOf(thrown: unknown): ServiceError {
  if (thrown instanceof ServiceError) return thrown;
  if (thrown instanceof TooLong) return new ServiceError("index.unavailable", thrown.message);
  throw thrown;
}
