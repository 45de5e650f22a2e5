import type { ErrorCode, ErrorFields } from "../../../kit/src/errors.ts";
import { ServiceError, serviceErrorOf } from "../../../kit/src/errors.ts";

/** A job as it is posted to a worker. */
export interface JobMessage {
  readonly id: number;
  readonly kind: string;
  readonly payload: unknown;
}

/** A worker's answer to one job. */
/** The id of a worker's first message, which answers no job: it has loaded. */
export const loadedId = 0;

export type ReplyMessage =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: PostedError };

/** An error as plain data: classes do not survive the way between threads. */
export interface PostedError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly fields: ErrorFields;
  readonly stack: string | undefined;
}

export function postedErrorOf(thrown: unknown): PostedError {
  const error = serviceErrorOf(thrown);
  const stack = thrown instanceof Error ? thrown.stack : undefined;
  return { code: error.code, message: error.message, fields: error.fields, stack };
}

export function errorOfPosted(posted: PostedError): ServiceError {
  const error = new ServiceError(posted.code, posted.message, posted.fields);
  // The stack of the thread where it happened is the one that helps.
  if (posted.stack !== undefined) error.stack = posted.stack;
  return error;
}
