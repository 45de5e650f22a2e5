import type { Response } from "express";
import { problemOf, type ServiceError } from "../../../kit/src/errors.ts";

/** Seconds after which a caller that was turned away for want of room may come back. */
const retryAfterSeconds = 1;

/** Answers with RFC 9457 `application/problem+json`. */
export function sendProblem(response: Response, error: ServiceError): void {
  if (response.headersSent) {
    // The status is gone: a broken transfer is the one sign a client cannot miss.
    response.destroy();
    return;
  }
  response.status(error.status);
  if (error.status === 429 || error.status === 503) {
    response.setHeader("Retry-After", String(retryAfterSeconds));
  }
  if (error.status === 401) response.setHeader("WWW-Authenticate", 'Bearer realm="logkeep"');
  response.setHeader("Content-Type", "application/problem+json");
  response.end(JSON.stringify(problemOf(error)));
}
