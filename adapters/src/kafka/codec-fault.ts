/** Compressed records that cannot be read. */
export class CodecFault extends Error {
  override readonly name = "CodecFault";
}
