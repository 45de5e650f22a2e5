import type {
  Alert,
  AlertEvent,
  AlertHistory,
  AlertsAnswer,
  AlertTest,
  RuleListed,
  RulesAnswer,
} from "../../api/src/alerts.ts";
import { call } from "./api.ts";
import type { RuleRequest } from "./rule-draft.ts";

/** `/api/v1/alerting`, as the console uses it. All reject with an `ApiError` when the service says no. */

const base = "/api/v1/alerting";
/** Notifications that are shown. */
const historyLimit = 50;

export async function alerts(signal: AbortSignal): Promise<readonly Alert[]> {
  return (await json<AlertsAnswer>(call(`${base}/alerts`, { signal }))).alerts;
}

export async function rules(signal: AbortSignal): Promise<readonly RuleListed[]> {
  return (await json<RulesAnswer>(call(`${base}/rules`, { signal }))).rules;
}

export async function history(signal: AbortSignal): Promise<readonly AlertEvent[]> {
  const path = `${base}/history?limit=${historyLimit}`;
  return (await json<AlertHistory>(call(path, { signal }))).events;
}

export function rule(name: string, signal: AbortSignal): Promise<RuleListed> {
  return json(call(rulePath(name), { signal }));
}

/** Creates the rule of this name (no version), or replaces that version of it. */
export async function putRule(rule: RuleRequest, version: number | undefined): Promise<void> {
  const condition: Record<string, string> =
    version === undefined ? { "If-None-Match": "*" } : { "If-Match": `"${version}"` };
  await call(rulePath(rule.name), {
    method: "PUT",
    headers: { "Content-Type": "application/json", ...condition },
    body: JSON.stringify(rule),
  });
}

export async function deleteRule(name: string): Promise<void> {
  await call(rulePath(name), { method: "DELETE" });
}

export function testRule(name: string): Promise<AlertTest> {
  return json(call(`${rulePath(name)}/test`, { method: "POST" }));
}

function rulePath(name: string): string {
  return `${base}/rules/${encodeURIComponent(name)}`;
}

async function json<T>(answer: Promise<Response>): Promise<T> {
  return (await (await answer).json()) as T;
}
