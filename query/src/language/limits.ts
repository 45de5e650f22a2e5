/** Limits of the query language, each with its reason. */

/** Bytes of a query's text: a person's longest questions, and lists of some hundred values that a program writes. */
export const queryBytesMax = 16 * 1024;

/** Parentheses, negations and calls within each other: far beyond what anyone reads, and no stack runs out. */
export const nestingMax = 100;

/** Rows that `limit`, `offset`, `top` and the like may name; counts stay exact numbers. */
export const countMax = Number.MAX_SAFE_INTEGER;

/** `top` without a number. */
export const topDefault = 10;

/** `limit` without a number. */
export const limitDefault = 10;

/** `facets` without numbers: values a field, and which fields are no facets. */
export const facetsDefaults = { limit: 10, valuesMax: 1_000, lengthMax: 128 };

/** Neighbours on one side that `stream_context` may ask for: what a person reads through. */
export const contextRowsMax = 1_000;

/** How far `stream_context` looks unless told. */
export const contextWindow = { ms: 3_600_000, ns: 0 };
