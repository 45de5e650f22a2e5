import { type ErrorName, errorNameOf } from "../wire/constants.ts";

/** The protocol's names; CLOSED: this client was closed; BUSY: too many requests wait in it. */
export type ZooKeeperErrorName = ErrorName | "CLOSED" | "BUSY";

/**
 * A request that did not succeed. With CONNECTIONLOSS, and with CLOSED or SESSIONEXPIRED after it was sent,
 * its outcome is unknown: `isOutcomeUnknown` says so.
 */
export class ZooKeeperError extends Error {
  override readonly name = "ZooKeeperError";
  readonly code: ZooKeeperErrorName;
  /** The path that was asked about, without the client's chroot. */
  readonly path: string | undefined;
  /** In a multi, the index of the operation that failed. */
  readonly index: number | undefined;
  readonly isOutcomeUnknown: boolean;

  constructor(
    code: ZooKeeperErrorName,
    at: {
      readonly path?: string;
      readonly index?: number;
      readonly isOutcomeUnknown?: boolean;
    } = {},
    options?: ErrorOptions,
  ) {
    const operation = at.index === undefined ? "" : ` in operation ${at.index}`;
    super(`${code}${at.path === undefined ? "" : ` at ${at.path}`}${operation}`, options);
    this.code = code;
    this.path = at.path;
    this.index = at.index;
    this.isOutcomeUnknown = at.isOutcomeUnknown ?? false;
  }
}

/** Whether it is a `ZooKeeperError` with one of these codes. */
export function isZooKeeperError(
  thrown: unknown,
  ...codes: readonly ZooKeeperErrorName[]
): thrown is ZooKeeperError {
  return thrown instanceof ZooKeeperError && (codes.length === 0 || codes.includes(thrown.code));
}

/** A request that may have been done and may not: what it was to do must be looked up, or be harmless when repeated. */
export type OutcomeUnknownError = ZooKeeperError & { readonly isOutcomeUnknown: true };

/** Whether it is not known what became of the request that failed so. */
export function isOutcomeUnknown(thrown: unknown): thrown is OutcomeUnknownError {
  return thrown instanceof ZooKeeperError && thrown.isOutcomeUnknown;
}

/** The name of an error number of a reply; what the protocol does not know counts as an API error. */
export function errorCodeOf(number: number): ErrorName {
  return errorNameOf(number) ?? "APIERROR";
}
