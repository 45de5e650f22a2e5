import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import type { AlertEntry } from "../../../alerts/src/entry.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import {
  journalAppendBytesMax,
  journalBatchBytesMax,
  journalPieceBytes,
  journalPlainBytesMax,
  journalRowsMax,
} from "./limits.ts";

/** The fields of a record of the journal beside its stream and time. */
export interface JournalRow {
  /** An entry as JSON, or a piece of a packed list of entries. */
  readonly _msg: string;
  /** Of a packed list: `number/pieces`, from 1. */
  readonly packed?: string;
}

/** Rows of one append, and the bytes of their texts. */
export interface JournalRows {
  readonly rows: readonly JournalRow[];
  readonly bytes: number;
}

/**
 * Entries as records of one batch. Long ones are packed together (zstd, in base64), and refused when they are too long
 * even so: `alerts.invalid-rule`.
 */
export function rowsOfEntries(entries: readonly AlertEntry[]): JournalRows {
  const texts = entries.map((entry) => JSON.stringify(entry));
  const bytes = texts.reduce((total, text) => total + Buffer.byteLength(text), 0);
  const isShort = bytes <= journalPlainBytesMax && texts.length <= journalRowsMax;
  if (isShort) return { rows: texts.map((_msg) => ({ _msg })), bytes };
  if (bytes > journalAppendBytesMax) throw tooLong(bytes);
  const packed = zstdCompressSync(Buffer.from(`[${texts.join(",")}]`)).toString("base64");
  if (packed.length > journalBatchBytesMax) throw tooLong(bytes);
  const count = Math.ceil(packed.length / journalPieceBytes);
  const rows = Array.from({ length: count }, (_, i) => ({
    _msg: packed.slice(i * journalPieceBytes, (i + 1) * journalPieceBytes),
    packed: `${i + 1}/${count}`,
  }));
  return { rows, bytes: packed.length };
}

/** Puts entries together again from rows in the order in which they were appended. */
export class EntryReader {
  #pieces: string[] = [];

  /** The entries that end with this row. Throws for a row that the journal did not write. */
  take({ _msg, packed }: JournalRow): readonly AlertEntry[] {
    if (packed === undefined) {
      this.#pieces = [];
      return [JSON.parse(_msg) as AlertEntry];
    }
    const [number, count] = packed.split("/").map(Number);
    if (number === 1) this.#pieces = [];
    this.#pieces.push(_msg);
    if (number !== count) return [];
    if (this.#pieces.length !== count) throw new Error("pieces of an entry are missing");
    const bytes = zstdDecompressSync(Buffer.from(this.#pieces.join(""), "base64"));
    this.#pieces = [];
    return JSON.parse(bytes.toString()) as AlertEntry[];
  }
}

function tooLong(bytes: number): ServiceError {
  const what = "the state of a rule with its notifications is too long to be kept";
  return new ServiceError("alerts.invalid-rule", what, { bytes });
}
