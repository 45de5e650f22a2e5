/** What was wrong with bytes that could not be decoded. */
export type WireFault =
  | "truncated"
  | "length"
  | "text"
  | "boolean"
  | "trailing"
  | "type"
  | "magic"
  | "version"
  | "checksum"
  | "end-byte"
  | "range";

/** Bytes from a socket or a file that are not what the protocol says. Never our own fault. */
export class WireError extends Error {
  override readonly name = "WireError";
  readonly fault: WireFault;
  /** Offset in the buffer that was being read. */
  readonly offset: number;

  constructor(fault: WireFault, message: string, offset: number) {
    super(message);
    this.fault = fault;
    this.offset = offset;
  }
}
