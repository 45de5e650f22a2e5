/** How often the offsets to resume at are written down: what lies behind them is read again after a crash. */
export const resumeMs = 1_000;

/** Wait before a batch that could not be stored is tried again. */
export const storeRetryMs = 500;

/** Bytes of a file that holds a password. */
export const passwordFileMaxBytes = 4_096;
