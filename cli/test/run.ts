import { Readable, Writable } from "node:stream";
import { registerVerbs } from "../src/cli.ts";
import type { CliIo } from "../src/io.ts";
import { programOf, runCli } from "../src/program.ts";
import { registerZk } from "../src/zk.ts";

/** What a run of the command line wrote, and how it ended. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface RunOptions {
  readonly stdin?: Readable;
  readonly env?: Readonly<Record<string, string>>;
  readonly isTTY?: boolean;
  readonly signal?: AbortSignal;
  /** Called with what stdout got, piece by piece. */
  readonly onOut?: (text: string) => void;
  readonly onErr?: (text: string) => void;
}

/** Runs the command line in this process. */
export async function run(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const out = new Collector(options.onOut);
  const err = new Collector(options.onErr);
  const io: CliIo = {
    stdin: options.stdin ?? Readable.from([]),
    stdout: out,
    stderr: err,
    env: { TERM: "xterm", ...options.env },
    isTTY: options.isTTY ?? false,
    columns: 100,
    signal: options.signal ?? new AbortController().signal,
    version: "1.2.3",
  };
  const program = programOf(io);
  registerVerbs(program, io);
  registerZk(program, io);
  const code = await runCli(program, args, io);
  return { code, out: out.text, err: err.text };
}

class Collector extends Writable {
  text = "";
  readonly #onText: ((text: string) => void) | undefined;

  constructor(onText: ((text: string) => void) | undefined) {
    super();
    this.#onText = onText;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    const text = chunk.toString();
    this.text += text;
    this.#onText?.(text);
    done();
  }
}
