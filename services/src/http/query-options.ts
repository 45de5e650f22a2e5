import type { Request } from "express";
import type { z } from "zod";
import { ServiceError } from "../../../kit/src/errors.ts";

/** Values of the query string, or of a form that a POST sent; a repeated name counts once, the last. */
export function paramsOf(request: Request): Record<string, string> {
  const at = request.url.indexOf("?");
  const search = new URLSearchParams(at < 0 ? "" : request.url.slice(at + 1));
  const form = request.body as unknown;
  const params = Object.fromEntries(search);
  if (typeof form === "string")
    Object.assign(params, Object.fromEntries(new URLSearchParams(form)));
  return params;
}

/**
 * Reads parameters by the contract's schema. Throws `request.malformed` naming the first that is wrong, or that there
 * is none of: a misspelt one would ask something else than was meant.
 */
export function parseParams<Shape extends z.core.$ZodShape>(
  schema: z.ZodObject<Shape>,
  request: Request,
): z.output<z.ZodObject<Shape>> {
  const params = paramsOf(request);
  const unknown = Object.keys(params).find((name) => !Object.hasOwn(schema.shape, name));
  if (unknown !== undefined) {
    const parameter = unknown.slice(0, 64);
    throw new ServiceError("request.malformed", "there is no such parameter", { parameter });
  }
  const parsed = schema.safeParse(params);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const parameter = issue?.path.join(".") ?? "";
  const what = `${parameter}: ${issue?.message ?? "cannot be read"}`;
  throw new ServiceError("request.malformed", what, { parameter });
}
