import type { Effect, ReplicaStatus } from "./core/types.ts";
import { type CutAnswer, refusedCut } from "./outcomes.ts";

type Of<Kind extends Effect["kind"]> = Extract<Effect, { readonly kind: Kind }>;

/** What came of a hand-over. */
export type Settled = Omit<Of<"hand-over-settled">, "kind">;
/** What came of a recovery; `committed`: what this replica knew to be committed before. What lies behind may be lost. */
export type Recovered = Omit<Of<"recover-settled">, "kind">;

/** Who waits for a cut, a hand-over or a recovery of one replica; each is answered once. */
export class ReplicaRequests {
  readonly #cuts = new Map<number, (answer: CutAnswer) => void>();
  #cutNext = 1;
  readonly #handOvers: ((answer: Settled) => void)[] = [];
  readonly #recoveries: ((answer: Recovered) => void)[] = [];
  #isClosed = false;

  /** The number of a cut's request; undefined: it was refused at once. */
  cut(answer: (answer: CutAnswer) => void): number | undefined {
    const request = this.#cutNext++;
    if (this.#isClosed) {
      answer(refusedCut(request));
      return undefined;
    }
    this.#cuts.set(request, answer);
    return request;
  }

  /** `ask` puts it to the core, which answers in order. */
  handOver(ask: () => void): Promise<Settled> {
    return new Promise((resolve) => {
      this.#handOvers.push(resolve);
      ask();
    });
  }

  recover(ask: () => void): Promise<Recovered> {
    return new Promise((resolve) => {
      this.#recoveries.push(resolve);
      ask();
    });
  }

  settled(
    effect: Of<"cut-opened" | "cut-refused" | "hand-over-settled" | "recover-settled">,
  ): void {
    switch (effect.kind) {
      case "cut-opened":
      case "cut-refused":
        this.#cuts.get(effect.request)?.(effect);
        this.#cuts.delete(effect.request);
        break;
      case "hand-over-settled":
        this.#handOvers.shift()?.(effect);
        break;
      case "recover-settled":
        this.#recoveries.shift()?.(effect);
        break;
    }
  }

  /** Nothing is answered by the core any more; the rest is what it knew of its log. */
  close(reason: string, { end, committed }: Pick<ReplicaStatus, "end" | "committed">): void {
    this.#isClosed = true;
    for (const [request, answer] of this.#cuts) answer(refusedCut(request));
    this.#cuts.clear();
    for (const settle of this.#handOvers.splice(0)) settle({ isDone: false, reason });
    for (const settle of this.#recoveries.splice(0)) {
      settle({ isDone: false, reason, end, committed });
    }
  }
}
