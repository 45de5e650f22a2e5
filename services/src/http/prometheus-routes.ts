import type { Alert, RuleListed } from "../../../api/src/alerts.ts";
import { parseDurationMs } from "../../../config/src/quantity.ts";
import type { AlertsService } from "../alerts/alerts-service.ts";
import { listed } from "./alert-routes.ts";
import type { App } from "./app.ts";

/** `/prometheus/api/v1/rules` and `/alerts`: rules and alerts in Prometheus' shapes, for what reads those. */
export function mountPrometheus(app: App, alerts: AlertsService): void {
  app.mount("get", "/prometheus/api/v1/rules", "read", (_, response, { tenant }) => {
    const active = alerts.running.alerts(tenant);
    const rules = listed(alerts, tenant).map((rule) => ruleOf(rule, active));
    const groups = rules.length === 0 ? [] : [{ ...group, name: tenant, rules }];
    response.json({ status: "success", data: { groups } });
  });
  app.mount("get", "/prometheus/api/v1/alerts", "read", (_, response, { tenant }) => {
    const found = alerts.running.alerts(tenant).map(alertOf);
    response.json({ status: "success", data: { alerts: found } });
  });
}

/** Rules have no groups here: all of a tenant are one. */
const group = { file: "", interval: 0, limit: 0, evaluationTime: 0, lastEvaluation: neverText() };

function ruleOf({ rule, state, evaluatedAt, error }: RuleListed, active: readonly Alert[]) {
  return {
    state,
    name: rule.name,
    query: rule.condition === undefined ? rule.query : `${rule.query} ${rule.condition}`,
    duration: secondsOf(rule.for),
    keepFiringFor: secondsOf(rule.keepFor),
    labels: rule.labels,
    annotations: {},
    alerts: active.filter((alert) => alert.rule === rule.name).map(alertOf),
    health: error === undefined ? (evaluatedAt === undefined ? "unknown" : "ok") : "err",
    ...(error === undefined ? {} : { lastError: error }),
    evaluationTime: 0,
    lastEvaluation: evaluatedAt ?? neverText(),
    type: "alerting",
  };
}

function alertOf({ rule, status, labels, count, activeAt, link }: Alert) {
  return {
    labels: { ...labels, alertname: rule },
    annotations: { link },
    state: status,
    activeAt,
    value: String(count),
  };
}

function secondsOf(duration: string): number {
  return (parseDurationMs(duration) ?? 0) / 1000;
}

/** How Prometheus says that something never was. */
function neverText(): string {
  return "0001-01-01T00:00:00Z";
}
