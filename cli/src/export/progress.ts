import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { z } from "zod";
import { CliExit } from "../io.ts";

const progressSchema = z.strictObject({
  version: z.literal(1),
  /** What was asked for: another question is another export. */
  question: z.string(),
  cursor: z.string().optional(),
  columns: z.array(z.string()).optional(),
  /** Bytes of the file that hold what lies before the cursor. */
  bytes: z.int().min(0),
  rows: z.int().min(0),
  /** Files that are whole, where there are several. */
  files: z.int().min(0),
});

/** How far an export has come. */
export type Progress = z.output<typeof progressSchema>;

/** Nothing yet. */
export function noProgress(question: string): Progress {
  return { version: 1, question, bytes: 0, rows: 0, files: 0 };
}

/** The file beside an export that says how far it is; gone when the export is whole. */
export class ProgressFile {
  readonly #path: string;

  constructor(output: string) {
    this.#path = `${output}.export`;
  }

  /** Undefined when there is none. Throws a `CliExit` when it cannot be read, or is of another question. */
  async read(question: string): Promise<Progress | undefined> {
    const text = await readFile(this.#path, "utf8").catch((thrown: NodeJS.ErrnoException) => {
      if (thrown.code === "ENOENT") return undefined;
      throw new CliExit(1, `cannot read ${this.#path}: ${thrown.message}`);
    });
    if (text === undefined) return undefined;
    const progress = parsed(text);
    if (progress === undefined) {
      throw new CliExit(1, `${this.#path} is damaged; start anew without --continue`);
    }
    if (progress.question === question) return progress;
    throw new CliExit(1, `${this.#path} is of another export; give the same query and options`);
  }

  /** Whole or not at all, also when the process is killed. */
  async write(progress: Progress): Promise<void> {
    const next = `${this.#path}.new`;
    await writeFile(next, JSON.stringify(progress));
    await rename(next, this.#path);
  }

  async remove(): Promise<void> {
    await rm(this.#path, { force: true });
  }
}

function parsed(text: string): Progress | undefined {
  try {
    return progressSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
