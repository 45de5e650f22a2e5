/**
 * Waits so many milliseconds; ends early, without an error, when the signal aborts. Says whether it ended early.
 * With `ref: false` it keeps no process alive, for work that is simply given up when everything else has ended.
 */
export function pause(
  ms: number,
  signal?: AbortSignal,
  { ref = true }: { readonly ref?: boolean } = {},
): Promise<boolean> {
  if (signal?.aborted === true) return Promise.resolve(true);
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve(signal?.aborted === true);
    };
    const timer = setTimeout(done, ms);
    if (!ref) timer.unref();
    signal?.addEventListener("abort", done);
  });
}
