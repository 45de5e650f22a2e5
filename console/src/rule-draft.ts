import type { RuleForm } from "../../api/src/alerts.ts";
import type { Problem } from "./api.ts";

/** A rule while it is being typed: all texts, each list in the order in which it is shown. */
export interface RuleDraft {
  readonly name: string;
  readonly type: RuleForm["type"];
  readonly query: string;
  readonly condition: string;
  readonly every: string;
  readonly for: string;
  readonly keepFor: string;
  readonly labels: readonly { readonly name: string; readonly value: string }[];
  readonly webhooks: readonly { readonly url: string; readonly secret: string }[];
}

/** What is sent: what is left out gets its default from the service. */
export type RuleRequest = Pick<RuleForm, "name" | "type" | "query" | "labels" | "notify"> &
  Partial<RuleForm>;

/** A new rule for a query; one that counts makes a threshold. */
export function draftFor(query: string): RuleDraft {
  const counts = /\|\s*stats\b/i.test(query);
  return {
    name: "",
    type: counts ? "threshold" : "match",
    query: query === "*" ? "" : query,
    condition: "",
    every: "",
    for: "",
    keepFor: "",
    labels: [],
    webhooks: [{ url: "", secret: "" }],
  };
}

/** A stored rule to be edited. What stands for its secrets goes back as it is, which keeps them. */
export function draftOf(rule: RuleForm): RuleDraft {
  return {
    name: rule.name,
    type: rule.type,
    query: rule.query,
    condition: rule.condition ?? "",
    every: rule.every ?? "",
    for: rule.for,
    keepFor: rule.keepFor,
    labels: Object.entries(rule.labels).map(([name, value]) => ({ name, value })),
    webhooks: rule.notify.map(({ webhook: { url, secret = "" } }) => ({ url, secret })),
  };
}

/** The rule as it is sent; what is not of its type and what was left empty is left out. */
export function requestOf(draft: RuleDraft): RuleRequest {
  const timing = draft.type === "match" ? (["keepFor"] as const) : thresholdFields;
  const texts = timing
    .map((field) => [field, draft[field].trim()] as const)
    .filter(([, text]) => text !== "");
  return {
    name: draft.name.trim(),
    type: draft.type,
    query: draft.query.trim(),
    ...Object.fromEntries(texts),
    labels: Object.fromEntries(
      draft.labels.filter((label) => !isEmptyLabel(label)).map(({ name, value }) => [name, value]),
    ),
    notify: draft.webhooks
      .filter((webhook) => !isEmptyWebhook(webhook))
      .map(({ url, secret }) => ({
        webhook: { url: url.trim(), ...(secret === "" ? {} : { secret }) },
      })),
  };
}

const thresholdFields = ["condition", "every", "for", "keepFor"] as const;

/** What a problem says, and of which input of the form; without one it is of the whole. */
export interface FieldProblem {
  readonly input: string | undefined;
  readonly text: string;
}

const nameTaken = "is the name of another rule";

/** What can be told before anything is sent: what would be lost or replaced without a word. */
export function problemBefore(
  draft: RuleDraft,
  namesTaken: readonly string[],
): FieldProblem | undefined {
  const name = draft.name.trim();
  if (name === "") return { input: "name", text: "is missing" };
  // They mean another path where a path holds them.
  if (name === "." || name === "..") return { input: "name", text: "must not be dots alone" };
  if (namesTaken.includes(name)) return { input: "name", text: nameTaken };
  const names = new Set<string>();
  for (const [at, label] of draft.labels.entries()) {
    if (isEmptyLabel(label)) continue;
    if (label.name === "") return { input: `label-name-${at}`, text: "is missing" };
    if (names.has(label.name)) return { input: `label-name-${at}`, text: "is there twice" };
    names.add(label.name);
  }
  return undefined;
}

/** Where in the form a problem of the service belongs. */
export function fieldProblemOf(problem: Problem, draft: RuleDraft, isNew: boolean): FieldProblem {
  const { field = "", reason = problem.detail, code } = problem;
  if (isNew && code === "alerts.version-mismatch") return { input: "name", text: nameTaken };
  const input = inputOf(field, draft);
  if (input === undefined) return { input, text: problem.detail };
  const meant = problem.suggestion === undefined ? "" : ` Did you mean ${problem.suggestion}?`;
  return { input, text: `${reason}${meant}` };
}

/** The id of the input that holds a field, as `webhook-url-0` for `notify[0].webhook.url`. */
function inputOf(field: string, draft: RuleDraft): string | undefined {
  if (["name", "type", "query", ...thresholdFields].includes(field)) return field;
  if (field.startsWith("labels.")) {
    const name = field.slice("labels.".length);
    const at = draft.labels.findIndex((label) => !isEmptyLabel(label) && label.name === name);
    if (at < 0) return undefined;
    return `label-${draft.labels[at]?.value === "" ? "value" : "name"}-${at}`;
  }
  const webhook = /^notify(?:\[|\.)(\d+)\]?(?:\.webhook(?:\.(url|secret))?)?$/.exec(field);
  if (webhook === null) return undefined;
  // Empty ones were not sent, so the service counts without them.
  const sent = [...draft.webhooks.keys()].filter(
    (at) => !isEmptyWebhook(draft.webhooks[at] as RuleDraft["webhooks"][number]),
  );
  const at = sent[Number(webhook[1])];
  return at === undefined ? undefined : `webhook-${webhook[2] ?? "url"}-${at}`;
}

function isEmptyLabel({ name, value }: RuleDraft["labels"][number]): boolean {
  return name === "" && value === "";
}

function isEmptyWebhook({ url, secret }: RuleDraft["webhooks"][number]): boolean {
  return url.trim() === "" && secret === "";
}
