import { documentFields } from "./field-name.ts";
import { deadLetterIndex } from "./index-name.ts";

/** An index template and what it is called; the body of `PUT /_index_template/NAME`. */
export interface IndexTemplate {
  readonly name: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Names of the analyzer of words and of the tokenizer that it is made of. */
export const wordsAnalyzer = "logkeep_words";

/** Characters of a value beyond which it is not in `FIELD.exact`: 4 bytes each stay below Lucene's bound. */
export const exactLengthMax = 8191;

/**
 * Code points of a word beyond which it goes on as another one: Lucene refuses terms of more than 32,766 bytes, and
 * with them the whole document. A value with a longer word is itself one that is not in `FIELD.exact`, so that
 * queries know of it.
 */
export const wordLengthMax: number = exactLengthMax;

/**
 * Fields of an index, each text counting as two. Further ones are in documents, and cannot be searched. Records
 * have up to 1,000 fields, so that the default of 1,000 would be used up by one of them.
 */
const indexFieldsMax = 10_000;

/** Above what Elasticsearch's own templates have (100 to 200), for names such as `logs-…`. */
const priorityBase = 500;

/**
 * The templates that indices of a prefix are made by. A longer prefix has the higher priority: two Logkeeps with
 * `logs` and `logs-b` may share a cluster, although the names of the second match the pattern of the first.
 */
export function indexTemplates(prefix: string): readonly IndexTemplate[] {
  return [recordsTemplate(prefix), deadLettersTemplate(prefix)];
}

function recordsTemplate(prefix: string): IndexTemplate {
  const settings = {
    index: {
      number_of_shards: 1,
      // None on a single node, which else would never be green.
      auto_expand_replicas: "0-1",
      refresh_interval: "5s",
      mapping: {
        total_fields: { limit: indexFieldsMax, ignore_dynamic_beyond_limit: true },
        ignore_malformed: true,
      },
    },
    analysis: {
      tokenizer: { [wordsAnalyzer]: { type: "pattern", pattern: wordPattern, group: 0 } },
      analyzer: { [wordsAnalyzer]: { type: "custom", tokenizer: wordsAnalyzer } },
    },
  };
  return {
    name: prefix,
    body: {
      index_patterns: [`${prefix}-*`],
      priority: priorityBase + 2 * prefix.length,
      _meta: { description: "Records that Logkeep mirrors; one index for each tenant and day" },
      template: { settings, mappings: recordMappings },
    },
  };
}

/** Words as `kit/src/tokens.ts` has them: ASCII letters, digits, `_`, and whatever is not ASCII; case is kept. */
const wordPattern = `[\\w\\x{80}-\\x{10FFFF}]{1,${wordLengthMax}}`;

const keyword = { type: "keyword" };

const recordMappings = {
  // A field `a` and another `a.b` may be in one record: names are names, and not paths.
  subobjects: false,
  date_detection: false,
  numeric_detection: false,
  properties: {
    [documentFields.timestamp]: { type: "date_nanos" },
    [documentFields.time]: { type: "keyword", index: false },
    [documentFields.tenant]: keyword,
    [documentFields.stream]: keyword,
    [documentFields.position]: { type: "long" },
  },
  dynamic_templates: [
    {
      values: {
        match_mapping_type: "string",
        mapping: {
          type: "text",
          analyzer: wordsAnalyzer,
          norms: false,
          fields: { exact: { type: "keyword", ignore_above: exactLengthMax } },
        },
      },
    },
  ],
} as const;

function deadLettersTemplate(prefix: string): IndexTemplate {
  const index = deadLetterIndex(prefix);
  const settings = { index: { number_of_shards: 1, auto_expand_replicas: "0-1" } };
  const mappings = {
    dynamic: false,
    properties: {
      "@timestamp": { type: "date" },
      target: keyword,
      id: keyword,
      reason: { type: "text" },
      // Kept as it was to be stored, and not looked into: that is what failed.
      document: { type: "keyword", index: false, doc_values: false },
    },
  };
  return {
    name: index,
    body: {
      index_patterns: [index],
      priority: priorityBase + 2 * prefix.length + 1,
      _meta: { description: "Records that Elasticsearch refused, as Logkeep wanted to store them" },
      template: { settings, mappings },
    },
  };
}
