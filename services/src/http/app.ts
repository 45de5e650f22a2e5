import express, { type Express, type NextFunction, type Request, type Response } from "express";
import type { Scope } from "../../../api/src/scopes.ts";
import { ServiceError, serviceErrorOf } from "../../../kit/src/errors.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import { checkHost } from "./host-check.ts";
import { demand, type Identity, type IdentityRules, identify } from "./identity.ts";
import { sendProblem } from "./problem.ts";

export interface AppOptions extends IdentityRules {
  /** Names, beside `localhost` and addresses, by which browsers may call the service. */
  readonly hosts: readonly string[];
  /** What this node does, where that is not everything: another may answer what this one does not. */
  readonly roles?: readonly string[] | undefined;
  readonly logger: Logger;
}

/** A handler that knows who asks; what it throws is answered as a problem. */
export type Handler = (
  request: Request,
  response: Response,
  identity: Identity,
) => Promise<void> | void;

/** Registers a route that needs a scope. */
export type Mount = (
  method: "get" | "post" | "put" | "delete" | "head" | "all",
  path: string,
  scope: Scope,
  handler: Handler,
) => void;

/** Roles that answer requests. */
const askedRoles = ["ingest", "query", "alerts"] as const;

/** The Express application and how rooms' routes are put into it. */
export class App {
  readonly express: Express = express();
  readonly #options: AppOptions;

  constructor(options: AppOptions) {
    this.#options = options;
    this.express.disable("x-powered-by");
    this.express.disable("etag");
    this.express.set("query parser", "simple");
    this.express.use((request: Request, response: Response, next: NextFunction) => {
      // With keys demanded, a page that a browser was lured to has none, so names matter no more.
      if (!options.isKeyNeeded) checkHost(request, options.hosts);
      response.setHeader("X-Content-Type-Options", "nosniff");
      next();
    });
  }

  readonly mount: Mount = (method, path, scope, handler) => {
    this.express[method](path, async (request: Request, response: Response) => {
      try {
        const identity = this.identity(request, scope);
        await handler(request, response, identity);
      } catch (thrown) {
        this.#fail(request, response, thrown);
      }
    });
  };

  /** Who asks; throws `auth.*` unless they may do what needs the scope. */
  identity(request: Request, scope: Scope): Identity {
    const identity = identify(request, this.#options);
    demand(identity, scope);
    return identity;
  }

  /** Called after the last route: what nobody answers is a 404, and what was thrown a problem. */
  finish(): void {
    this.express.use((request: Request, response: Response) => {
      const { roles } = this.#options;
      const lacking = roles === undefined ? [] : askedRoles.filter((role) => !roles.includes(role));
      const what = "there is nothing at this path";
      const hint = `; this node is without ${lacking.join(" and ")}: ask one that is not`;
      const fields = { path: request.path, roles };
      const said = lacking.length === 0 ? what : what + hint;
      sendProblem(response, new ServiceError("request.not-found", said, fields));
    });
    this.express.use((thrown: unknown, request: Request, response: Response, _: NextFunction) => {
      this.#fail(request, response, refusalOf(thrown));
    });
  }

  #fail(request: Request, response: Response, thrown: unknown): void {
    const error = serviceErrorOf(thrown);
    if (error.code === "internal") {
      this.#options.logger.error({ path: request.path, err: thrown }, "a request failed");
    }
    if (!request.complete) lingerThenClose(request, response);
    sendProblem(response, error);
  }
}

/** What Express and its parser of forms throw for a request that cannot be read, as an error of ours. */
function refusalOf(thrown: unknown): unknown {
  if (!(thrown instanceof Error)) return thrown;
  // The parser of bodies names what went wrong; paths that cannot be decoded have a status only.
  const { status, type, limit } = thrown as Partial<Record<"status" | "limit", number>> & {
    readonly type?: string;
  };
  if (status === 413) {
    const bounded = limit === undefined ? {} : { bytesMax: limit };
    return new ServiceError("request.too-large", "the body is larger than is taken here", bounded);
  }
  const what = type === undefined ? "the path cannot be read" : whatOf(type, thrown.message);
  if (status === 415) return new ServiceError("request.media-type", what);
  if (status === 400 || thrown instanceof URIError) {
    return new ServiceError("request.malformed", what);
  }
  return thrown;
}

function whatOf(type: string, message: string): string {
  // Only JSON is parsed there; the parser says at which place it ends.
  if (type === "entity.parse.failed") return `the body is no JSON: ${message.slice(0, 200)}`;
  return `the body cannot be read: ${type}`;
}

/** How long the rest of what was refused is read and thrown away before its connection is cut. */
export const lingerMs = 1000;

/**
 * Ends the connection of a request that was answered before its body had arrived. Cutting it at once
 * would reset it, and the client, still sending, might never read the answer.
 */
export function lingerThenClose(request: Request, response: Response): void {
  if (!response.headersSent) response.setHeader("Connection", "close");
  response.once("finish", () => {
    request.resume();
    setTimeout(() => request.destroy(), lingerMs).unref();
  });
}
