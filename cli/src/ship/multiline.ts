import { usageError } from "../io.ts";

// Stack traces of the JVM, Python, Go, Ruby and JavaScript go on with indented lines and with these.
const continuation = /^(\s+\S|Caused by: |Suppressed: |\.\.\. \d+ more|\}|\)|$)/;

/**
 * Whether a line goes on with the record before it. `true`: by indentation and the marks of stack
 * traces; a text: it does unless this pattern, which the first line of a record has, matches.
 */
export function continuesOf(
  option: string | boolean | undefined,
): ((line: string) => boolean) | undefined {
  if (option === undefined || option === false) return undefined;
  if (option === true) return (line) => continuation.test(line);
  let first: RegExp;
  try {
    first = new RegExp(option, "u");
  } catch {
    throw usageError(
      `--multiline-start needs a pattern that a record's first line has, not ${option}`,
    );
  }
  return (line) => !first.test(line);
}
