import { z } from "zod";
import { bytesPattern, durationPattern } from "./quantity.ts";
import { type SettingKind, settingsSchema } from "./schema.ts";

/** One setting, as the reference page, the variables and the flags need to know it. */
export interface SettingInfo {
  /** As in `http.bodyMaxBytes`. */
  readonly path: string;
  /** As in `LOGKEEP_HTTP_BODY_MAX_BYTES`. */
  readonly env: string;
  readonly kind: SettingKind;
  readonly description: string;
  /** Undefined when the setting is optional. */
  readonly preset: unknown;
  readonly min: number | undefined;
  /** True when `min` itself is not allowed. */
  readonly minExclusive: boolean;
  readonly max: number | undefined;
  readonly choices: readonly string[];
  /** True when its value must not be shown. */
  readonly isSecret: boolean;
}

/** Prefix of every variable that sets something. */
export const envPrefix = "LOGKEEP_";

/** All settings in the order of the schema. */
export function describeSettings(): readonly SettingInfo[] {
  return [...leavesOf(z.toJSONSchema(settingsSchema, { io: "input" }), [])];
}

/** The names of the sections, as `http` and `storage.retention`. */
export function describeSections(settings: readonly SettingInfo[]): ReadonlySet<string> {
  const sections = new Set<string>();
  for (const { path } of settings) {
    const parts = path.split(".");
    for (let depth = 1; depth < parts.length; depth++)
      sections.add(parts.slice(0, depth).join("."));
  }
  return sections;
}

/** The variable of a setting: `http.bodyMaxBytes` is `LOGKEEP_HTTP_BODY_MAX_BYTES`. */
export function envOf(path: string): string {
  const words = path.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).replaceAll(".", "_");
  return envPrefix + words.toUpperCase();
}

/** A JSON schema (2020-12) of the configuration file, for editors and for Helm's values. */
export function settingsJsonSchema(): object {
  return z.toJSONSchema(settingsSchema, {
    io: "input",
    override: ({ jsonSchema }) => widen(jsonSchema),
  });
}

/** Lets sizes and durations be texts with a unit, as the loader does, and drops our own keys. */
function widen(node: z.core.JSONSchema.BaseSchema): void {
  const { kind } = node;
  delete node["kind"];
  delete node["secret"];
  if (kind === "choices")
    node.anyOf = [{ const: "all" }, moved(node, ["type", "items", "minItems"])];
  if (kind !== "bytes" && kind !== "duration") return;
  const pattern = kind === "bytes" ? bytesPattern : durationPattern;
  node.anyOf = [moved(node, ["type", "minimum", "maximum"]), { type: "string", pattern }];
}

function moved(node: z.core.JSONSchema.BaseSchema, keys: readonly string[]) {
  const target: z.core.JSONSchema.BaseSchema = {};
  for (const key of keys) {
    if (node[key] !== undefined) target[key] = node[key];
    delete node[key];
  }
  return target;
}

function* leavesOf(
  node: z.core.JSONSchema.BaseSchema,
  path: readonly string[],
): Generator<SettingInfo> {
  if (node["kind"] !== undefined) {
    yield infoOf(node, path.join("."));
    return;
  }
  for (const [name, child] of Object.entries(node.properties ?? {})) {
    if (typeof child === "object") yield* leavesOf(child, [...path, name]);
  }
}

function infoOf(node: z.core.JSONSchema.BaseSchema, path: string): SettingInfo {
  const items = typeof node.items === "object" && !Array.isArray(node.items) ? node.items : {};
  return {
    path,
    env: envOf(path),
    kind: node["kind"] as SettingKind,
    description: node.description ?? "",
    preset: node.default,
    min:
      node.minimum ??
      (typeof node.exclusiveMinimum === "number" ? node.exclusiveMinimum : undefined),
    minExclusive: node.exclusiveMinimum !== undefined,
    max: node.maximum,
    choices: (node.enum ?? items.enum ?? []).map(String),
    isSecret: node["secret"] === true,
  };
}
