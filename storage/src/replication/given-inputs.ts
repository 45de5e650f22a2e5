import type { Input } from "./core/types.ts";

/** What a replica was told that holds until it is told otherwise: one that is opened again is told it anew. */
export class GivenInputs {
  readonly #latest = new Map<string, Input>();

  note(input: Input): void {
    switch (input.kind) {
      case "link":
        this.#note(`link ${input.replica}`, input, input.link !== undefined);
        break;
      case "live":
        this.#note(`live ${input.replica}`, input, true);
        break;
      case "assign":
      case "strain":
        this.#note(input.kind, input, true);
        break;
      default:
        break;
    }
  }

  get all(): readonly Input[] {
    return [...this.#latest.values()];
  }

  #note(key: string, input: Input, holds: boolean): void {
    if (holds) this.#latest.set(key, input);
    else this.#latest.delete(key);
  }
}
