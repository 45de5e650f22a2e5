import type { estypes } from "@elastic/elasticsearch";

/** A condition in the terms of Elasticsearch; `all` and `none` are kept apart, so that they vanish when they are joined. */
export type Clause = "all" | "none" | estypes.QueryDslQueryContainer;

/**
 * What Elasticsearch can say of a condition of ours: `may` finds each record that matches, and perhaps
 * others; `must` finds only records that match, and perhaps not all. Where both are one and the
 * same clause, it is the condition itself.
 */
export interface Narrowed {
  readonly may: Clause;
  readonly must: Clause;
}

export const everything: Narrowed = { may: "all", must: "all" };
export const nothing: Narrowed = { may: "none", must: "none" };
/** Nothing is known: each record has to be looked at. */
export const unknown: Narrowed = { may: "all", must: "none" };

/** A clause that says exactly what is meant. */
export function exactly(clause: Clause): Narrowed {
  return { may: clause, must: clause };
}

/** A clause that finds all that is meant, and more. */
export function atMost(clause: Clause): Narrowed {
  return { may: clause, must: "none" };
}

export function isExact({ may, must }: Narrowed): boolean {
  return may === must;
}

export function allOf(parts: readonly Narrowed[]): Narrowed {
  return joined(parts, allClauses);
}

export function anyOf(parts: readonly Narrowed[]): Narrowed {
  return joined(parts, anyClause);
}

/** What surely matches is surely left out, and what may match may be. */
export function noneOf(part: Narrowed): Narrowed {
  const may = negated(part.must);
  return isExact(part) ? { may, must: may } : { may, must: negated(part.may) };
}

function joined(
  parts: readonly Narrowed[],
  join: (clauses: readonly Clause[]) => Clause,
): Narrowed {
  const may = join(parts.map((part) => part.may));
  if (parts.every(isExact)) return { may, must: may };
  return { may, must: join(parts.map((part) => part.must)) };
}

export function allClauses(clauses: readonly Clause[]): Clause {
  if (clauses.includes("none")) return "none";
  const filter = clauses.filter((clause) => clause !== "all").filter((clause) => clause !== "none");
  if (filter.length === 0) return "all";
  return filter.length === 1 ? (filter[0] as Clause) : { bool: { filter } };
}

export function anyClause(clauses: readonly Clause[]): Clause {
  if (clauses.includes("all")) return "all";
  const should = clauses.filter((clause) => clause !== "none").filter((clause) => clause !== "all");
  if (should.length === 0) return "none";
  if (should.length === 1) return should[0] as Clause;
  return { bool: { should, minimum_should_match: 1 } };
}

export function negated(clause: Clause): Clause {
  if (clause === "all") return "none";
  if (clause === "none") return "all";
  return { bool: { must_not: [clause] } };
}

/** The clause as it is sent. */
export function containerOf(clause: Clause): estypes.QueryDslQueryContainer {
  if (clause === "all") return { match_all: {} };
  return clause === "none" ? { match_none: {} } : clause;
}
