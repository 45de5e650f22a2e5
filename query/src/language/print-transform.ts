import type { FieldSelector, FilterNode } from "./ast.ts";
import { printDuration } from "./duration.ts";
import type { FormatPipe, PackPipe, TransformPipe, UnpackPipe, WriteOptions } from "./pipe-node.ts";
import { escapedPlaceholder } from "./placeholders.ts";
import { printName } from "./print-name.ts";
import type { PrintFilter } from "./print-stats.ts";
import { quoted } from "./string-literal.ts";

/** A pipe that makes fields of others as text that reads back as the same. */
export function printTransform(pipe: TransformPipe, printFilter: PrintFilter): string {
  const condition = (filter: FilterNode | undefined) =>
    filter === undefined ? "" : ` if (${printFilter(filter)})`;
  switch (pipe.kind) {
    case "extractRegexp": {
      const pattern = `${quoted(pipe.pattern)} from ${printName(pipe.from)}`;
      return `extract_regexp${condition(pipe.filter)} ${pattern}${printWrite(pipe)}`;
    }
    case "format":
      return `format${condition(pipe.filter)} ${printFormat(pipe)}${printWrite(pipe)}`;
    case "collapseNums": {
      const prettify = pipe.prettify ? " prettify" : "";
      return `collapse_nums${condition(pipe.filter)} at ${printName(pipe.field)}${prettify}`;
    }
    case "decolorize":
      return `decolorize ${printName(pipe.field)}`;
    case "replace":
    case "replaceRegexp": {
      const [name, old] =
        pipe.kind === "replace" ? ["replace", pipe.old] : ["replace_regexp", pipe.pattern];
      const texts = `(${quoted(old)}, ${quoted(pipe.replacement)}) at ${printName(pipe.field)}`;
      const limit = pipe.limit === undefined ? "" : ` limit ${pipe.limit}`;
      return `${name}${condition(pipe.filter)} ${texts}${limit}`;
    }
    case "len":
    case "hash":
    case "jsonArrayLen": {
      const name = pipe.kind === "jsonArrayLen" ? "json_array_len" : pipe.kind;
      return `${name}(${printName(pipe.field)}) as ${printName(pipe.as)}`;
    }
    case "unpackWords": {
      const drop = pipe.dropDuplicates ? " drop_duplicates" : "";
      return `unpack_words from ${printName(pipe.from)} as ${printName(pipe.as)}${drop}`;
    }
    case "pack":
      return printPack(pipe);
    case "unpack":
      return printUnpack(pipe, condition(pipe.filter));
    case "unroll":
      return `unroll${condition(pipe.filter)} by (${pipe.fields.map(printName).join(", ")})`;
    case "sample":
      return `sample ${pipe.every}`;
    case "dropEmpty":
      return "drop_empty_fields";
  }
}

function printWrite({ keepOriginal, skipEmpty }: WriteOptions): string {
  return (keepOriginal ? " keep_original_fields" : "") + (skipEmpty ? " skip_empty_results" : "");
}

function printFormat({ pattern, as }: FormatPipe): string {
  const steps = pattern.steps.map(({ literal, field, option }) => {
    // With an empty option a name may hold a colon.
    const prefix = option === undefined ? (field.includes(":") ? ":" : "") : `${option}:`;
    return `${escapedPlaceholder(literal)}<${prefix}${escapedPlaceholder(field)}>`;
  });
  return `${quoted(steps.join("") + escapedPlaceholder(pattern.tail))} as ${printName(as)}`;
}

function printPack({ format, fields, as }: PackPipe): string {
  return `pack_${format}${printFields(fields)} as ${printName(as)}`;
}

function printFields(fields: readonly FieldSelector[]): string {
  if (fields.length === 0) return "";
  const printed = fields.map(({ name, prefix }) =>
    prefix ? `${printName(name)}*` : printName(name),
  );
  return ` fields (${printed.join(", ")})`;
}

function printUnpack(pipe: UnpackPipe, condition: string): string {
  const { format, from, fields, prefix, offset } = pipe;
  const parts = [`unpack_${format}${condition} from ${printName(from)}${printFields(fields)}`];
  if (prefix !== "") parts.push(`result_prefix ${quoted(prefix)}`);
  if (offset.ms !== 0 || offset.ns !== 0) parts.push(`offset ${printDuration(offset)}`);
  return parts.join(" ") + printWrite(pipe);
}
