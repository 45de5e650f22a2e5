import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";

/** One run of a job that had something wrong. */
export interface Failure {
  readonly job: string;
  readonly seed: number;
  /** When, in RFC 3339. */
  readonly at: string;
  /** A shell command that runs the same again. */
  readonly again: string;
}

/** What is known of one job from all runs of soak in this checkout. */
export interface JobRecord {
  /** Runs that came to their end, and the seed of each. */
  readonly seeds: readonly number[];
  /** The seed of a run that time cut off: the next run draws none and takes it. */
  readonly unfinished?: number;
}

interface Content {
  readonly version: 1;
  readonly jobs: Readonly<Record<string, JobRecord>>;
  readonly failures: readonly Failure[];
}

/** Failures that are kept; the oldest go. */
const failuresMax = 1_000;

/** What soak has done so far, in a file, so that the next run goes on where this one ends. */
export class Ledger {
  readonly #file: string;
  #content: Content;

  /** Opens the file or begins a new one. Throws when the file is not one of ours. */
  constructor(file: string) {
    this.#file = file;
    this.#content = read(file);
  }

  get failures(): readonly Failure[] {
    return this.#content.failures;
  }

  job(name: string): JobRecord {
    return this.#content.jobs[name] ?? { seeds: [] };
  }

  /** A run begins: should it be cut off, its seed is there. */
  began(job: string, seed: number): void {
    this.#set(job, { seeds: this.job(job).seeds, unfinished: seed });
  }

  ended(job: string, seed: number): void {
    this.#set(job, { seeds: [...this.job(job).seeds, seed] });
  }

  failed(failure: Failure): void {
    const failures = [...this.#content.failures, failure].slice(-failuresMax);
    this.#content = { ...this.#content, failures };
    this.#write();
  }

  #set(job: string, record: JobRecord): void {
    this.#content = { ...this.#content, jobs: { ...this.#content.jobs, [job]: record } };
    this.#write();
  }

  #write(): void {
    mkdirSync(path.dirname(this.#file), { recursive: true });
    const draft = `${this.#file}.new`;
    writeFileSync(draft, `${JSON.stringify(this.#content)}\n`);
    renameSync(draft, this.#file);
  }
}

function read(file: string): Content {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== "ENOENT") throw thrown;
    return { version: 1, jobs: {}, failures: [] };
  }
  const content = JSON.parse(text) as Content;
  if (content.version !== 1) throw new Error(`${file} is of another version; remove it`);
  return content;
}
