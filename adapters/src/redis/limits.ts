/** Bounds of the scheduler on Redis; times in milliseconds. */

/** Rules under evaluation at once in this process: more would only queue at the query workers. */
export const ticksAtOnceMax = 4;
/** Deliveries under way at once in this process. */
export const deliveriesAtOnceMax = 64;
/** A job whose process died is taken over after this long and two looks. */
export const lockMs = 4000;
export const stalledLookMs = 2000;
/** A rule or a delivery that another job is at is looked at again after this long. */
export const busyMs = 250;
/** A job that waits for its rule is believed to be there for so long after its last look. */
export const waiterMs = 10_000;
/** After a rule was ticked last, what is known of its ticks is kept for this long and two intervals. */
export const tickStateMs = 60 * 60 * 1000;
/** How often what should be in Redis is compared with what is: it may have lost its memory without a word. */
export const surveyMs = 30_000;
/** After Redis refused something, unless a new connection brings an earlier chance. */
export const retryMs = 2000;
/** `schedule` waits so long for Redis; then it goes on in the background. */
export const scheduleWaitMs = 2000;
/** Jobs handed over in one round trip. */
export const batchMax = 250;
/** A connection on which an answer has been due for this long is dead. Blocking calls take up to 10 s. */
export const silentMsMax = 20_000;
/** A command that is not blocking has been answered by then. */
export const commandMsMax = 10_000;
export const reconnectMsMax = 2000;
/** How long the end waits for Redis to take back what was under way; its jobs are taken over anyway. */
export const closeMsMax = 1500;
/** Entries of each queue's event stream, which nobody here reads. */
export const eventsMax = 100;
/** Between two warnings about the same outage. */
export const warnMsMin = 60_000;
