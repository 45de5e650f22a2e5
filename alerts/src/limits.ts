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

/** Bytes of a group's labels; a longer group is left out, and that is told. */
export const instanceLabelsBytesMax = 4 * 1024;
/** Alerts that begin to fire in one evaluation and get lines: each costs a query. */
export const linesAlertsMax = 20;
/** Bytes of lines in one notification, and in all that one change of a rule brings: an entry of the journal is one write. */
export const notificationLinesBytesMax = 128 * 1024;
export const entryLinesBytesMax = 1024 * 1024;

/**
 * Ends of deliveries that are remembered while the journal is read. What was written again and had ended meanwhile lies
 * seconds apart, so that only the newest count.
 */
export const doneKeptMax = 100_000;

/** Deliveries that wait; beyond it the receiver that has the most loses its oldest. */
export const outboxMax = 20_000;
/** Bytes of lines of notifications that wait; beyond it notifications go without lines. */
export const outboxLinesBytesMax = 64 * 1024 * 1024;
/** Attempts at one receiver side by side: a slow one holds up only itself, a quick one is not flooded. */
export const attemptsAtOnceMax = 4;
/** Attempts of a tenant at one host side by side: it may have many receivers, which go down together. */
export const attemptsAtHostMax = 16;
/** Attempts at hosts whose last one failed, side by side: each may last as long as an attempt may, and others wait for it. */
export const attemptsInTroubleMax = 16;
/** How long a delivery waits that finds others under way, in milliseconds; with so many that wait as milliseconds, that long. */
export const attemptWaitMsMin = 500;
/** Waits after failed attempts to deliver, in milliseconds. */
export const deliveryBackoffMsFirst = 1000;
export const deliveryBackoffMsMost = 5 * 60 * 1000;
/** Tests of rules under way: their receivers may hang, and hold as many connections as a rule has receivers. */
export const testsAtOnceMax = 4;
/** A receiver that asks for a longer rest is asked again after this one. */
export const retryAfterMsMost = 60 * 60 * 1000;
/** A delivery that the scheduler was to make, and did not for so long, is told to it again. */
export const deliveryOverdueMs = 60_000;

/** Events of a tenant's history in memory, and bytes of their lines. */
export const historyEventsMax = 1000;
export const historyLinesBytesMax = 8 * 1024 * 1024;

/** How often the progress of a match rule is written while nothing else changes: a restart reads that much again. */
export const progressWriteMs = 30_000;
/** How often further matches of an alert that fires already are written: they are counted again from there. */
export const matchWriteMs = 5000;
/** A source that follows for so long has caught up: what has had no match since may resolve. */
export const catchUpMs = 5000;
/** How often it is written, at least, that a threshold with `keepFor` still holds. */
export const heldWriteMsMin = 15_000;
/** A tick that is older than the last one by more comes of a clock that was set back; else it was seen. */
export const ticksBackMsMax = 60_000;
/** What is older is written again, so that it stays within the journal's retention. */
export const rewriteMs = 24 * 60 * 60 * 1000;
/** Receivers that a rule had and whose deliveries may still be under way. */
export const receiversKept = 64;
/** Added on both sides of the range in a match's link: records carry other clocks' times. */
export const linkMarginMs = 60_000;
/** How often it is looked for what is overdue and what is old. */
export const roundMs = 60_000;
/** Overdue deliveries that are told to the scheduler again in one round. */
export const overdueAtOnce = 1000;
