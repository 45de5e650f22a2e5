import { z } from "zod";

import { checkRule } from "../../alerts/src/check-rule.ts";
import type { StoredRule } from "../../alerts/src/ports.ts";
import { type Rule, ruleSchema } from "../../alerts/src/rule.ts";
import type { Stat } from "../../coordinator/src/wire/records.ts";
import { ServiceError } from "../../kit/src/errors.ts";
import { tenantPattern, znodeBytesMax } from "./limits.ts";
import { paths } from "./paths.ts";
import { encodeZnode } from "./znode-data.ts";

/** What the znode of a rule holds; its version and its path say the rest. */
const ruleZnodeSchema = z.object({
  id: z.string().min(1).max(64),
  rule: ruleSchema,
  createdMs: z.int().nonnegative(),
  updatedMs: z.int().nonnegative(),
});
export type RuleZnode = z.output<typeof ruleZnodeSchema>;

/** The znode of a rule. Throws `alerts.invalid-rule` for a name that no path can hold. */
export function rulePath(tenant: string, name: string): string {
  if (!name.isWellFormed()) {
    throw new ServiceError("alerts.invalid-rule", "name: must be well-formed Unicode", {});
  }
  return `${paths.tenantRules(tenant)}/${encodeURIComponent(name)}`;
}

/** Whose rule lies at a path, and its name; undefined for what is no place of a rule. */
export function rulePlace(path: string): { tenant: string; name: string } | undefined {
  const [tenant = "", encoded = "", ...rest] = path.slice(paths.alerts.length + 1).split("/");
  if (!path.startsWith(`${paths.alerts}/`) || encoded === "" || rest.length > 0) return undefined;
  if (!tenantPattern.test(tenant)) return undefined;
  try {
    return { tenant, name: decodeURIComponent(encoded) };
  } catch {
    return undefined;
  }
}

/** Throws `alerts.invalid-rule` when the rule does not fit a znode. */
export function encodeRule(znode: RuleZnode): Buffer {
  // Measured before it is asserted: how long a rule prints is up to its author.
  if (Buffer.byteLength(JSON.stringify(znode)) > znodeBytesMax) {
    throw new ServiceError("alerts.invalid-rule", "the rule is too long", {
      rule: znode.rule.name,
      bytesMax: znodeBytesMax,
    });
  }
  return encodeZnode(znode);
}

/**
 * The rule of a znode. Whoever writes one by hand may leave out everything but the rule itself, in the form in which users
 * write rules. Throws with the reason why it cannot be read.
 */
export function decodeRule(path: string, data: Buffer | null, stat: Stat): StoredRule {
  const place = rulePlace(path);
  if (place === undefined) throw new Error("the path is no place of a rule");
  const value: unknown = JSON.parse((data ?? Buffer.alloc(0)).toString());
  const { id, rule, createdMs, updatedMs } = isWhole(value)
    ? ruleZnodeSchema.parse(value)
    : {
        // Another znode of this name later has another one.
        id: `z${stat.czxid.toString(16)}`,
        rule: ruleSchema.parse(value),
        createdMs: Number(stat.ctime),
        updatedMs: Number(stat.mtime),
      };
  if (rulePath(place.tenant, rule.name) !== path) {
    throw new Error(`it holds a rule whose name is of another path: ${rule.name}`);
  }
  checkRule(rule);
  return { tenant: place.tenant, id, version: stat.version, rule, createdMs, updatedMs };
}

function isWhole(value: unknown): boolean {
  return typeof value === "object" && value !== null && "rule" in value;
}

/** Whether two rules mean the same, whatever the order of their fields. */
export function isSameRule(a: Rule, b: Rule): boolean {
  return canonical(a) === canonical(b);
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([x], [y]) => (x < y ? -1 : 1)))
      : inner,
  );
}
