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

/** Reads parameters by the contract's schema. Throws `request.malformed` naming the first wrong one. */
export function parseParams<Schema extends z.ZodType>(
  schema: Schema,
  request: Request,
): z.output<Schema> {
  const parsed = schema.safeParse(paramsOf(request));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const parameter = issue?.path.join(".") ?? "";
  throw new ServiceError(
    "request.malformed",
    `${parameter}: ${issue?.message ?? "cannot be read"}`,
    { parameter },
  );
}
