import { wordListOf } from "../../../kit/src/tokens.ts";
import type { TransformPipe } from "../language/pipe-node.ts";
import { Pattern } from "../regex/pattern.ts";
import { collapseNums, prettified } from "./collapse-nums.ts";
import { xxHash64 } from "./hash.ts";
import { itemsOf } from "./json-items.ts";
import { MapValuePipe } from "./map-value.ts";
import type { RowPipe } from "./pipe.ts";
import { Replacement, replacePattern, replaceText } from "./replace.ts";

type ValueNode = Extract<
  TransformPipe,
  {
    readonly kind:
      | "collapseNums"
      | "decolorize"
      | "replace"
      | "replaceRegexp"
      | "len"
      | "hash"
      | "jsonArrayLen"
      | "unpackWords";
  }
>;

/** Pipes that make one field of one other. Throws `query.invalid` for what is no pattern. */
export function createValuePipe(node: ValueNode, condition: RowPipe | undefined): RowPipe {
  switch (node.kind) {
    case "collapseNums": {
      const collapse = node.prettify
        ? (text: string) => prettified(collapseNums(text))
        : collapseNums;
      return new MapValuePipe({ from: node.field, to: node.field }, collapse, condition);
    }
    case "decolorize":
      return new MapValuePipe({ from: node.field, to: node.field }, withoutColours);
    case "replace": {
      const { old, replacement, limit, field } = node;
      const replaced = (text: string) => replaceText(text, old, replacement, limit);
      return new MapValuePipe({ from: field, to: field }, replaced, condition);
    }
    case "replaceRegexp": {
      const { field, limit } = node;
      const pattern = new Pattern(node.pattern);
      const replacement = new Replacement(node.replacement);
      const replaced = (text: string) => replacePattern(text, pattern, replacement, limit);
      return new MapValuePipe({ from: field, to: field }, replaced, condition);
    }
    case "len":
      return new MapValuePipe({ from: node.field, to: node.as }, (text) =>
        String(Buffer.byteLength(text)),
      );
    case "hash":
      return new MapValuePipe({ from: node.field, to: node.as }, hashOf);
    case "jsonArrayLen":
      return new MapValuePipe({ from: node.field, to: node.as }, (text) =>
        String(itemsOf(text).length),
      );
    case "unpackWords":
      return new MapValuePipe({ from: node.from, to: node.as }, (text) => {
        const words = wordListOf(text);
        return JSON.stringify(node.dropDuplicates ? [...new Set(words)] : words);
      });
  }
}

/** The low 53 bits, which every reader of numbers keeps exactly. */
function hashOf(text: string): string {
  return String(BigInt.asUintN(53, xxHash64(Buffer.from(text))));
}

const escapeStart = "\u001b[";

/** Without the escape sequences of ECMA-48 that set colours and weights: `ESC [`, parameters, a letter. */
function withoutColours(text: string): string {
  if (!text.includes(escapeStart)) return text;
  const [first = "", ...rest] = text.split(escapeStart);
  return first + rest.map((part) => part.replace(/^[\d;:]*[A-Za-z]/, "")).join("");
}
