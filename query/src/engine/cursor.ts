import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { Query } from "../language/ast.ts";
import type { PageEnd } from "../plan/split.ts";
import type { TimeRange } from "../source.ts";

/** Where the next page of an answer begins. */
export type Place =
  /** Behind a record: exact through seals, merges and restarts, whatever is stored meanwhile. */
  | { readonly kind: "records"; readonly oldestFirst: boolean; readonly end: PageEnd }
  /** Behind so many rows of an answer that is made anew for each page. */
  | { readonly kind: "rows"; readonly rows: number };

export interface Cursor {
  /** What `now` was for the first page, so that relative times mean the same for all of them. */
  readonly asOfMs: number | undefined;
  /** Of the question whose answer it goes on with. */
  readonly digest: string;
  readonly place: Place;
}

/** The first byte of every cursor. Those of version 1 had no head. */
const version = 2;
/** Version and CRC-32, big endian, of what follows. */
const headBytes = 5;

/** A cursor as an opaque text. */
export function encodeCursor({ asOfMs, digest, place }: Cursor): string {
  const fields = [asOfMs ?? null, digest, ...fieldsOf(place)];
  const body = Buffer.from(JSON.stringify(fields));
  const head = Buffer.alloc(headBytes);
  head.writeUInt8(version, 0);
  head.writeUInt32BE(crc32(body), 1);
  return Buffer.concat([head, body]).toString("base64url");
}

/** Throws `query.cursor` for a text that `encodeCursor` did not make, or not all of. */
export function decodeCursor(text: string): Cursor {
  const bytes = Buffer.from(text, "base64url");
  const body = bytes.subarray(headBytes);
  const isWhole =
    bytes.length > headBytes &&
    bytes.toString("base64url") === text &&
    bytes.readUInt8(0) === version &&
    bytes.readUInt32BE(1) === crc32(body);
  if (!isWhole) throw new ServiceError("query.cursor", "the cursor is damaged or not one of ours");
  // The checksum holds, so these are the fields that were written.
  const [asOfMs, digest, kind, ...fields] = JSON.parse(body.toString()) as [
    number | null,
    string,
    ...(readonly ["n" | "o", ...RecordFields] | readonly ["r", number]),
  ];
  return { asOfMs: asOfMs ?? undefined, digest, place: placeOf(kind, fields) };
}

type RecordFields = [
  ms: number,
  ns: number,
  stream: string,
  position: number,
  ordinal: number,
  rows: number,
];

function fieldsOf(place: Place): readonly unknown[] {
  if (place.kind === "rows") return ["r", place.rows];
  const { key, ordinal, rows } = place.end;
  const { ms, ns, stream, position } = key;
  return [place.oldestFirst ? "o" : "n", ms, ns, stream, position, ordinal, rows];
}

function placeOf(kind: "n" | "o" | "r", fields: readonly unknown[]): Place {
  if (kind === "r") return { kind: "rows", rows: fields[0] as number };
  const [ms, ns, stream, position, ordinal, rows] = fields as RecordFields;
  const end = { key: { ms, ns, stream, position }, ordinal, rows };
  return { kind: "records", oldestFirst: kind === "o", end };
}

/** What `now` was when the answer of a cursor was begun; undefined when nobody said. Throws as `decodeCursor`. */
export function cursorTime(text: string): number | undefined {
  return decodeCursor(text).asOfMs;
}

export interface CursorQuestion {
  readonly tenant: string;
  /** Its times resolved. */
  readonly query: Query;
  readonly range: TimeRange;
}

/** Tells questions apart: a cursor goes on with its own only. The range may be another, since records have their place in any. */
export function digestOf({ tenant, query }: CursorQuestion): string {
  const text = JSON.stringify([tenant, query], (_, value: unknown) =>
    typeof value === "number" && !Number.isFinite(value) ? `number ${value}` : value,
  );
  return createHash("sha256").update(text).digest("base64url").slice(0, 12);
}

/** Reads the cursor of a question. Throws `query.cursor` when it is of another. */
export function cursorOf(text: string, question: CursorQuestion, oldestFirst: boolean): Cursor {
  const cursor = decodeCursor(text);
  const { digest, place } = cursor;
  const isOther = place.kind === "records" && place.oldestFirst !== oldestFirst;
  if (digest !== digestOf(question) || isOther) {
    throw new ServiceError("query.cursor", "the cursor is of another query, tenant or order");
  }
  return cursor;
}
