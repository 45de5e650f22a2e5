/** Bytes of one read of another replica's file: a few milliseconds of a gigabit link, so that entries come in between. */
export const segmentReadBytesMax = 512 * 1024;
