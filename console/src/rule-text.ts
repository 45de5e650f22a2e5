import type { RuleForm } from "../../api/src/alerts.ts";

/** Words that YAML reads as something else than a text. */
const reserved = /^(true|false|null|yes|no|on|off|y|n)$/i;
/** Texts that need no quotes anywhere: a duration, or words (not `e0`) without a sign that YAML gives a meaning. */
const plain = /^(?:\d+(?:ms|s|m|h|d)|[A-Za-z]{2}[\w.\-/=]*(?:[ :][\w.\-/=]+)*)$/;

/** The rule as YAML, as `logkeep alerts apply` reads it; secrets are whatever stands in the rule for them. */
export function ruleYaml(rule: RuleForm): string {
  const lines = [
    `name: ${scalar(rule.name)}`,
    `type: ${rule.type}`,
    `query: ${scalar(rule.query)}`,
  ];
  for (const field of ["condition", "every", "for", "keepFor"] as const) {
    const text = rule[field];
    if (text !== undefined) lines.push(`${field}: ${scalar(text)}`);
  }
  const labels = Object.entries(rule.labels);
  lines.push(labels.length === 0 ? "labels: {}" : "labels:");
  for (const [name, value] of labels) lines.push(`  ${scalar(name)}: ${scalar(value)}`);
  lines.push(rule.notify.length === 0 ? "notify: []" : "notify:");
  for (const { webhook } of rule.notify) {
    lines.push("  - webhook:", `      url: ${scalar(webhook.url)}`);
    if (webhook.secret !== undefined) lines.push(`      secret: ${scalar(webhook.secret)}`);
  }
  return `${lines.join("\n")}\n`;
}

function scalar(text: string): string {
  if (plain.test(text) && !reserved.test(text)) return text;
  // JSON's quotes are YAML's, but for characters that YAML does not let stand as they are.
  return JSON.stringify(text).replace(
    /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
