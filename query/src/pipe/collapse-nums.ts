/**
 * Numbers of a text as `<N>`: runs of decimal or hexadecimal digits that stand alone. Hexadecimal ones have an even
 * number of digits, four or more, so that words such as `bad` stay. Letters of units and times may adjoin:
 * `15ms`, `v2`, `T12:30Z`.
 */
export function collapseNums(text: string): string {
  return text.replaceAll(numbers, (run: string, at: number) => {
    const isNumber = !/[a-f]/i.test(run) || (run.length >= 4 && run.length % 2 === 0);
    const before = text[at - 1] ?? "";
    const after = text[at + run.length] ?? "";
    const begins = startLetters.has(before) || !wordLetter.test(characterBefore(text, at));
    const ends = endLetters.has(after) || !wordLetter.test(characterAt(text, at + run.length));
    return isNumber && begins && ends ? "<N>" : run;
  });
}

const numbers = /[0-9a-fA-F]+/g;
const wordLetter = /^[\p{L}\p{N}_]/u;
const startLetters = new Set("TXxvshm");
const endLetters = new Set("TZsmhμun");

function characterBefore(text: string, at: number): string {
  const low = text.charCodeAt(at - 1);
  return low >= 0xdc00 && low < 0xe000 ? text.slice(at - 2, at) : text.slice(at - 1, at);
}

function characterAt(text: string, at: number): string {
  return String.fromCodePoint(text.codePointAt(at) ?? 32);
}

const patterns: readonly (readonly [RegExp, string])[] = [
  [/<N>-<N>-<N>-<N>-<N>/g, "<UUID>"],
  [/<N>\.<N>\.<N>\.<N>/g, "<IP4>"],
  [/<N>:<N>:<N>(?:[.,]<N>)?/g, "<TIME>"],
  [/<N>-<N>-<N>/g, "<DATE>"],
  [/<N>\/<N>\/<N>/g, "<DATE>"],
  [/<DATE>[T ]<TIME>(?:Z|[-+]<N>:<N>)?/g, "<DATETIME>"],
];

/** What numbers make up by its name: `<UUID>`, `<IP4>`, `<TIME>`, `<DATE>`, `<DATETIME>`. */
export function prettified(collapsed: string): string {
  return patterns.reduce((text, [pattern, name]) => text.replaceAll(pattern, name), collapsed);
}
