/**
 * Fields that each document has beside those of its record: the time for dashboards, the time as text exactly as
 * queries print it, the tenant, the canonical text of the stream, and the position of the record's entry in its
 * shard's log, by which records of one stream and time are in the order in which they were stored.
 */
export const documentFields = {
  timestamp: "@timestamp",
  time: "_time",
  tenant: "_tenant",
  stream: "_stream",
  position: "_position",
} as const;

/** The part of each text field that holds its whole value: `level.exact`. */
export const exactSuffix = ".exact";

const escapePrefix = "record.";

/** Fields of records that begin with `_` and are none of Elasticsearch's own. */
const ownNames: ReadonlySet<string> = new Set(["_msg", "_overflow"]);

/**
 * Names that Elasticsearch refuses (its metadata's, empty and blank ones), that documents use themselves, or that
 * are escaped already. Every name with `_` before it: which are metadata depends on plugins and releases.
 */
const escaped = /^(?:_|@timestamp$|record\.|[\s\p{Cc}]*$)/u;

/**
 * The name under which a document has a field of its record: nearly always the same. Different names stay
 * different, and `recordField` leads back.
 */
export function documentField(name: string): string {
  // `level.exact` is what the template makes of a field `level`, so a field may not be called that.
  const kept = name.replace(/(\.exact_*)$/u, "$1_");
  return escaped.test(kept) && !ownNames.has(kept) ? escapePrefix + kept : kept;
}

/** The field of the record that a document has under a name; undefined for what documents add. */
export function recordField(name: string): string | undefined {
  if (added.has(name)) return undefined;
  const kept = name.startsWith(escapePrefix) ? name.slice(escapePrefix.length) : name;
  return kept.replace(/(\.exact_*)_$/u, "$1");
}

const added: ReadonlySet<string> = new Set(Object.values(documentFields));
