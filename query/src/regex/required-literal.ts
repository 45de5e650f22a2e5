/** What `requiredLiteral` found. */
export interface RequiredLiteral {
  /** The longest text that every match contains; "" when none is certain. */
  readonly literal: string;
  /** The pattern is this text and nothing else. */
  readonly isWhole: boolean;
}

const none: RequiredLiteral = { literal: "", isWhole: false };
const special = new Set([..."\\.^$|?*+()[]{}"]);

/**
 * Reads the runs of plain characters at the top level of a pattern. Careful rather than clever: an
 * alternation, a flag or anything unknown makes it give up or end a run.
 */
export function requiredLiteral(pattern: string): RequiredLiteral {
  const runs: string[] = [];
  let run = "";
  let isWhole = true;
  const endRun = (): void => {
    if (run !== "") runs.push(run);
    run = "";
  };
  for (let at = 0; at < pattern.length; ) {
    const char = pattern[at] as string;
    if (char === "|" || pattern.startsWith("(?", at)) return none;
    const step = plainAt(pattern, at);
    const after = at + step.length;
    const quantifier = pattern[after] ?? "";
    if (step.text === undefined || "?*{".includes(quantifier || " ")) {
      // What may be absent or repeated belongs to no run; what may be repeated ends one.
      isWhole = false;
      endRun();
      at = afterQuantifier(pattern, after);
    } else {
      run += step.text;
      at = after;
      if (quantifier === "+") {
        isWhole = false;
        endRun();
        at = afterQuantifier(pattern, after);
      }
    }
  }
  endRun();
  const longest = runs.reduce((best, each) => (each.length > best.length ? each : best), "");
  return { literal: longest, isWhole: isWhole && runs.length === 1 };
}

/** One element of a pattern: its text when it stands for exactly that, and its length in the pattern. */
function plainAt(pattern: string, at: number): { readonly text?: string; readonly length: number } {
  const char = pattern[at] as string;
  if (char === "\\") {
    const escaped = pattern[at + 1] ?? "";
    return /[^A-Za-z0-9]/.test(escaped)
      ? { text: escaped, length: 2 }
      : { length: escapeLength(pattern, at) };
  }
  if (char === "[") return { length: closing(pattern, at) - at };
  if (char === "(") return { length: groupEnd(pattern, at) - at };
  if (special.has(char)) return { length: 1 };
  const point = String.fromCodePoint(pattern.codePointAt(at) as number);
  return { text: point, length: point.length };
}

function escapeLength(pattern: string, at: number): number {
  const braced = /^\\[pPxQ](\{[^}]*\}|[0-9A-Fa-f]{2}|.)/.exec(pattern.slice(at, at + 64));
  return braced?.[0].length ?? 2;
}

/** Behind the `]` of a class. */
function closing(pattern: string, open: number): number {
  let at = open + 1;
  if (pattern[at] === "^") at++;
  if (pattern[at] === "]") at++;
  for (; at < pattern.length; at++) {
    if (pattern[at] === "\\") at++;
    else if (pattern.startsWith("[:", at)) at = Math.max(at, pattern.indexOf(":]", at) + 1);
    else if (pattern[at] === "]") return at + 1;
  }
  return pattern.length;
}

/** Behind the `)` of a group. */
function groupEnd(pattern: string, open: number): number {
  let depth = 0;
  for (let at = open; at < pattern.length; at++) {
    const char = pattern[at];
    if (char === "\\") at++;
    else if (char === "[") at = closing(pattern, at) - 1;
    else if (char === "(") depth++;
    else if (char === ")" && --depth === 0) return at + 1;
  }
  return pattern.length;
}

function afterQuantifier(pattern: string, at: number): number {
  const found = /^(?:[?*+]|\{\d+(?:,\d*)?\})\??/.exec(pattern.slice(at, at + 32));
  return at + (found?.[0].length ?? 0);
}
