/** Templates of a block: more are noise, and their rows are kept as they are. Codes are below 2^15. */
export const templatesMax = 4_096;

/** Bytes of a block's templates together: what reading any of its texts has to unpack. */
export const templateBytesMax = 1 << 20;

/** Variables of a template; a text with more is a list, not a message. */
export const templateVariablesMax = 200;

/** Longer texts are dumps or documents: they share no template. */
export const textBytesMined = 16_384;
