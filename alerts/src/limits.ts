/** Bounds of what users write and of what rules may cost. */

export const ruleNameMax = 100;
/** As long as a query over HTTP may be. */
export const queryLengthMax = 16 * 1024;
export const conditionLengthMax = 64;
export const labelsMax = 32;
export const labelTextMax = 1024;
/** Receivers of one rule. */
export const notifyMax = 8;
export const secretLengthMax = 1024;
/** Evaluations more often than this would find hardly anything new. */
export const tickMsMin = 1000;
export const tickMsMax = 24 * 60 * 60 * 1000;
export const waitMsMax = 7 * 24 * 60 * 60 * 1000;
/** Groups of one threshold that are pending or firing; further ones are left out, and that is told. */
export const instancesMax = 1000;
/** A line in a notification is cut at this length. */
export const lineBytesMax = 8 * 1024;

/** Evaluations of the in-process scheduler side by side: more would only queue at the query workers. */
export const ticksAtOnceMax = 4;
/** Delivery calls of the in-process scheduler side by side. A receiver takes only a few of them. */
export const deliveriesAtOnceMax = 64;
/** Waits after a call that failed, in milliseconds; they double up to the second. */
export const backoffMsFirst = 200;
export const backoffMsMost = 60_000;

/** Bytes and rules of one text with rules: some hundred rules that people write. */
export const rulesTextBytesMax = 256 * 1024;
export const rulesPerTextMax = 1000;
/** Aliases of a YAML text, counted as they are expanded: a shared list of receivers in each rule. */
export const yamlAliasesMax = 2000;
