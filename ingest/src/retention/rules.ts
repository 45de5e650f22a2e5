import { hash } from "node:crypto";
import type { FilterNode } from "../../../query/src/language/ast.ts";
import type { FieldNames } from "../../../storage/src/format/field-names.ts";
import type { RecordFields } from "../protocol/record.ts";
import type { StreamEntry } from "../routing/stream-table.ts";
import { type RecordTest, recordTest } from "./record-test.ts";
import { RecordValues } from "./record-values.ts";

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
  readonly #values: RecordValues;

  private constructor(rules: readonly RetentionRule[], names: FieldNames) {
    this.classes = [...new Set(rules.map(({ retentionClass }) => retentionClass))];
    this.#values = new RecordValues(names);
    this.#rules = rules.map(({ filter, retentionClass }) =>
      compiled(filter, this.classes.indexOf(retentionClass), this.#values),
    );
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
    this.#values.set(entry.text, record, bytes);
    const candidates = this.#candidates.get(entry) ?? this.#candidatesOf(entry);
    for (const { classIndex, test } of candidates) {
      if (test === undefined || test()) return classIndex;
    }
    return -1;
  }

  #candidatesOf(entry: StreamEntry): readonly Candidate[] {
    const candidates: Candidate[] = [];
    for (const { classIndex, stream, fields } of this.#rules) {
      if (stream !== undefined && !stream()) continue;
      candidates.push({ classIndex, test: fields });
      // What comes after a rule that takes all of the stream is never asked.
      if (fields === undefined) break;
    }
    this.#candidates.set(entry, candidates);
    return candidates;
  }
}

interface CompiledRule {
  readonly classIndex: number;
  /** What asks only for the stream, and the rest. Undefined: matches everything. */
  readonly stream: RecordTest | undefined;
  readonly fields: RecordTest | undefined;
}

interface Candidate {
  readonly classIndex: number;
  /** Undefined: every record of the stream matches. */
  readonly test: RecordTest | undefined;
}

function compiled(filter: FilterNode, classIndex: number, values: RecordValues): CompiledRule {
  const parts = filter.kind === "and" ? filter.parts : [filter];
  return {
    classIndex,
    stream: allOf(parts.filter(isOfStream), values),
    fields: allOf(
      parts.filter((part) => !isOfStream(part)),
      values,
    ),
  };
}

function allOf(parts: readonly FilterNode[], values: RecordValues): RecordTest | undefined {
  if (parts.length === 0) return undefined;
  const [only] = parts;
  return recordTest(parts.length === 1 && only ? only : { kind: "and", parts }, values);
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
