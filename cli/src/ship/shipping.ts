import { createHash, randomUUID } from "node:crypto";
import type { Readable } from "node:stream";
import { messageOf } from "../../../kit/src/errors.ts";
import { pause } from "../../../kit/src/pause.ts";
import { CliExit } from "../io.ts";
import type { FormatName } from "./format/detect.ts";
import { pollMs } from "./limits.ts";
import { type Batch, origin, Pipeline, type Position } from "./pipeline.ts";
import type { Sender } from "./sender.ts";
import { OpenFile, type Piece, pieces } from "./source.ts";
import { noProgressStore, type Progress, type ProgressStore } from "./state.ts";

/** How the sources of one run are read and where their records go. */
export interface ShippingOptions {
  readonly sender: Sender;
  readonly store: ProgressStore;
  readonly format: FormatName | "auto";
  readonly continues: ((line: string) => boolean) | undefined;
  /** Parameters of the request for a source; `file` is its path, if it has one. */
  readonly paramsOf: (
    file: string | undefined,
    timeField: string,
    msgField: string,
  ) => Record<string, string>;
  /** Whatever else makes the stored records different: part of the name under which progress is kept. */
  readonly variant: string;
  readonly signal: AbortSignal;
  /** Called with a file while it is read. */
  readonly onOpen: (file: OpenFile) => void;
}

/** Ships a pipe to its end. What is sent is never sent twice, but it cannot be resumed. */
export async function shipPipe(stream: Readable, options: ShippingOptions): Promise<void> {
  const source = new Source(options, noProgressStore, {
    name: "stdin",
    label: "stdin",
    file: undefined,
    referenceMs: Date.now(),
    progress: freshProgress(randomUUID(), { bytes: 0, hash: "" }),
  });
  for await (const piece of pieces(stream, options.signal)) await source.take(piece);
  await source.end();
}

/** Ships a file from where an earlier run stopped to its end, and forgets it once all is stored. */
export async function shipFile(path: string, options: ShippingOptions): Promise<void> {
  const file = await OpenFile.open(path);
  try {
    options.onOpen(file);
    const source = await sourceOf(file, options);
    for await (const bytes of named(file, file.read(source.startOffset, options.signal))) {
      await source.take(bytes);
    }
    if (options.signal.aborted) throw new CliExit(1, "interrupted");
    await source.end();
    await options.sender.idle();
    source.forget();
  } finally {
    await file.close();
  }
}

/** Ships what a file holds and what is added to it, over rotations, until the signal comes. */
export async function followFile(path: string, options: ShippingOptions): Promise<void> {
  while (!options.signal.aborted) {
    const file = await openWhenThere(path, options.signal);
    if (file === undefined) return;
    try {
      options.onOpen(file);
      await followOpened(file, options);
    } finally {
      await file.close();
    }
  }
}

async function followOpened(file: OpenFile, options: ShippingOptions): Promise<void> {
  if (file.compression !== "none")
    throw new Error(`${file.path} is compressed and cannot be followed`);
  const source = await sourceOf(file, options);
  const iterator = file.follow(source.startOffset, options.signal);
  for (;;) {
    const { done, value } = await iterator.next();
    if (done !== true) {
      await source.take(value);
      continue;
    }
    // Interrupted: a line without its end stays for the next run.
    if (value === "stopped") return await source.take("idle");
    await source.end();
    await options.sender.idle();
    source.forget();
    return;
  }
}

/** The pieces of a file; what keeps it from being read is told with its name. */
async function* named(
  file: OpenFile,
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks;
  } catch (thrown) {
    throw new CliExit(1, `cannot read ${file.path} to its end: ${messageOf(thrown)}`);
  }
}

async function openWhenThere(path: string, signal: AbortSignal): Promise<OpenFile | undefined> {
  while (!signal.aborted) {
    try {
      return await OpenFile.open(path);
    } catch (thrown) {
      // Between two files of a rotation there is none for a moment, or it is not yet readable.
      if ((thrown as NodeJS.ErrnoException).code !== "ENOENT") throw thrown;
    }
    if (await pause(pollMs, signal)) break;
  }
  return undefined;
}

async function sourceOf(file: OpenFile, options: ShippingOptions): Promise<Source> {
  const { dev, ino, mtimeMs, size } = file.stats;
  const name = digest(`${dev} ${ino} ${options.variant}`);
  const kept = options.store.load(name);
  const head = await file.head(kept?.head.bytes);
  // The inode may have gone to another file, or the file may have been cut and written anew.
  const isSame =
    kept !== undefined &&
    kept.head.hash === head.hash &&
    (file.compression !== "none" || kept.done.offset <= size);
  const start = isSame ? head : await file.head();
  const progress = isSame ? kept : freshProgress(digest(`${name} ${start.hash}`), start);
  // The times of a file without years were written before its last change.
  return new Source(options, options.store, {
    name,
    label: file.path,
    file: file.path,
    referenceMs: mtimeMs,
    progress,
  });
}

interface SourceFacts {
  readonly name: string;
  readonly label: string;
  readonly file: string | undefined;
  readonly referenceMs: number;
  readonly progress: Progress;
}

/** A source on its way: cuts batches, hands them on, and keeps what has been stored. */
class Source {
  readonly #options: ShippingOptions;
  readonly #store: ProgressStore;
  readonly #facts: SourceFacts;
  readonly #pipeline: Pipeline;
  /** Ends of batches, in order, each with whether it is stored. */
  readonly #pending: { readonly end: Position; isStored: boolean }[] = [];
  #done: Position;

  constructor(options: ShippingOptions, store: ProgressStore, facts: SourceFacts) {
    this.#options = options;
    this.#store = store;
    this.#facts = facts;
    this.#done = facts.progress.done;
    this.#pipeline = new Pipeline({
      format: options.format,
      choice: facts.progress.format,
      continues: options.continues,
      start: this.#done,
      cuts: facts.progress.pending.map(({ offset }) => offset),
      context: { referenceMs: facts.referenceMs },
    });
  }

  get startOffset(): number {
    return this.#done.offset;
  }

  async take(piece: Piece): Promise<void> {
    const batches = piece === "idle" ? this.#pipeline.flush() : this.#pipeline.push(piece);
    for (const batch of batches) await this.#send(batch);
  }

  /** Sends everything that is left, and a last line without a line feed. */
  async end(): Promise<void> {
    for (const batch of this.#pipeline.end()) await this.#send(batch);
  }

  forget(): void {
    this.#store.remove(this.#facts.name);
  }

  async #send(batch: Batch): Promise<void> {
    const entry = { end: batch.end, isStored: false };
    this.#pending.push(entry);
    // Kept before it is sent: a run that is killed now cuts the same batch again, under the same key.
    this.#save();
    const { timeField = "_time", msgField = "_msg" } = this.#pipeline.choice ?? {};
    await this.#options.sender.send({
      batch,
      id: this.#facts.progress.id,
      label: this.#facts.label,
      params: this.#options.paramsOf(this.#facts.file, timeField, msgField),
      onStored: () => {
        entry.isStored = true;
        this.#advance();
      },
    });
  }

  #advance(): void {
    const before = this.#done;
    while (this.#pending[0]?.isStored === true)
      this.#done = this.#pending.shift()?.end ?? this.#done;
    if (this.#done !== before) this.#save();
  }

  #save(): void {
    const { id, head, pending } = this.#facts.progress;
    // Cuts of the earlier run that this one has not come to yet stay cuts.
    const reached = (this.#pending.at(-1)?.end ?? this.#done).offset;
    const ahead = pending.filter(({ offset }) => offset > reached);
    this.#store.save(this.#facts.name, {
      version: 1,
      id,
      head,
      ...(this.#pipeline.choice === undefined ? {} : { format: this.#pipeline.choice }),
      done: this.#done,
      pending: [...this.#pending.map(({ end }) => end), ...ahead],
    });
  }
}

function freshProgress(id: string, head: Progress["head"]): Progress {
  return { version: 1, id, head, done: origin, pending: [] };
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}
