import { once } from "node:events";
import type { Readable, Writable } from "node:stream";

/** Everything a verb touches outside itself, so that tests run it in process. */
export interface CliIo {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether stdout is a terminal. */
  readonly isTTY: boolean;
  /** Whether stderr is one; progress is drawn there. As `isTTY` when absent. */
  readonly isErrTTY?: boolean;
  /** Width of the terminal in columns. */
  readonly columns?: number | undefined;
  readonly fetch?: typeof fetch;
  /** Aborted when the person interrupts. */
  readonly signal: AbortSignal;
  /** What `--version` prints. */
  readonly version?: string;
}

/** 0 fine, 1 failed, 2 wrong usage. */
export type ExitCode = 0 | 1 | 2;

/** Ends a verb: `message`, when there is one, is the line that stderr gets. */
export class CliExit extends Error {
  override readonly name = "CliExit";
  readonly code: ExitCode;

  constructor(code: ExitCode, message = "", options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The end of a verb that was not called as it should be. */
export function usageError(message: string): CliExit {
  return new CliExit(2, message);
}

/** Writes and waits while the reader is slow. A reader that has gone is noticed by `runCli`. */
export async function print(stream: Writable, text: string | Uint8Array): Promise<void> {
  if (stream.destroyed || stream.writableEnded) return;
  if (stream.write(text)) return;
  const wait = new AbortController();
  const { signal } = wait;
  try {
    await Promise.race([once(stream, "drain", { signal }), once(stream, "close", { signal })]);
  } finally {
    // Takes the listeners of the other one away.
    wait.abort();
  }
}
