/**
 * The layout of a batch, version 1; all numbers little-endian (the hosts Node runs on), all positions
 * in bytes from the batch's start, which is 8-aligned in memory.
 *
 *   header · times (f64 ms) · ns (u32) · stream codes · stream offsets and texts · column directory ·
 *   names · column data; each section starts 8-aligned, the whole is a multiple of 8
 */
export const batchMagic = 0x31424b4c; // "LKB1"

/** Byte positions of the header's fields. */
export const at = {
  magic: 0, // u32
  byteLength: 4, // u32
  crc: 8, // u32, of everything from `flags` to the end
  flags: 12, // u32
  rowCount: 16, // u32
  streamCount: 20, // u32
  columnCount: 24, // u32
  tenantLength: 28, // u32
  receiptMs: 32, // f64
  timeMinMs: 40, // f64
  timeMaxMs: 48, // f64
  timeMinNs: 56, // u32
  timeMaxNs: 60, // u32
  classLength: 64, // u32
  nsAt: 68, // u32, 0: none
  streamCodesAt: 72, // u32, 0: none
  streamsAt: 76, // u32: u32 offsets[streamCount + 1], then texts
  directoryAt: 80, // u32
  namesAt: 84, // u32: tenant, class, then field names
  namesLength: 88, // u32
} as const;

export const headerBytes = 96;

/** Logkeep's own records, such as `_rejected`. */
export const flagInternal = 1;
/** Stream codes are u16 instead of u8. */
export const flagWideStreams = 2;

/** One column in the directory: u32 each. */
export const columnEntry = {
  nameAt: 0, // from `namesAt`
  nameLength: 4,
  kind: 8,
  /** Values: of a dictionary, or present ones of a sparse column, or the rows. */
  count: 12,
  /** u32 offsets[count + 1] of the values; 0 for a constant. */
  offsetsAt: 16,
  bytesAt: 20,
  bytesLength: 24,
  /** dict: u8 codes of each row; sparse: u16 row of each value; else 0. */
  indexAt: 28,
} as const;

export const columnEntryBytes = 32;

export const columnKind = { const: 0, rows: 1, dict: 2, sparse: 3 } as const;

export function align8(position: number): number {
  return (position + 7) & ~7;
}
