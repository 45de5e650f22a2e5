/** What polling needs of the page it runs in. */
export interface PollPage {
  readonly isVisible: () => boolean;
  /** Calls after each change of the page's visibility; returns how to stop. */
  readonly onVisibility: (listener: () => void) => () => void;
  /** Calls once after so many milliseconds; returns how to stop. */
  readonly after: (ms: number, act: () => void) => () => void;
}

export interface PollOptions {
  /** Asks once; a rejection is a failure, after which the next comes later. Told by the signal when to give up. */
  readonly ask: (signal: AbortSignal) => Promise<void>;
  readonly everyMs: number;
  /** Failures double the wait up to this. */
  readonly waitMsMax: number;
  readonly page: PollPage;
}

export interface Polling {
  /** Asks now; when an answer is under way, once more behind it, since that may have missed what just changed. */
  readonly now: () => void;
  readonly stop: () => void;
}

/** Asks at once and again and again while the page is visible, one at a time. */
export function startPolling({ ask, everyMs, waitMsMax, page }: PollOptions): Polling {
  const abort = new AbortController();
  let failures = 0;
  let isAsking = false;
  let isAskedAgain = false;
  let cancelWait = (): void => {};

  const run = async (): Promise<void> => {
    cancelWait();
    if (abort.signal.aborted) return;
    if (isAsking) {
      isAskedAgain = true;
      return;
    }
    isAsking = true;
    isAskedAgain = false;
    try {
      await ask(abort.signal);
      failures = 0;
    } catch {
      failures++;
    }
    isAsking = false;
    if (isAskedAgain) void run();
    else if (!abort.signal.aborted && page.isVisible())
      cancelWait = page.after(waitMs(), () => void run());
  };
  const waitMs = (): number => Math.min(waitMsMax, everyMs * 2 ** Math.min(failures, 20));
  const stopListening = page.onVisibility(() => {
    if (!page.isVisible()) cancelWait();
    else if (!isAsking) void run();
  });
  if (page.isVisible()) void run();
  return {
    now: () => void run(),
    stop: () => {
      abort.abort();
      cancelWait();
      stopListening();
    },
  };
}

/** The page of this tab. */
export const tabPage: PollPage = {
  isVisible: () => document.visibilityState === "visible",
  onVisibility: (listener) => {
    document.addEventListener("visibilitychange", listener);
    return () => document.removeEventListener("visibilitychange", listener);
  },
  after: (ms, act) => {
    const timer = setTimeout(act, ms);
    return () => clearTimeout(timer);
  },
};
