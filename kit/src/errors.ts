/** Every way a request can fail, with the HTTP status a caller sees. */
export const errorCodes = {
  "request.malformed": { status: 400, title: "The request cannot be read" },
  "request.too-large": { status: 413, title: "The request body is too large" },
  "request.media-type": { status: 415, title: "The content type or encoding is not supported" },
  "request.not-found": { status: 404, title: "There is nothing at this path" },
  "request.method": { status: 405, title: "The method is not allowed here" },
  "request.timeout": { status: 408, title: "The request took too long to arrive" },
  "request.host": { status: 421, title: "The Host or Origin header is not one of this service" },
  "auth.missing": { status: 401, title: "A key is needed" },
  "auth.invalid": { status: 401, title: "The key is not valid" },
  "auth.forbidden": { status: 403, title: "The key does not allow this" },
  "tenant.invalid": { status: 400, title: "The tenant name is not valid" },
  "ingest.nothing-acceptable": { status: 400, title: "No record of the request can be stored" },
  "ingest.record-too-long": { status: 413, title: "The record is too long" },
  "ingest.idempotency-mismatch": { status: 422, title: "The key was used with another body" },
  "ingest.busy": { status: 429, title: "Too much is in flight" },
  "ingest.unavailable": { status: 503, title: "Records cannot be stored now" },
  "query.syntax": { status: 400, title: "The query cannot be parsed" },
  "query.invalid": { status: 400, title: "The query cannot be run" },
  "query.cursor": { status: 400, title: "The cursor cannot be continued" },
  "query.timeout": { status: 504, title: "The query reached its deadline" },
  "query.memory": { status: 422, title: "The query needs more memory than allowed" },
  "query.cancelled": { status: 499, title: "The query was cancelled" },
  "query.busy": { status: 429, title: "Too many queries are running" },
  "query.partial": { status: 503, title: "Part of the data cannot be read now" },
  "deletes.too-many": { status: 429, title: "Too many deletes are under way" },
  "deletes.elsewhere": { status: 400, title: "Queries are answered from elsewhere" },
  "backup.busy": { status: 429, title: "Too many backups are under way" },
  "backup.damaged": { status: 500, title: "The backup is damaged" },
  "alerts.invalid-rule": { status: 400, title: "The rule is not valid" },
  "alerts.version-mismatch": { status: 412, title: "The rule was changed meanwhile" },
  "alerts.too-many": { status: 422, title: "The tenant has too many rules" },
  "alerts.busy": { status: 429, title: "Too many tests of rules are under way" },
  "alerts.unavailable": { status: 503, title: "Alerts are not evaluated here now" },
  "index.unavailable": { status: 503, title: "Elasticsearch cannot answer now" },
  "storage.damaged": { status: 500, title: "Stored data is damaged" },
  "storage.full": { status: 503, title: "The disk is full" },
  "storage.locked": { status: 500, title: "The data directory is in use" },
  "storage.failed": { status: 503, title: "The disk failed" },
  "coordinator.unavailable": { status: 503, title: "The coordinator cannot be reached" },
  "coordinator.no-quorum": { status: 503, title: "The coordinator has no quorum" },
  "coordinator.elsewhere": { status: 404, title: "The coordinator is another process" },
  "cluster.malformed": { status: 500, title: "A znode of the cluster cannot be read" },
  "cluster.mismatch": { status: 500, title: "The node does not fit this cluster" },
  "cluster.refused": { status: 409, title: "The cluster cannot do this now" },
  "peer.unavailable": { status: 503, title: "Another node cannot be reached" },
  "peer.malformed": { status: 502, title: "Another node sent what cannot be read" },
  "peer.refused": { status: 403, title: "The peer is not one of this cluster" },
  "config.version-mismatch": { status: 412, title: "The settings were changed meanwhile" },
  "config.invalid": { status: 400, title: "The configuration is not valid" },
  "service.stopping": { status: 503, title: "The service is stopping" },
  internal: { status: 500, title: "The service failed" },
} as const satisfies Record<string, { readonly status: number; readonly title: string }>;

export type ErrorCode = keyof typeof errorCodes;

/** Facts that go with an error, named, in place of words in its message. */
export type ErrorFields = Readonly<
  Record<string, string | number | boolean | readonly string[] | undefined>
>;

/** A failure that a caller can bring about: answered and counted, not logged as an error. */
export class ServiceError extends Error {
  override readonly name = "ServiceError";
  readonly code: ErrorCode;
  readonly fields: ErrorFields;

  constructor(code: ErrorCode, message: string, fields: ErrorFields = {}, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.fields = fields;
  }

  get status(): number {
    return errorCodes[this.code].status;
  }
}

/** RFC 9457, the body of an `application/problem+json` answer. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: ErrorCode;
  readonly detail: string;
}

export function problemOf(error: ServiceError): Problem & ErrorFields {
  const { status, title } = errorCodes[error.code];
  const type = `urn:problem:${error.code}`;
  return { ...error.fields, type, title, status, code: error.code, detail: error.message };
}

/** The error as a `ServiceError`: itself, or `internal` around what was thrown. */
export function serviceErrorOf(thrown: unknown): ServiceError {
  if (thrown instanceof ServiceError) return thrown;
  return new ServiceError("internal", messageOf(thrown), {}, { cause: thrown });
}

/** The text of whatever was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
