import type { AlertRecord, EvaluationRange, Evaluator } from "../../../alerts/src/ports.ts";
import type { Settings } from "../../../config/src/schema.ts";
import { systemClock } from "../../../kit/src/clock.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import { collectAnswer } from "../../../query/src/engine/questions.ts";
import { parseQuestion } from "../question.ts";
import type { Reading } from "../reading.ts";
import { EvaluationGate } from "./evaluation-gate.ts";
import { evaluationRowsMax, evaluationShare } from "./limits.ts";

export interface EvaluatorDeps {
  readonly reading: Reading;
  readonly settings: Settings;
}

/**
 * Asks rules' queries as a user's are asked, but a few at a time: however many rules are due, users
 * find most of the workers.
 */
export class QueryEvaluator implements Evaluator {
  readonly #deps: EvaluatorDeps;
  readonly #gate: EvaluationGate;

  constructor(deps: EvaluatorDeps) {
    this.#deps = deps;
    const { concurrencyMax } = deps.settings.query;
    const runningMax = Math.max(1, Math.floor(concurrencyMax / evaluationShare));
    this.#gate = new EvaluationGate(runningMax, systemClock);
  }

  async rows(
    tenant: string,
    query: string,
    range: EvaluationRange,
    signal: AbortSignal,
  ): Promise<readonly AlertRecord[]> {
    const limit = evaluationRowsMax + 1;
    const rows = await this.#ask({ tenant, query, range, limit }, signal);
    if (rows.length < limit) return rows;
    const what = "the rule's query has too many rows";
    throw new ServiceError("query.invalid", what, { rowsMax: evaluationRowsMax });
  }

  async lines(
    tenant: string,
    query: string,
    range: EvaluationRange,
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly AlertRecord[]> {
    return limit === 0 ? [] : this.#ask({ tenant, query, range, limit }, signal);
  }

  async #ask(question: RuleQuestion, signal: AbortSignal): Promise<readonly AlertRecord[]> {
    const { reading, settings } = this.#deps;
    const { tenant, query, range, limit } = question;
    const { timeoutMs } = settings.query;
    signal.throwIfAborted();
    try {
      return await this.#gate.run(`${tenant} ${query}`, signal, async () => {
        const { rows } = await collectAnswer({
          ...reading.answering({ timeoutMs, signal }),
          tenant,
          query: parseQuestion(query, range.toMs),
          range: { from: { ms: range.fromMs, ns: 0 }, to: { ms: range.toMs, ns: 0 } },
          limit,
          timeoutMs,
          memoryBytesMax: settings.query.memoryMaxBytes,
          partial: "deny",
          signal,
        });
        return rows;
      });
    } catch (thrown) {
      signal.throwIfAborted();
      throw thrown;
    }
  }
}

interface RuleQuestion {
  readonly tenant: string;
  readonly query: string;
  readonly range: EvaluationRange;
  readonly limit: number;
}
