import type { ErrorCode, ErrorFields } from "../../kit/src/errors.ts";
import type { AppendPart } from "../../storage/src/shard/append.ts";

/** What a body may be written in. */
export const protocols = [
  "json-lines",
  "json",
  "text",
  "loki-json",
  "otlp-protobuf",
  "otlp-json",
  "elasticsearch-bulk",
] as const;
export type Protocol = (typeof protocols)[number];

export const encodings = ["identity", "gzip", "deflate", "zstd"] as const;
export type Encoding = (typeof encodings)[number];

/** How the records of a request are read; plain data, from query parameters, headers and the protocol. */
export interface DecodeOptions {
  readonly protocol: Protocol;
  readonly encoding: Encoding;
  /** Fields that form the stream; undefined: as the protocol does. */
  readonly streamFields: readonly string[] | undefined;
  /** Where the time is looked for, the first that a record has. */
  readonly timeFields: readonly string[];
  /** Where the message is looked for, the first that a record has. */
  readonly msgFields: readonly string[];
  /** Added to each record, over what it has. */
  readonly extra: readonly (readonly [name: string, value: string])[];
  /** Elasticsearch: the index of the path. */
  readonly index: string | undefined;
}

/** One request to decode: posted to a worker, with the memory of `body` transferred. */
export interface DecodeJob {
  readonly options: DecodeOptions;
  readonly tenant: string;
  /** As it was sent, compressed or not. */
  readonly body: Uint8Array;
  /** When it arrived: the time of records that have none. Milliseconds since the epoch. */
  readonly receivedMs: number;
  /** Makes the parts of a repeated request known to their shards. */
  readonly idempotencyKey?: string | undefined;
  /** The body is messages whose ends are known, each of which is one record of the protocol `json` or `text`. */
  readonly messages?: MessageFrames | undefined;
}

/** Messages of a source, which lie in a body one after the other with a zero byte between two. */
export interface MessageFrames {
  /** Where each ends in the body. */
  readonly ends: Uint32Array;
  /** Of each: its time when its fields have none, in milliseconds since the epoch. */
  readonly timesMs: Float64Array;
  /** Of each: what a record in `_rejected` calls its line; counted from 1 when there are none. */
  readonly numbers?: Float64Array;
  /** What a record in `_rejected` says about where it came from. */
  readonly origin?: string;
}

export interface RecordError {
  /** Counted from 1: the line, or the record's number where the protocol has no lines. */
  readonly line: number;
  readonly reason: string;
}

/** What a worker made of a request. Plain data. */
export interface DecodeResult {
  /**
   * `ok`: `parts` are to be stored. `arena-full`: nothing is, and the client may come back. `refused`: the
   * body cannot be read, `error` says why, and nothing of it is to be stored.
   */
  readonly status: "ok" | "arena-full" | "refused";
  readonly error?: DecodeError;
  readonly parts: readonly AppendPart[];
  /** Slabs of the arena that this thread has finished; to be handed on whatever the status is. */
  readonly closedSlabs: readonly number[];
  readonly accepted: number;
  readonly rejected: number;
  /** The first of the rejected. */
  readonly errors: readonly RecordError[];
  /** Bytes after inflation. */
  readonly bodyBytes: number;
  /**
   * Elasticsearch: the elements of `items`, printed, without brackets, in memory of their own that may be
   * transferred, as they are as long as many a body; and whether one has an error.
   */
  readonly items?: Uint8Array<ArrayBuffer>;
  readonly itemErrors?: boolean;
  /** SHA-256 of the body as it was sent, hexadecimal; only with an idempotency key. */
  readonly digest?: string;
}

export interface DecodeError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly fields: ErrorFields;
}
