import { ServiceError } from "../../../../kit/src/errors.ts";

/** An answer of JSON. Throws `index.unavailable` for what is none. */
export function parseAnswer<Answer>(bytes: Uint8Array): Answer {
  const { buffer, byteOffset, byteLength } = bytes;
  try {
    return JSON.parse(Buffer.from(buffer, byteOffset, byteLength).toString()) as Answer;
  } catch (cause) {
    const message = "Elasticsearch's answer cannot be read";
    throw new ServiceError("index.unavailable", message, {}, { cause });
  }
}
