import { messageOf } from "../../kit/src/errors.ts";
import type { Logger } from "../../kit/src/logger.ts";

/** How the watching of a rule goes, as users are shown it; told to the log once per change. */
export class RuleHealth {
  readonly #logger: Logger;
  readonly #rule: { readonly tenant: string; readonly rule: string };
  #error: string | undefined;
  #evaluatedMs: number | undefined;

  constructor(logger: Logger, rule: { readonly tenant: string; readonly rule: string }) {
    this.#logger = logger;
    this.#rule = rule;
  }

  /** Why the rule is not watched, or only in part. */
  get error(): string | undefined {
    return this.#error;
  }

  /** When it was last evaluated, in milliseconds since the epoch. */
  get evaluatedMs(): number | undefined {
    return this.#evaluatedMs;
  }

  failed(thrown: unknown): void {
    this.#change(messageOf(thrown));
  }

  /** It was evaluated for this moment; `warning`: what had to be left out. */
  evaluated(atMs: number, warning?: string): void {
    this.#evaluatedMs = atMs;
    this.#change(warning);
  }

  #change(error: string | undefined): void {
    if (error === this.#error) return;
    this.#error = error;
    if (error !== undefined) this.#logger.warn({ ...this.#rule, reason: error }, "rule has failed");
    else this.#logger.info(this.#rule, "rule is evaluated again");
  }
}
