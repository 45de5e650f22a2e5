/** What every match of a pattern contains. */
export interface RequiredLiteral {
  /** The longest of the texts that every match contains. */
  readonly text: string;
  /** Other texts that every match contains, in no order and perhaps overlapping. */
  readonly others: readonly string[];
  /** The pattern is this text and nothing else: to contain it is to match. */
  readonly isWhole: boolean;
}

/**
 * The longest text that every match of a pattern contains, so that other rows need not be matched;
 * undefined when there is none, or none that is plain to see. The pattern is one that compiles.
 */
export function requiredLiteral(pattern: string): RequiredLiteral | undefined {
  // Flags change what letters mean, and quoting what signs mean: rare, and left to the engine.
  if (/\(\?(?!:|P?<)|\\[QE]/.test(pattern)) return undefined;
  const scan = new PatternScan(pattern);
  return scan.run();
}

/** Others than the longest: shorter ones are in nearly every value, more of them rule out little. */
const otherLengthMin = 2;
const othersMax = 3;

const escapedLetters: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", f: "\f" };

class PatternScan {
  readonly #pattern: string;
  #at = 0;
  #run = "";
  readonly #found: string[] = [];
  #isWhole = true;

  constructor(pattern: string) {
    this.#pattern = pattern;
  }

  run(): RequiredLiteral | undefined {
    while (this.#at < this.#pattern.length) {
      if (!this.#step()) return undefined;
    }
    this.#endRun();
    const [text, ...rest] = [...new Set(this.#found)].sort((a, b) => b.length - a.length);
    if (text === undefined) return undefined;
    const others = rest.filter((each) => each.length >= otherLengthMin && !text.includes(each));
    return { text, others: others.slice(0, othersMax), isWhole: this.#isWhole };
  }

  /** Takes one atom and what repeats it; false when nothing can be said of the pattern. */
  #step(): boolean {
    const char = String.fromCodePoint(this.#pattern.codePointAt(this.#at) as number);
    switch (char) {
      case "|":
        return false;
      case "[":
        this.#skipClass();
        this.#gap();
        return true;
      case "(":
        if (!this.#skipGroup()) return false;
        this.#gap();
        return true;
      case ".":
      case "^":
      case "$":
        this.#at++;
        this.#gap();
        return true;
      case "\\":
        return this.#escape();
      default:
        this.#at += char.length;
        this.#literal(char);
        return true;
    }
  }

  #escape(): boolean {
    const letter = this.#pattern[this.#at + 1] ?? "";
    this.#at += 2;
    const control = escapedLetters[letter];
    if (control !== undefined) this.#literal(control);
    else if (/[!-/:-@[-`{-~]/.test(letter)) this.#literal(letter);
    else if (/[dDwWsSbBAz]/.test(letter)) this.#gap();
    else return false;
    return true;
  }

  #literal(char: string): void {
    const repeat = this.#takeRepeat();
    if (repeat === undefined) {
      this.#run += char;
      return;
    }
    this.#isWhole = false;
    if (repeat.min > 0) this.#run += char;
    this.#endRun();
    // `ab+c`: what comes after may follow the last `b`.
    if (repeat.min > 0) this.#run = char;
  }

  /** Something that is not a literal, with what repeats it. */
  #gap(): void {
    this.#isWhole = false;
    this.#takeRepeat();
    this.#endRun();
  }

  #endRun(): void {
    if (this.#run !== "") this.#found.push(this.#run);
    this.#run = "";
  }

  #takeRepeat(): { readonly min: number } | undefined {
    const repeat = /(?:[*+?]|\{(\d*)(?:,\d*)?\})\??/y;
    repeat.lastIndex = this.#at;
    const match = repeat.exec(this.#pattern);
    if (match === null) return undefined;
    this.#at = repeat.lastIndex;
    if (match[0].startsWith("{")) return { min: Number(match[1]) };
    return { min: match[0].startsWith("+") ? 1 : 0 };
  }

  #skipClass(): void {
    this.#at++;
    if (this.#pattern[this.#at] === "^") this.#at++;
    // A bracket that comes first is one of the class.
    if (this.#pattern[this.#at] === "]") this.#at++;
    while (this.#at < this.#pattern.length && this.#pattern[this.#at] !== "]") {
      if (this.#pattern.startsWith("[:", this.#at)) {
        const end = this.#pattern.indexOf(":]", this.#at);
        this.#at = end < 0 ? this.#at + 1 : end + 2;
      } else {
        this.#at += this.#pattern[this.#at] === "\\" ? 2 : 1;
      }
    }
    this.#at++;
  }

  #skipGroup(): boolean {
    let depth = 0;
    while (this.#at < this.#pattern.length) {
      const char = this.#pattern[this.#at];
      if (char === "[") {
        this.#skipClass();
        continue;
      }
      this.#at += char === "\\" ? 2 : 1;
      if (char === "(") depth++;
      if (char === ")" && --depth === 0) return true;
    }
    return false;
  }
}
