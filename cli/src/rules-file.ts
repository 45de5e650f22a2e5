import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import { parseAllDocuments } from "yaml";
import { messageOf } from "../../kit/src/errors.ts";
import { CliExit, type CliIo } from "./io.ts";

/** Bytes of a file of rules; the service takes less. */
const fileBytesMax = 4 * 1024 * 1024;

/**
 * The rules of a file, or of stdin for `-`, as they are written: JSON or YAML, one rule, a list, `{rules: […]}`, or several
 * documents of these. Throws a `CliExit` that names the place of what cannot be read.
 */
export async function readRules(io: CliIo, file: string): Promise<readonly unknown[]> {
  const name = file === "-" ? "stdin" : file;
  const text = await textOf(name, file === "-" ? io.stdin : createReadStream(file));
  // JSON is YAML, too, and the place of a mistake is told the same way.
  const documents = parseAllDocuments(text, { prettyErrors: true });
  const rules: unknown[] = [];
  for (const document of "empty" in documents ? [] : documents) {
    const [error] = document.errors;
    const [place] = error?.linePos ?? [];
    if (error !== undefined) {
      const [sentence = ""] = error.message.split(/ at line \d+|\n/);
      throw new CliExit(1, `${name}:${place?.line ?? 1}:${place?.col ?? 1}: ${sentence}`);
    }
    try {
      rules.push(...rulesOf(document.toJS({ maxAliasCount: 100 })));
    } catch (thrown) {
      throw new CliExit(1, `${name}: ${messageOf(thrown)}`);
    }
  }
  if (rules.length === 0) throw new CliExit(1, `${name}: there is no rule in it`);
  return rules;
}

function rulesOf(value: unknown): readonly unknown[] {
  if (value === null) return [];
  if (Array.isArray(value)) return value;
  if (typeof value !== "object") throw new Error("a rule is an object, or a list of them");
  if (!("rules" in value) || Object.keys(value).length > 1) return [value];
  if (!Array.isArray(value.rules)) throw new Error("rules: must be a list");
  return value.rules;
}

async function textOf(name: string, stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of stream) {
      const piece = Buffer.from(chunk as Uint8Array | string);
      bytes += piece.length;
      if (bytes > fileBytesMax) throw new Error("it is too long for rules");
      chunks.push(piece);
    }
  } catch (thrown) {
    throw new CliExit(1, `cannot read ${name}: ${messageOf(thrown)}`);
  }
  return Buffer.concat(chunks).toString("utf8");
}
