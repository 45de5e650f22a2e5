import { hash } from "node:crypto";
import { compileFilter } from "../../../query/src/filter/compile.ts";
import type { Filter } from "../../../query/src/filter/filter.ts";
import { RowSet } from "../../../query/src/filter/row-set.ts";
import type { FilterNode } from "../../../query/src/language/ast.ts";
import type { FieldNames } from "../../../storage/src/format/field-names.ts";
import type { RecordFields } from "../protocol/record.ts";
import type { StreamEntry } from "../routing/stream-table.ts";
import { RecordBlock } from "./record-block.ts";

/** Which records are kept for how long. Plain data, the same in every worker. */
export interface RetentionRule {
  /** Undefined: of every tenant. */
  readonly tenant: string | undefined;
  /** Asks nothing but a record's stream and fields. */
  readonly filter: FilterNode;
  /** The retention class of what matches. */
  readonly retentionClass: string;
}

/** Differs for rules that may class records otherwise; "" for none. */
export function rulesVersion(rules: readonly RetentionRule[]): string {
  return rules.length === 0 ? "" : hash("sha256", JSON.stringify(rules)).slice(0, 12);
}

/** The rules that concern one tenant, asked for each of its records. */
export class TenantRules {
  /** The classes that there are, each once, without the one of records that no rule matches. */
  readonly classes: readonly string[];
  readonly #rules: readonly CompiledRule[];
  /** Of each stream the rules that its records may match, in order. */
  #candidates = new WeakMap<StreamEntry, readonly Candidate[]>();
  readonly #block: RecordBlock;
  readonly #row = new RowSet(1);

  private constructor(rules: readonly RetentionRule[], names: FieldNames) {
    this.classes = [...new Set(rules.map(({ retentionClass }) => retentionClass))];
    this.#rules = rules.map((rule) => compiled(rule, this.classes.indexOf(rule.retentionClass)));
    this.#block = new RecordBlock(names);
  }

  /** Undefined when no rule is about the tenant. */
  static of(
    rules: readonly RetentionRule[],
    tenant: string,
    names: FieldNames,
  ): TenantRules | undefined {
    const own = rules.filter((rule) => rule.tenant === undefined || rule.tenant === tenant);
    return own.length === 0 ? undefined : new TenantRules(own, names);
  }

  /** The index in `classes` by the first rule that matches, −1 when none does. `bytes` holds the record's values. */
  classOf(entry: StreamEntry, record: RecordFields, bytes: Buffer): number {
    const candidates = this.#candidates.get(entry) ?? this.#candidatesOf(entry, record, bytes);
    for (const { classIndex, filter } of candidates) {
      if (filter === undefined || this.#matches(filter, entry, record, bytes)) return classIndex;
    }
    return -1;
  }

  #candidatesOf(entry: StreamEntry, record: RecordFields, bytes: Buffer): readonly Candidate[] {
    const candidates: Candidate[] = [];
    for (const { classIndex, stream, fields } of this.#rules) {
      if (stream !== undefined && !this.#matches(stream, entry, record, bytes)) continue;
      candidates.push({ classIndex, filter: fields });
      // What comes after a rule that takes all of the stream is never asked.
      if (fields === undefined) break;
    }
    this.#candidates.set(entry, candidates);
    return candidates;
  }

  #matches(filter: Filter, entry: StreamEntry, record: RecordFields, bytes: Buffer): boolean {
    this.#block.set(entry.text, record, bytes);
    this.#row.fill();
    filter.narrow(this.#block, this.#row);
    return !this.#row.isEmpty;
  }
}

interface CompiledRule {
  readonly classIndex: number;
  /** What asks only for the stream, and the rest. Undefined: matches everything. */
  readonly stream: Filter | undefined;
  readonly fields: Filter | undefined;
}

interface Candidate {
  readonly classIndex: number;
  /** Undefined: every record of the stream matches. */
  readonly filter: Filter | undefined;
}

function compiled({ filter }: RetentionRule, classIndex: number): CompiledRule {
  const parts = filter.kind === "and" ? filter.parts : [filter];
  return {
    classIndex,
    stream: allOf(parts.filter(isOfStream)),
    fields: allOf(parts.filter((part) => !isOfStream(part))),
  };
}

function allOf(parts: readonly FilterNode[]): Filter | undefined {
  if (parts.length === 0) return undefined;
  return compileFilter(parts.length === 1 ? (parts[0] as FilterNode) : { kind: "and", parts });
}

/** Whether every record of a stream gets the same answer. */
function isOfStream(node: FilterNode): boolean {
  switch (node.kind) {
    case "any":
    case "stream":
      return true;
    case "and":
    case "or":
      return node.parts.every(isOfStream);
    case "not":
      return isOfStream(node.part);
    default:
      return false;
  }
}
