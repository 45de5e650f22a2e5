import type { FilterNode } from "../../../../query/src/language/ast.ts";
import type { WorkerPlan } from "../../../../query/src/plan/plan.ts";
import { documentField, documentFields, exactSuffix } from "../field-name.ts";
import { allClauses, anyClause, type Clause, type Narrowed, negated } from "./clause.ts";
import { countedKeys } from "./counted-keys.ts";

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

/** The fields whose indexed values a plan rests on, where Elasticsearch answers for it. */
export function fieldsAskedOf({ filter, sink }: WorkerPlan): ReadonlySet<string> {
  const fields = new Set<string>();
  addFields(filter, fields);
  if (sink.kind === "gather") {
    for (const { field } of countedKeys(sink.pipe) ?? []) fields.add(field);
  }
  return fields;
}

function addFields(node: FilterNode, fields: Set<string>): void {
  if (node.kind === "and" || node.kind === "or") {
    for (const part of node.parts) addFields(part, fields);
  } else if (node.kind === "not") addFields(node.part, fields);
  else if ("field" in node) fields.add(node.field);
}

/** The documents that have values of these fields which are not indexed whole. */
export function ignoredOf(fields: ReadonlySet<string>): Clause {
  const places = new FieldPlaces(true);
  const names = [...fields].flatMap((field) => {
    const place = places.of(field);
    return place === undefined ? [] : [place.words, place.exact];
  });
  return names.length === 0 ? "none" : { terms: { _ignored: names } };
}

/** The documents with a field that their index does not know: not one whose value is too long, but the field itself. */
export const hasUnknownFields: Clause = {
  regexp: { _ignored: { value: `@&~(.*\\${exactSuffix})`, flags: "ALL" } },
};
