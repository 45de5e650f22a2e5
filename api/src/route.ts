import type { z } from "zod";
import { problemSchema } from "./answers.ts";
import type { Scope } from "./scopes.ts";

export type Method = "get" | "post" | "put" | "delete" | "head";

/** One body that a route answers with. */
export interface Answer {
  readonly status: number;
  readonly description: string;
  readonly media?: string;
  readonly schema?: z.ZodType;
}

/** One row of the REST contract. */
export interface Route {
  /** The operation's name, as clients would call a function. */
  readonly id: string;
  readonly methods: readonly Method[];
  /** With parts in braces, as in `/api/v1/keys/{id}`. */
  readonly path: string;
  readonly summary: string;
  /** What a key must allow; undefined: open to everyone. */
  readonly scope: Scope | undefined;
  /** Parameters of the query string; a POST may send them as a form. */
  readonly query?: z.ZodObject;
  readonly pathParams?: z.ZodObject;
  readonly headers?: readonly { readonly name: string; readonly description: string }[];
  readonly body?: { readonly media: readonly string[]; readonly schema?: z.ZodType };
  readonly answers: readonly Answer[];
}

export const json = "application/json";

const descriptions: Readonly<Record<number, string>> = {
  400: "The request or its query cannot be read; detail says where.",
  401: "A key is needed, or the one given does not hold.",
  403: "The key does not allow this.",
  404: "There is nothing by this name.",
  409: "The cluster cannot do this as it is now; detail says why.",
  412: "It has another version than was asked for, or is there despite If-None-Match.",
  413: "The body is too large.",
  415: "The content type or encoding is not supported.",
  422: "The request contradicts an earlier one, or needs more memory than allowed.",
  429: "Too much is under way; Retry-After says when to come back.",
  503: "It cannot be done now; Retry-After says when to come back.",
  504: "The query reached its deadline.",
};

/** The one good answer, as JSON. */
export function ok(description: string, schema: z.ZodType): Answer {
  return { status: 200, description, media: json, schema };
}

/** A problem document. */
export function problem(status: number): Answer {
  return {
    status,
    description: descriptions[status] ?? "A problem.",
    media: "application/problem+json",
    schema: problemSchema,
  };
}

/** The problems of routes that take work on, and more. */
export function busy(...more: readonly number[]): readonly Answer[] {
  return [401, 403, 413, 415, ...more, 429, 503].map(problem);
}

/** What every route that needs a key may answer. */
export const closed: readonly Answer[] = [problem(401), problem(403)];
