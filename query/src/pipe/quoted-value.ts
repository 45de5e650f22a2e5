const quotedText = /"(?:[^"\\]|\\.)*"|`[^`]*`/y;

/** The text in double quotes or backticks that starts at `at`, without its quotes; undefined when there is none. */
export function quotedAt(text: string, at: number): { value: string; end: number } | undefined {
  quotedText.lastIndex = at;
  const quoted = quotedText.exec(text)?.[0];
  if (quoted === undefined) return undefined;
  const end = at + quoted.length;
  if (quoted.startsWith("`")) return { value: quoted.slice(1, -1), end };
  try {
    return { value: JSON.parse(quoted) as string, end };
  } catch {
    return undefined;
  }
}
