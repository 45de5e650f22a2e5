/** Limits of regular expressions, each with its reason. */

/** Characters of a pattern; longer ones are lists, for which there is `in(…)` and `contains_any(…)`. */
export const patternLengthMax = 2_048;

/**
 * Instructions of a compiled pattern. The time to match is at worst their number times the length of
 * the value, so this bounds what one byte of a value can cost.
 */
export const programSizeMax = 1_500;
