import { closeSync, openSync, readSync } from "node:fs";
import { parseToken } from "../../../api/src/key.ts";
import { messageOf, ServiceError } from "../../../kit/src/errors.ts";

/** A token has 84 characters; a longer file is another one, and is not read on. */
const fileMaxBytes = 1024;

/**
 * The token that the file of `auth.adminKeyFile` holds, without the space around it. Throws
 * `config.invalid` with the file's name, and never with what is in it.
 */
export function readAdminKeyFile(file: string): string {
  const token = textOf(file).trim();
  if (parseToken(token) !== undefined) return token;
  throw new ServiceError(
    "config.invalid",
    `auth.adminKeyFile: ${file} does not hold a key as \`logkeep keys create\` prints it: lk_, 16 hex digits, _, 64 hex digits`,
  );
}

function textOf(file: string): string {
  const bytes = Buffer.alloc(fileMaxBytes);
  try {
    const descriptor = openSync(file, "r");
    try {
      return bytes.toString("latin1", 0, readSync(descriptor, bytes, 0, fileMaxBytes, 0));
    } finally {
      closeSync(descriptor);
    }
  } catch (thrown) {
    throw new ServiceError(
      "config.invalid",
      `auth.adminKeyFile: ${file} cannot be read: ${messageOf(thrown)}`,
      {},
      { cause: thrown },
    );
  }
}
