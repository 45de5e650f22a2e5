/** Bounds of what sending notifications may cost. */

/** Of a receiver's answer: its status says all, the rest is read only so that the connection can be used again. */
export const answerBytesMax = 64 * 1024;
/** For all deliveries and tests that are under way at once: one that waited for a connection would seem to get no answer. */
export const connectionsMax = 96;
/** Open connections that nothing uses: notifications come in bursts, and none is sent for hours. */
export const idleConnectionsMax = 16;
export const idleConnectionMs = 15_000;
/** A receiver may ask to be left alone; no longer than this, since it may be wrong. */
export const retryAfterMsMax = 60 * 60 * 1000;
