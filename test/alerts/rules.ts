import assert from "node:assert/strict";
import type { Alert, AlertEvent, RuleListed } from "../../api/src/alerts.ts";
import type { Service } from "../service.ts";
import { secret } from "./receiver.ts";

export const base = "/api/v1/alerting";

/** A rule as a user writes it. */
export function ruleOf(
  rule: Readonly<Record<string, unknown>> & { readonly name: string },
  ...urls: readonly string[]
): Record<string, unknown> {
  return {
    type: rule["condition"] === undefined ? "match" : "threshold",
    notify: urls.map((url) => ({ webhook: { url, secret } })),
    ...rule,
  };
}

export interface Asked {
  readonly method?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One request to the REST API; a body that is no text is sent as JSON. */
export async function ask(
  service: Pick<Service, "http">,
  path: string,
  { method = "GET", body, headers = {} }: Asked = {},
): Promise<{ status: number; json: Record<string, unknown>; etag: string | null }> {
  const response = await fetch(service.http + path, {
    method,
    headers: body === undefined ? headers : { "Content-Type": "application/json", ...headers },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const json = (text === "" ? {} : JSON.parse(text)) as Record<string, unknown>;
  return { status: response.status, json, etag: response.headers.get("etag") };
}

export async function apply(
  service: Pick<Service, "http">,
  ...rules: readonly Record<string, unknown>[]
): Promise<void> {
  const { status, json } = await ask(service, `${base}/rules`, { method: "POST", body: rules });
  assert.equal(status, 200, JSON.stringify(json));
}

export async function alertsOf(service: Pick<Service, "http">): Promise<Alert[]> {
  return (await ask(service, `${base}/alerts`)).json["alerts"] as Alert[];
}

export async function historyOf(service: Pick<Service, "http">): Promise<AlertEvent[]> {
  return (await ask(service, `${base}/history`)).json["events"] as AlertEvent[];
}

export async function listedRule(
  service: Pick<Service, "http">,
  name: string,
): Promise<RuleListed> {
  const { status, json } = await ask(service, `${base}/rules/${encodeURIComponent(name)}`);
  assert.equal(status, 200, JSON.stringify(json));
  return json as unknown as RuleListed;
}
