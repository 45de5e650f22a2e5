import { type Document, isScalar, parseDocument, visit } from "yaml";
import type { z } from "zod";
import { messageOf, ServiceError } from "../../kit/src/errors.ts";
import { checkRule, invalidRule } from "./check-rule.ts";
import { rulesPerTextMax, rulesTextBytesMax, yamlAliasesMax } from "./limits.ts";
import { type Rule, ruleSchema } from "./rule.ts";

/**
 * Reads rules from JSON or YAML: one rule, an array of rules, or `{rules: […]}`; each is checked (`checkRule`).
 * `hint` says what the text is, where that is known; else what does not read as JSON is YAML.
 * Throws `alerts.invalid-rule` with `rule` (its name, or `#` and its number from 1), `field` and `reason`;
 * `request.malformed` for a text that is neither, and `request.too-large` for one of more than 256 KiB.
 */
export function parseRules(text: string, hint?: "json" | "yaml"): Rule[] {
  if (Buffer.byteLength(text) > rulesTextBytesMax) {
    throw new ServiceError("request.too-large", "the rules are too long", {
      bytesMax: rulesTextBytesMax,
    });
  }
  const forms = formsOf(parsedText(text, hint));
  if (forms.length > rulesPerTextMax) {
    throw new ServiceError("request.too-large", "there are too many rules in one text", {
      rulesMax: rulesPerTextMax,
    });
  }
  const rules = forms.map((form, i) => ruleOf(form, i + 1));
  const names = new Set<string>();
  for (const { name } of rules) {
    if (names.has(name)) throw invalidRule(name, "name", "is there twice");
    names.add(name);
  }
  return rules;
}

function parsedText(text: string, hint: "json" | "yaml" | undefined): unknown {
  if (hint !== "yaml") {
    try {
      return JSON.parse(text) as unknown;
    } catch (thrown) {
      if (hint === "json") throw malformed("JSON", messageOf(thrown), thrown);
    }
  }
  try {
    // Its own look for keys that are there twice compares each with each.
    const document = parseDocument(text, { prettyErrors: true, uniqueKeys: false });
    const [error] = document.errors;
    if (error !== undefined) throw error;
    refuseSameKeys(document);
    // Aliases are counted as they are expanded: a few lines cannot become gigabytes.
    return document.toJS({ maxAliasCount: yamlAliasesMax }) as unknown;
  } catch (thrown) {
    throw malformed("YAML", messageOf(thrown).split("\n")[0]?.replace(/:$/, "") ?? "", thrown);
  }
}

/** Throws when a map has a key twice, of which one would silently count. */
function refuseSameKeys(document: Document): void {
  visit(document, {
    Map(_, { items }) {
      const keys = new Set<unknown>();
      for (const { key } of items) {
        if (!isScalar(key)) continue;
        if (keys.has(key.value)) throw new Error(`the key ${String(key.value)} is there twice`);
        keys.add(key.value);
      }
    },
  });
}

function malformed(form: string, reason: string, cause: unknown): ServiceError {
  const message = `the rules cannot be read as ${form}: ${reason}`;
  return new ServiceError("request.malformed", message, {}, { cause });
}

function formsOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  if (typeof value !== "object" || value === null) {
    throw new ServiceError("request.malformed", "there is no rule: one rule or a list of them");
  }
  if (!("rules" in value)) return [value];
  const other = Object.keys(value).find((key) => key !== "rules");
  if (other === undefined && Array.isArray(value.rules)) return value.rules;
  const reason =
    other === undefined ? "rules must be a list" : `${other} is not known beside rules`;
  throw new ServiceError("request.malformed", reason);
}

function ruleOf(form: unknown, number: number): Rule {
  const name = nameOf(form) ?? `#${number}`;
  const parsed = ruleSchema.safeParse(form);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    if (issue === undefined) throw invalidRule(name, "rule", "is not valid");
    const { field, reason } = problemOf(issue, form);
    throw invalidRule(name, field, reason);
  }
  checkRule(parsed.data);
  return parsed.data;
}

function nameOf(form: unknown): string | undefined {
  if (typeof form !== "object" || form === null || !("name" in form)) return undefined;
  return typeof form.name === "string" && form.name !== "" ? form.name.slice(0, 100) : undefined;
}

function problemOf(
  issue: z.core.$ZodIssue,
  form: unknown,
): { readonly field: string; readonly reason: string } {
  const field = pathText(issue.path);
  switch (issue.code) {
    case "unrecognized_keys":
      return { field: pathText([...issue.path, issue.keys[0] ?? ""]), reason: "is not known" };
    case "invalid_union":
      return { field, reason: "must be a time as 15s" };
    case "invalid_type": {
      const isMissing = valueAt(form, issue.path) === undefined;
      const article = /^[aeio]/.test(issue.expected) ? "an" : "a";
      return { field, reason: isMissing ? "is missing" : `must be ${article} ${issue.expected}` };
    }
    case "invalid_value":
      return { field, reason: `must be one of ${issue.values.map(String).join(", ")}` };
    case "too_big":
      return { field, reason: `is longer than ${issue.maximum}` };
    case "too_small":
      return { field, reason: "must not be empty" };
    default:
      return { field, reason: issue.message };
  }
}

/** `notify[0].webhook.url`; `rule` for the whole. */
function pathText(path: readonly PropertyKey[]): string {
  const text = path
    .map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`))
    .join("");
  return text === "" ? "rule" : text.replace(/^\./, "");
}

function valueAt(form: unknown, path: readonly PropertyKey[]): unknown {
  let value = form;
  for (const part of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[part];
  }
  return value;
}
