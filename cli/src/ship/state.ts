import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { z } from "zod";
import { messageOf } from "../../../kit/src/errors.ts";
import type { CliIo } from "../io.ts";
import { formatNames } from "./format/detect.ts";

const position = z.strictObject({
  offset: z.int().min(0),
  lines: z.int().min(0),
  time: z.string().optional(),
});

/** How far a source has been shipped. */
const progressSchema = z.strictObject({
  version: z.literal(1),
  /** What the keys of its batches begin with. */
  id: z.string(),
  /** Its first bytes, by which it is known again. */
  head: z.strictObject({ bytes: z.int().min(0), hash: z.string() }),
  format: z
    .strictObject({ name: z.enum(formatNames), timeField: z.string(), msgField: z.string() })
    .optional(),
  /** Everything before it is stored. */
  done: position,
  /** Ends of the batches behind it that have been cut, and perhaps stored. */
  pending: z.array(position),
});

export type Progress = Readonly<z.output<typeof progressSchema>>;

/** Keeps progress over runs, by the name of a source. */
export interface ProgressStore {
  load(name: string): Progress | undefined;
  save(name: string, progress: Progress): void;
  remove(name: string): void;
}

/** A file for each source in a folder of the person's own (XDG base directories), or one for all. */
export function progressStoreOf(io: CliIo, file: string | undefined): ProgressStore {
  if (file !== undefined) return new OneFileStore(file);
  const state = io.env["XDG_STATE_HOME"] || join(io.env["HOME"] || homedir(), ".local", "state");
  const fileOf = (name: string) => new OneFileStore(join(state, "logkeep", "ship", `${name}.json`));
  return {
    load: (name) => fileOf(name).load(name),
    save: (name, progress) => fileOf(name).save(name, progress),
    remove: (name) => fileOf(name).remove(name),
  };
}

/** Keeps nothing, for sources that cannot be read again. */
export const noProgressStore: ProgressStore = {
  load: () => undefined,
  save: () => undefined,
  remove: () => undefined,
};

const fileSchema = z.record(z.string(), progressSchema);

class OneFileStore implements ProgressStore {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  load(name: string): Progress | undefined {
    return this.#read()[name];
  }

  save(name: string, progress: Progress): void {
    this.#write({ ...this.#read(), [name]: progress });
  }

  remove(name: string): void {
    const { [name]: _, ...others } = this.#read();
    if (Object.keys(others).length > 0) this.#write(others);
    else for (const file of [this.#file, `${this.#file}.new`]) rmSync(file, { force: true });
  }

  /** A file that is not ours to read counts as none: the worst is that a source is sent again. */
  #read(): Record<string, Progress> {
    try {
      return fileSchema.parse(JSON.parse(readFileSync(this.#file, "utf8")));
    } catch {
      return {};
    }
  }

  #write(all: Readonly<Record<string, Progress>>): void {
    // Renamed into place, so that a kill at any moment leaves the old or the new one whole.
    const next = `${this.#file}.new`;
    try {
      mkdirSync(dirname(this.#file), { recursive: true, mode: 0o700 });
      writeFileSync(next, `${JSON.stringify(all)}\n`, { mode: 0o600 });
      renameSync(next, this.#file);
    } catch (thrown) {
      throw new Error(
        `cannot keep the progress in ${this.#file}: ${messageOf(thrown)}; --state says where to`,
        { cause: thrown },
      );
    }
  }
}
