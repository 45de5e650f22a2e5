import { JuteReader } from "./reader.ts";
import { TxnEntry } from "./txns.ts";

/**
 * A txn on its way: the bytes that lie in a log record and in a proposal, the same all the way. They are parsed
 * once, when the txn is applied.
 */
export class TxnBytes {
  readonly bytes: Buffer;
  #entry: TxnEntry | undefined;

  /** `bytes` are kept, so they must be the txn's own; `entry` is what they say, where that is known. */
  constructor(bytes: Buffer, entry?: TxnEntry) {
    this.bytes = bytes;
    this.#entry = entry;
  }

  /** Throws a `WireError` when the bytes are no txn. */
  get entry(): TxnEntry {
    this.#entry ??= TxnEntry.read(new JuteReader(this.bytes));
    return this.#entry;
  }

  /** Forgets the parsed form: an applied txn is kept for learners that are behind, as bytes. */
  forget(): void {
    this.#entry = undefined;
  }
}
