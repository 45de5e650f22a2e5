import { isUtf8 } from "node:buffer";

import type { InboxBody } from "./inbox-sink.ts";

/** What the data of an inbox's znode is: a JSON object is a record, any other text a message. */
export function inboxBodyOf(data: Buffer | null): InboxBody {
  if (data === null || data.length === 0) {
    return { kind: "rejected", bytes: undefined, reason: "the znode has no data" };
  }
  if (!isUtf8(data)) return { kind: "rejected", bytes: data, reason: "the data is not UTF-8" };
  return { kind: isJsonObject(data) ? "object" : "text", bytes: data };
}

function isJsonObject(data: Buffer): boolean {
  const text = data.toString();
  if (!/^\s*\{/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    // Something that only begins like an object is a message like any other.
    return false;
  }
}
