import type { z } from "zod";
import { messageOf, ServiceError } from "../../../kit/src/errors.ts";

/** What a peer asks, as the schema says. Throws `request.malformed` for anything else. */
export function readHead<T>(schema: z.ZodType<T>, head: unknown): T {
  const read = schema.safeParse(head);
  if (read.success) return read.data;
  throw new ServiceError("request.malformed", "what a peer asks cannot be read", {
    reason: messageOf(read.error).slice(0, 500),
  });
}
