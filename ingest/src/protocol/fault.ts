/**
 * What is wrong with the input, thrown inside a decoder. There is one for each reader, thrown again and
 * again: taking a stack for each bad record would let bad records cost a hundred times a good one.
 */
export class DecodeFault extends Error {
  override readonly name = "DecodeFault";
  reason = "";
  /** The position in the source. */
  at = 0;
  /** True for a limit that one record passes: what follows it can be read. */
  isOfRecord = false;

  set(reason: string, at: number, isOfRecord = false): this {
    this.reason = reason;
    this.at = at;
    this.isOfRecord = isOfRecord;
    return this;
  }
}

/** A body that cannot be read as a whole: nothing of it is stored. */
export class BodyFault extends Error {
  override readonly name = "BodyFault";
  readonly kind: "malformed" | "too-large";
  /** The line, counted from 1, where the protocol has lines. */
  readonly line: number | undefined;

  constructor(reason: string, line?: number, kind: "malformed" | "too-large" = "malformed") {
    super(reason);
    this.kind = kind;
    this.line = line;
  }
}
