import type { Settings } from "../../config/src/schema.ts";
import type { RetentionRule } from "../../ingest/src/retention/rules.ts";
import { messageOf, ServiceError } from "../../kit/src/errors.ts";
import { compileFilter } from "../../query/src/filter/compile.ts";
import type { FilterNode } from "../../query/src/language/ast.ts";
import { mapFilter } from "../../query/src/language/map-filter.ts";
import { parseFilter } from "../../query/src/language/parse.ts";
import { printFilter } from "../../query/src/language/print-filter.ts";
import { retentionClassOf } from "../../storage/src/shard/retention-class.ts";

type RuleSettings = Settings["storage"]["retention"]["rules"];

/**
 * The rules of `storage.retention.rules`, each with the class of what it matches. Throws `config.invalid`, naming the
 * rule, for a filter that cannot be read, or that asks what is not known when a record comes.
 */
export function retentionRules(rules: RuleSettings): readonly RetentionRule[] {
  return rules.map(({ tenant, filter: text, days }, at) => {
    const place = `storage.retention.rules[${at}].filter`;
    const filter = filterOf(text, place);
    mapFilter(filter, (leaf) => checked(leaf, place));
    // A pattern that is no regular expression is found here and not in a worker.
    told(place, () => compileFilter(filter));
    return { tenant, filter, retentionClass: retentionClassOf(days) };
  });
}

function filterOf(text: string, place: string): FilterNode {
  return told(place, () => parseFilter(text));
}

/** Names the setting where reading its text fails. */
function told<Result>(place: string, work: () => Result): Result {
  try {
    return work();
  } catch (thrown) {
    if (!(thrown instanceof ServiceError)) throw thrown;
    const { line, column, near, expected } = thrown.fields;
    const at = column === undefined ? "" : ` at line ${line}, column ${column}, near ${near}`;
    const wanted = expected === undefined ? "" : `; expected: ${expected}`;
    throw refusal(place, `${messageOf(thrown)}${at}${wanted}`);
  }
}

/** Virtual fields that are no text of the record itself. */
const virtualFields: ReadonlySet<string> = new Set(["_time", "_stream", "_stream_id"]);

function checked(leaf: FilterNode, place: string): FilterNode {
  const text = printFilter(leaf).slice(0, 100);
  switch (leaf.kind) {
    case "time":
    case "dayRange":
    case "weekRange":
      throw refusal(place, `a rule cannot ask for the time: ${text}`);
    case "subquery":
      throw refusal(place, `a rule cannot hold a query: ${text}`);
    case "valueType":
      throw refusal(place, `how a value is stored is not known when a record comes: ${text}`);
    default:
      break;
  }
  const fields = [
    ...("field" in leaf ? [leaf.field] : []),
    ...("other" in leaf ? [leaf.other] : []),
  ];
  const virtual = fields.find((field) => virtualFields.has(field));
  if (virtual === undefined) return leaf;
  const hint = virtual === "_stream" ? '; use a selector as {service="api"}' : "";
  throw refusal(place, `a rule cannot ask for ${virtual}${hint}: ${text}`);
}

function refusal(place: string, message: string): ServiceError {
  return new ServiceError("config.invalid", `${place}: ${message}`);
}
