/** How often the same is said again, in milliseconds. */
const everyMs = 60_000;

/** Texts that are remembered: whoever knocks chooses some of them. */
const textsMax = 256;

/** Whether something is to be said: not when it was a moment ago, since what fails is tried again each second or so. */
export class Seldom {
  readonly #nowMs: () => number;
  /** By text, when it was said, and how often it was not since then. */
  readonly #said = new Map<string, { readonly atMs: number; left: number }>();

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** How often the text was left out since it was last said; undefined: it is left out now. */
  say(text: string): number | undefined {
    const now = this.#nowMs();
    const last = this.#said.get(text);
    if (last !== undefined && now - last.atMs < everyMs) {
      last.left++;
      return undefined;
    }
    this.#said.delete(text);
    const [oldest] = this.#said.keys();
    if (oldest !== undefined && this.#said.size >= textsMax) this.#said.delete(oldest);
    this.#said.set(text, { atMs: now, left: 0 });
    return last?.left ?? 0;
  }
}
