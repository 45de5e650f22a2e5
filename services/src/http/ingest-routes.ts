import type { NextFunction, Request, Response } from "express";
import type {
  Prepared,
  Receiver,
  ReceiverAnswer,
  ReceiverRequest,
} from "../../../ingest/src/receiver/receiver.ts";
import { receivers } from "../../../ingest/src/receiver/receivers.ts";
import type { Clock } from "../../../kit/src/clock.ts";
import { type ServiceError, serviceErrorOf } from "../../../kit/src/errors.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import type { Ingest } from "../ingest.ts";
import { type App, lingerThenClose } from "./app.ts";
import { type BodyRoom, readBody } from "./body.ts";
import type { Identity } from "./identity.ts";

export interface IngestRoutesDeps {
  readonly ingest: Ingest;
  readonly room: BodyRoom;
  readonly bodyMaxBytes: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told of each answer that refused a request, for the metrics. */
  readonly onRefused: (receiver: string, code: string) => void;
}

/** Every endpoint that takes records, and what shippers ask beside it. */
export function mountIngest(app: App, deps: IngestRoutesDeps): void {
  for (const receiver of receivers) {
    for (const method of receiver.methods) {
      app.express[method](
        [...receiver.paths],
        (request: Request, response: Response, next: NextFunction) => {
          void serve(app, deps, receiver, request, response, next);
        },
      );
    }
  }
}

async function serve(
  app: App,
  deps: IngestRoutesDeps,
  receiver: Receiver,
  request: Request,
  response: Response,
  next: NextFunction,
): Promise<void> {
  const asked = askedOf(request);
  try {
    const identity =
      receiver.scope === undefined ? undefined : app.identity(request, receiver.scope);
    const prepared = receiver.prepare(asked);
    if (prepared.kind === "pass") next();
    else if (prepared.kind === "answer") send(request, response, prepared.answer);
    else {
      const started = performance.now();
      const result = await decode(deps, request, prepared, identity);
      send(
        request,
        response,
        receiver.answer(asked, result, Math.round(performance.now() - started)),
      );
    }
  } catch (thrown) {
    const error: ServiceError = serviceErrorOf(thrown);
    if (error.code === "internal") {
      deps.logger.error({ path: request.path, err: thrown }, "a request failed");
    }
    deps.onRefused(receiver.name, error.code);
    send(request, response, receiver.failure(asked, error));
  }
}

function askedOf(request: Request): ReceiverRequest {
  const at = request.url.indexOf("?");
  const query = new URLSearchParams(at < 0 ? "" : request.url.slice(at + 1));
  return { method: request.method, path: request.path, query, headers: request.headers };
}

type Decoding = Extract<Prepared, { kind: "decode" }>;

async function decode(
  deps: IngestRoutesDeps,
  request: Request,
  { options, idempotencyKey, guard }: Decoding,
  identity: Identity | undefined,
) {
  const { ingest, room, bodyMaxBytes, clock } = deps;
  ingest.checkPressure();
  const body = await readBody(request, room, { bodyMaxBytes, guard });
  try {
    const job = {
      options,
      tenant: identity?.tenant ?? "default",
      body: body.bytes,
      receivedMs: clock.now(),
      idempotencyKey,
    };
    return await ingest.take(job, () => !request.socket.destroyed);
  } finally {
    body.release();
  }
}

function send(request: Request, response: Response, answer: ReceiverAnswer): void {
  if (!request.complete) lingerThenClose(request, response);
  response.statusCode = answer.status;
  for (const [name, value] of Object.entries(answer.headers)) response.setHeader(name, value);
  response.end(request.method === "HEAD" ? undefined : answer.body);
}
