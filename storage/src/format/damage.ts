import { type ErrorFields, ServiceError } from "../../../kit/src/errors.ts";

/** The error for stored bytes that cannot be what was written. */
export function damaged(what: string, fields: ErrorFields = {}): ServiceError {
  return new ServiceError("storage.damaged", what, fields);
}

/** Refuses stored bytes for which a claim of the format does not hold. */
export function checkStored(
  condition: boolean,
  what: string,
  fields?: ErrorFields,
): asserts condition {
  if (!condition) throw damaged(what, fields);
}
