import { Document, isMap, isPair, type Pair, visit } from "yaml";
import { z } from "zod";
import { settingsJsonSchema } from "../../config/src/describe.ts";
import { fixedSettings, valuesSchema } from "./values.ts";

type Schema = z.core.JSONSchema.BaseSchema;

/** One line of the table of values. */
export interface ValueInfo {
  /** As in `image.tag`. */
  readonly path: string;
  readonly preset: unknown;
  readonly description: string;
}

/** The text of values.schema.json: the chart's values, with the service's own settings under `config`. */
export function printSchema(): string {
  return `${JSON.stringify(fullSchema(), null, 2)}\n`;
}

/** The text of values.yaml: every value at its default, each with its sentence. */
export function printValues(): string {
  const document = new Document(valuesSchema.parse({}));
  visit(document, {
    Pair(_, pair, path) {
      const sentence = schemaAt(keysOf([...path.filter(isPair), pair]))?.description;
      const { key } = pair as Pair<{ commentBefore?: string; spaceBefore?: boolean }>;
      if (sentence !== undefined) key.commentBefore = wrapped(sentence);
      // The top level is set apart; below it comments are enough.
      if (path.length === 2) key.spaceBefore = true;
      if (isMap(pair.value) && sentence !== undefined) return visit.SKIP;
      return undefined;
    },
  });
  return `${head}${document.toString({ lineWidth: 0 })}`;
}

/** Every value in the order of the schema. */
export function describeValues(): readonly ValueInfo[] {
  return [...leavesOf(chartSchema(), [])];
}

const head = `# Values of the chart. Written by npm run chart; edit helm/src/values.ts instead.
# Helm checks them against values.schema.json: unknown names and wrong values are refused.
`;

function chartSchema(): Schema {
  return z.toJSONSchema(valuesSchema, { io: "input" });
}

function fullSchema(): Schema {
  const schema = chartSchema();
  const { $schema: _, ...settings } = settingsJsonSchema() as Schema;
  const description = schemaAt(["config"])?.description ?? "";
  for (const [path, { one, several }] of Object.entries(fixedSettings)) {
    fix(settings, path.split("."), [...new Set([one, several])]);
  }
  return { ...schema, properties: { ...schema.properties, config: { description, ...settings } } };
}

/** Lets a setting have the chart's values alone. */
function fix(settings: Schema, path: readonly string[], values: readonly unknown[]): void {
  const name = path.at(-1) ?? "";
  let at = settings;
  for (const part of path.slice(0, -1)) at = childOf(at, part);
  const { description = "" } = childOf(at, name);
  const only = values as string[];
  const fixed: Schema = {
    description: `${description} The chart's own.`,
    ...(only.length === 1 ? { const: only[0] as string } : { enum: only }),
  };
  at.properties = { ...at.properties, [name]: fixed };
}

function childOf(node: Schema, name: string): Schema {
  const child = node.properties?.[name];
  if (typeof child !== "object") throw new RangeError(`there is no setting ${name}`);
  return child;
}

function schemaAt(path: readonly string[]): Schema | undefined {
  let at: Schema | undefined = chartSchema();
  for (const part of path) {
    const child: unknown = at?.properties?.[part];
    at = typeof child === "object" && child !== null ? (child as Schema) : undefined;
  }
  return at;
}

function keysOf(pairs: readonly Pair[]): readonly string[] {
  return pairs.map(({ key }) => String(key));
}

function* leavesOf(node: Schema, path: readonly string[]): Generator<ValueInfo> {
  if (node.description !== undefined && path.length > 0) {
    yield { path: path.join("."), preset: node.default, description: node.description };
    return;
  }
  for (const [name, child] of Object.entries(node.properties ?? {})) {
    if (typeof child === "object") yield* leavesOf(child, [...path, name]);
  }
}

const commentWidth = 96;

function wrapped(text: string): string {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1) ?? "";
    if (line.length + word.length + 1 > commentWidth) lines.push(` ${word}`);
    else lines[lines.length - 1] = `${line} ${word}`;
  }
  return lines.join("\n");
}
