import { ServiceError } from "../../../kit/src/errors.ts";
import type { PageEnd } from "../plan/split.ts";

/** A page's end as an opaque text; it stays good as long as the records do, through seals and merges. */
export function encodeCursor({ key, ordinal, rows }: PageEnd): string {
  const { ms, ns, stream, position } = key;
  return Buffer.from(JSON.stringify([ms, ns, stream, position, ordinal, rows])).toString(
    "base64url",
  );
}

/** Throws `query.invalid` for a text that `encodeCursor` did not make. */
export function decodeCursor(text: string): PageEnd {
  const [ms, ns, stream, position, ordinal, rows] = fieldsOf(text);
  const isSound =
    typeof stream === "string" &&
    [ms, ns, position, ordinal, rows].every((value) => Number.isSafeInteger(value));
  if (!isSound) throw new ServiceError("query.invalid", "the cursor is not one of ours");
  return {
    key: { ms: Number(ms), ns: Number(ns), stream, position: Number(position) },
    ordinal: Number(ordinal),
    rows: Number(rows),
  };
}

function fieldsOf(text: string): readonly unknown[] {
  try {
    const fields: unknown = JSON.parse(Buffer.from(text, "base64url").toString());
    return Array.isArray(fields) && fields.length === 6 ? fields : [];
  } catch {
    return [];
  }
}
