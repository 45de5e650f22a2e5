import type { SourceRange } from "./append.ts";
import { sourcesMax } from "./limits.ts";

/** Up to where a shard has stored a source. */
export interface SourceEnd {
  readonly source: string;
  readonly through: bigint;
}

/** The ends of inboxes and queue partitions at one shard, kept for ever. */
export class SourceTable {
  /** With what is appended and not committed yet: the next range must go on there. */
  readonly #appended = new Map<string, bigint>();
  /** What a checkpoint at the committed position says. */
  readonly #committed = new Map<string, bigint>();

  get isFull(): boolean {
    return this.#appended.size >= sourcesMax;
  }

  has(source: string): boolean {
    return this.#appended.has(source);
  }

  /** 0n before the first. */
  endOf(source: string): bigint {
    return this.#appended.get(source) ?? 0n;
  }

  committedEndOf(source: string): bigint | undefined {
    return this.#committed.get(source);
  }

  /** Whether the range goes on exactly where the shard's knowledge of the source ends. */
  continues(range: SourceRange): boolean {
    const isOrdered = range.from > range.previous && range.through >= range.from;
    return isOrdered && range.previous === this.endOf(range.source);
  }

  appended({ source, through }: SourceEnd): void {
    this.#appended.set(source, through);
  }

  committed({ source, through }: SourceEnd): void {
    this.#committed.set(source, through);
  }

  snapshot(): SourceEnd[] {
    return [...this.#committed].map(([source, through]) => ({ source, through }));
  }

  restore(ends: readonly SourceEnd[]): void {
    for (const end of ends) {
      this.appended(end);
      this.committed(end);
    }
  }
}
