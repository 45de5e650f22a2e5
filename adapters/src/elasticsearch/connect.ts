import { Client } from "@elastic/elasticsearch";
import type { Settings } from "../../../config/src/schema.ts";
import { answerBytesMax } from "./limits.ts";

/**
 * A client of the cluster that the settings name; nothing is asked of it yet. Every request is tried once and at
 * one node, the next try at another: whoever asks knows what may be repeated.
 */
export function connectElasticsearch(
  settings: Settings["elasticsearch"] & { readonly nodes: readonly string[] },
): Client {
  const { nodes, username, password, apiKey, timeoutMs } = settings;
  const auth =
    apiKey !== undefined
      ? { apiKey }
      : username !== undefined
        ? { username, password: password ?? "" }
        : undefined;
  return new Client({
    nodes: [...nodes],
    ...(auth === undefined ? {} : { auth }),
    requestTimeout: timeoutMs,
    maxRetries: 0,
    maxResponseSize: answerBytesMax,
    maxCompressedResponseSize: answerBytesMax,
    sniffOnStart: false,
    sniffOnConnectionFault: false,
    // Plain JSON: a media type that names release 9 is refused by 8.
    headers: { accept: "application/json", "content-type": "application/json" },
  });
}
