import { hash } from "node:crypto";
import type { StreamLabels } from "../../../kit/src/block.ts";

/** The field that names a record's stream in few characters; made of its labels, never stored. */
export const streamIdField = "_stream_id";

/** Hexadecimal digits of an id: 128 bits, so that no two streams are ever met that share one. */
const digits = 32;

/**
 * The id of a stream: the first half of the SHA-256 of its canonical text. It follows from the labels alone, so it is the
 * same on every node and in every block, for good.
 */
export function streamIdOf({ text }: Pick<StreamLabels, "text">): string {
  return hash("sha256", text, "hex").slice(0, digits);
}
