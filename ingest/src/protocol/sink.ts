import type { LineShape } from "./line-shapes.ts";
import type { RecordFields } from "./record.ts";

/**
 * Where a decoder puts what it has read. It calls `begin`, fills `record`, then `accept`, or `reject` where
 * the record cannot be read.
 */
export interface RecordSink {
  readonly record: RecordFields;
  /** Ids of the names that decoders put themselves. */
  readonly msgId: number;
  idOf(name: string): number;
  begin(): void;
  /**
   * Takes the record; undefined, or why it was rejected after all. `line` counts from 1; the record as
   * it was sent lies at `rawStart … rawEnd` of the source.
   */
  accept(line: number, rawStart: number, rawEnd: number): string | undefined;
  /** As `accept`, for a record whose values lie in the slots of `record`, and whose names are those of a shape. */
  acceptLine(
    shape: LineShape,
    valueBytes: number,
    line: number,
    rawStart: number,
    rawEnd: number,
  ): string | undefined;
  reject(line: number, reason: string, rawStart: number, rawEnd: number): void;
  /** Why a record of so many bytes as it was sent is rejected; undefined when it is not. */
  tooLong(rawBytes: number): string | undefined;
  /** The records until the next call belong to the stream of these labels, unless the request names fields. */
  setLabels(labels: readonly (readonly [string, string])[] | undefined): void;
  /** The records until the next call have this field too, over what they say; its slice must stay that long. */
  setOwn(field: OwnField | undefined): void;
  /** Keeps what scratch holds for the records to come; returns the mark that `unpin` goes back to. */
  pin(): number;
  unpin(mark: number): void;
}

/** A field that a record gets from outside: its value is a slice of the source. */
export interface OwnField {
  readonly nameId: number;
  readonly start: number;
  readonly end: number;
}
