import type { estypes } from "@elastic/elasticsearch";
import { documentField, documentFields, exactSuffix } from "../field-name.ts";
import { allClauses, anyClause, type Narrowed, negated } from "./clause.ts";

/** Where a document's values of one field can be searched. */
export interface FieldPlace {
  /** By words. */
  readonly words: string;
  /** By whole values. */
  readonly exact: string;
  /**
   * The condition as it holds where some documents have values that are not indexed whole: too long, or of
   * a field beyond those that an index takes. Nothing is known of these.
   */
  withIgnored(condition: Narrowed): Narrowed;
}

/** Where a field's whole values are. */
export function exactPlace(field: string): string {
  return documentField(field) + exactSuffix;
}

/** The places of a record's fields. */
export class FieldPlaces {
  readonly #hasIgnored: boolean;

  /** `hasIgnored`: whether any document that is asked for has values that are not indexed. */
  constructor(hasIgnored: boolean) {
    this.#hasIgnored = hasIgnored;
  }

  /** Undefined for what is no field of a record's own. */
  of(field: string): FieldPlace | undefined {
    if (field === documentFields.time || field === documentFields.stream) return undefined;
    const words = documentField(field);
    const exact = exactPlace(field);
    const ignored = { terms: { _ignored: [words, exact] } };
    const withIgnored = ({ may, must }: Narrowed): Narrowed =>
      this.#hasIgnored
        ? { may: anyClause([may, ignored]), must: allClauses([must, negated(ignored)]) }
        : { may, must };
    return { words, exact, withIgnored };
  }
}

/** The documents that have values which are not indexed. */
export const hasIgnoredValues: estypes.QueryDslQueryContainer = { exists: { field: "_ignored" } };
