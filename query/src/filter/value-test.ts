/** A condition on one value of a field, as UTF-8 bytes. */
export interface ValueTest {
  readonly cost: number;
  /** Bytes that every matching value contains, at least one; undefined: none are known. */
  readonly needle: Buffer | undefined;
  /** More that every matching value contains, in no order; none of it is empty. */
  readonly others: readonly Buffer[];
  /** Words that every matching value has, for token filters. */
  readonly tokens: readonly string[];
  /** Whether the empty value, and so a row without the field, matches. */
  readonly matchesEmpty: boolean;
  /**
   * Whether the value `bytes[from … to]`, which is not empty, matches. With a needle it is asked for an occurrence at `at`
   * that lies in the value; without one, `at` is `from`.
   */
  matches(bytes: Buffer, from: number, to: number, at: number): boolean;
  /** Whether the first occurrence of the needle decides; else each is asked until one matches. */
  readonly decidesAtFirst: boolean;
  /** Whether a value matches when a piece of it does, cut out where no word is cut. */
  readonly piecesDecide: boolean;
  /** Whether no word goes on before an occurrence of the needle, or behind it. */
  readonly bindsStart?: boolean;
  readonly bindsEnd?: boolean;
  /** Whether what matches lies within one word, so that no match is in two such pieces. */
  readonly isInWord: boolean;
}
