import * as alerts from "./alerts.ts";
import * as answers from "./answers.ts";
import { auditAnswerSchema, auditParams } from "./audit.ts";
import * as backup from "./backup.ts";
import { clusterRoutes } from "./cluster-routes.ts";
import * as config from "./config.ts";
import * as deletes from "./deletes.ts";
import * as params from "./params.ts";
import { retentionAnswerSchema, retentionParams } from "./retention.ts";
import { type Answer, busy, closed, json, ok, problem, type Route } from "./route.ts";
import type { Scope } from "./scopes.ts";

export type { Answer, Method, Route } from "./route.ts";

const ndjson = "application/x-ndjson";
const parquet = "application/vnd.apache.parquet";
const form = "application/x-www-form-urlencoded";
const rulesMedia = [json, "application/yaml", "text/yaml", "application/x-yaml"];

/** What changes of rules may answer. */
const ruleProblems: readonly Answer[] = [problem(400), problem(412), ...busy(422)];

const ruleConditions = [
  { name: "If-Match", description: "Only if the rule has this version." },
  { name: "If-None-Match", description: "*: only if there is no such rule." },
];

const askProblems: readonly Answer[] = [problem(400), ...busy(422), problem(504)];

/** The REST contract of our own API, in the order of its documentation. */
export const routes: readonly Route[] = [
  {
    id: "ship",
    methods: ["post"],
    path: "/api/v1/logs",
    summary: "Stores records; answered when they are on disk.",
    scope: "write",
    query: params.logsParams,
    headers: [
      { name: "X-Logkeep-Tenant", description: "The tenant (that of the key)." },
      { name: "Idempotency-Key", description: "A repeat with the same body stores nothing again." },
      { name: "Content-Encoding", description: "gzip, zstd or deflate." },
    ],
    body: { media: [ndjson, json, "text/plain"] },
    answers: [ok("What was stored.", answers.ingestAnswerSchema), problem(400), ...busy(422)],
  },
  {
    ...ask("query", "/api/v1/query", "Answers a query, streaming, newest first unless sorted."),
    query: params.queryParams,
    answers: [
      { status: 200, description: "A row a line.", media: ndjson, schema: answers.recordSchema },
      ok("One document, with Accept: application/json.", answers.queryAnswerSchema),
      { status: 200, description: "With Accept: text/csv.", media: "text/csv" },
      ...askProblems,
    ],
  },
  {
    ...ask("export", "/api/v1/export", "Gives all records of a query, however many, resumably."),
    query: params.exportParams,
    headers: [{ name: "Accept-Encoding", description: "gzip or zstd; Parquet is never encoded." }],
    answers: [
      { status: 200, description: "A record a line.", media: ndjson, schema: answers.recordSchema },
      { status: 200, description: "With format=csv.", media: "text/csv" },
      { status: 200, description: "With format=parquet.", media: parquet },
      ...askProblems,
    ],
  },
  {
    ...ask(
      "explain",
      "/api/v1/query/explain",
      "Says how a query is run, and what running it takes.",
    ),
    query: params.explainParams,
    answers: [
      ok("The plan.", answers.explainAnswerSchema),
      { status: 200, description: "With Accept: text/plain.", media: "text/plain" },
      ...askProblems,
    ],
  },
  {
    ...ask("complete", "/api/v1/query/complete", "What can stand at a place of a query."),
    query: params.completeParams,
    answers: [ok("Words, fields and values.", answers.completionAnswerSchema), ...askProblems],
  },
  {
    ...ask("histogram", "/api/v1/histogram", "Counts matching records by time."),
    query: params.histogramParams,
    answers: [ok("Counts.", answers.histogramAnswerSchema), ...askProblems],
  },
  {
    ...ask("fields", "/api/v1/fields", "The fields of matching records."),
    query: params.rangeParams,
    answers: [ok("Fields, the most frequent first.", answers.fieldsAnswerSchema), ...askProblems],
  },
  {
    ...ask("fieldValues", "/api/v1/fields/{name}/values", "The values of a field."),
    query: params.rangeParams,
    pathParams: params.fieldPath,
    answers: [ok("Values, the most frequent first.", answers.valuesAnswerSchema), ...askProblems],
  },
  {
    ...ask("streams", "/api/v1/streams", "The streams of matching records."),
    query: params.rangeParams,
    answers: [ok("Streams, the largest first.", answers.streamsAnswerSchema), ...askProblems],
  },
  {
    ...ask("context", "/api/v1/context", "The records around one, in its stream."),
    query: params.contextParams,
    answers: [ok("The neighbours.", answers.contextAnswerSchema), problem(404), ...askProblems],
  },
  {
    id: "tail",
    methods: ["get"],
    path: "/api/v1/tail",
    summary: "Follows matching records as they are committed.",
    scope: "read",
    query: params.tailParams,
    headers: [{ name: "Last-Event-ID", description: "Resumes after this event." }],
    answers: [
      {
        status: 200,
        description:
          "Server-sent events: `start` (its id resumes from here), `record` (data is the record, id resumes " +
          'after it), `dropped` (data is {"dropped":N}: the reader was too slow), `error` (data is ' +
          '{"code":…,"detail":…}; the stream ends).',
        media: "text/event-stream",
      },
      ...askProblems,
    ],
  },
  {
    id: "alertRules",
    methods: ["get"],
    path: "/api/v1/alerting/rules",
    summary: "The tenant's rules with their states, secrets masked.",
    scope: "read",
    answers: [ok("Rules, by name.", alerts.rulesAnswerSchema), ...closed],
  },
  {
    id: "alertRulesApply",
    methods: ["post"],
    path: "/api/v1/alerting/rules",
    summary: "Creates or changes rules: one, an array, or {rules: […]}; nothing when one is wrong.",
    scope: "admin",
    body: { media: rulesMedia, schema: alerts.ruleRequestSchema },
    answers: [ok("What became of each.", alerts.rulesAppliedSchema), ...ruleProblems],
  },
  {
    id: "alertRule",
    methods: ["get"],
    path: "/api/v1/alerting/rules/{name}",
    summary: "A rule; its version is the ETag.",
    scope: "read",
    pathParams: params.rulePath,
    answers: [ok("The rule.", alerts.ruleListedSchema), problem(404), ...closed],
  },
  {
    id: "alertRulePut",
    methods: ["put"],
    path: "/api/v1/alerting/rules/{name}",
    summary: "Creates or replaces a rule; a masked secret stays as it is.",
    scope: "admin",
    pathParams: params.rulePath,
    headers: ruleConditions,
    body: { media: rulesMedia, schema: alerts.ruleRequestSchema },
    answers: [
      ok("Replaced.", alerts.ruleListedSchema),
      { status: 201, description: "Created.", media: json, schema: alerts.ruleListedSchema },
      ...ruleProblems,
    ],
  },
  {
    id: "alertRuleDelete",
    methods: ["delete"],
    path: "/api/v1/alerting/rules/{name}",
    summary: "Deletes a rule; what it fired is resolved.",
    scope: "admin",
    pathParams: params.rulePath,
    headers: ruleConditions.slice(0, 1),
    answers: [
      { status: 204, description: "It is gone." },
      problem(404),
      problem(412),
      problem(503),
      ...closed,
    ],
  },
  {
    id: "alertRuleTest",
    methods: ["post"],
    path: "/api/v1/alerting/rules/{name}/test",
    summary:
      "Sends a test notification to every receiver of the rule in the body, or without one of the rule that is kept.",
    scope: "admin",
    pathParams: params.rulePath,
    body: { media: rulesMedia, schema: alerts.ruleRequestSchema },
    answers: [
      ok("What each receiver said.", alerts.alertTestSchema),
      problem(400),
      problem(404),
      problem(503),
      ...closed,
    ],
  },
  {
    id: "alerts",
    methods: ["get"],
    path: "/api/v1/alerting/alerts",
    summary: "The alerts that are pending or fire.",
    scope: "read",
    answers: [
      ok("Alerts, those that fire first.", alerts.alertsAnswerSchema),
      problem(503),
      ...closed,
    ],
  },
  {
    id: "alertHistory",
    methods: ["get"],
    path: "/api/v1/alerting/history",
    summary: "Notifications and what became of them.",
    scope: "read",
    query: params.alertHistoryParams,
    answers: [
      ok("Notifications, newest first.", alerts.alertHistorySchema),
      problem(400),
      problem(503),
      ...closed,
    ],
  },
  prometheus("prometheusRules", "rules", "Rules in Prometheus' shape."),
  prometheus("prometheusAlerts", "alerts", "Alerts in Prometheus' shape."),
  {
    id: "keysList",
    methods: ["get"],
    path: "/api/v1/keys",
    summary: "The keys, without their secrets.",
    scope: "admin",
    answers: [ok("Keys, the oldest first.", answers.keysAnswerSchema), ...closed],
  },
  {
    id: "keysCreate",
    methods: ["post"],
    path: "/api/v1/keys",
    summary: "Makes a key; its token is shown this once.",
    scope: "admin",
    body: { media: [json], schema: params.keyCreateBody },
    answers: [
      { status: 201, description: "The key.", media: json, schema: answers.keyCreatedSchema },
      problem(400),
      ...closed,
    ],
  },
  {
    id: "keysRevoke",
    methods: ["delete"],
    path: "/api/v1/keys/{id}",
    summary: "Revokes a key by its id.",
    scope: "admin",
    pathParams: params.keyPath,
    answers: [{ status: 204, description: "It holds no longer." }, problem(404), ...closed],
  },
  {
    id: "deletesCreate",
    methods: ["post"],
    path: "/api/v1/deletes",
    summary: "Deletes the records that match a filter: at once for queries, then from the disk.",
    scope: "delete",
    body: { media: [json], schema: deletes.deleteRequestSchema },
    answers: [
      ok("With dryRun: how many match.", deletes.deleteDryRunSchema),
      {
        status: 202,
        description: "No query finds them any more; files are rewritten.",
        media: json,
        schema: deletes.deleteSchema,
      },
      problem(400),
      problem(429),
      problem(503),
      problem(504),
      ...closed,
    ],
  },
  {
    id: "deletesList",
    methods: ["get"],
    path: "/api/v1/deletes",
    summary: "The tenant's deletes, those under way and the last that are done.",
    scope: "delete",
    answers: [ok("Deletes, newest first.", deletes.deletesAnswerSchema), problem(503), ...closed],
  },
  {
    id: "deletesGet",
    methods: ["get"],
    path: "/api/v1/deletes/{id}",
    summary: "How far a delete has come.",
    scope: "delete",
    pathParams: deletes.deletePath,
    answers: [ok("The delete.", deletes.deleteSchema), problem(404), problem(503), ...closed],
  },
  {
    id: "backupStart",
    methods: ["post"],
    path: "/api/v1/backup",
    summary: "Seals what is stored and holds its files, to be copied; logkeep backup does.",
    scope: "admin",
    answers: [
      {
        status: 201,
        description: "The files, and what else a backup holds.",
        media: json,
        schema: backup.backupStartedSchema,
      },
      problem(429),
      problem(503),
      ...closed,
    ],
  },
  {
    id: "backupFile",
    methods: ["get"],
    path: "/api/v1/backup/{id}/files/{shard}/{file}",
    summary: "A file of a backup that was begun.",
    scope: "admin",
    pathParams: backup.backupFilePath,
    answers: [
      { status: 200, description: "Its bytes.", media: "application/octet-stream" },
      problem(404),
      ...closed,
    ],
  },
  {
    id: "backupEnd",
    methods: ["delete"],
    path: "/api/v1/backup/{id}",
    summary: "Lets go of the files; it happens by itself when none was asked for in five minutes.",
    scope: "admin",
    pathParams: backup.backupPath,
    answers: [{ status: 204, description: "They are held no more." }, ...closed],
  },
  ...clusterRoutes,
  {
    id: "retention",
    methods: ["get"],
    path: "/api/v1/retention",
    summary:
      "What is kept for how long, by tenant and class; the oldest record and what goes next.",
    scope: "read",
    query: retentionParams,
    answers: [ok("As it is now.", retentionAnswerSchema), problem(400), ...closed],
  },
  {
    id: "config",
    methods: ["get"],
    path: "/api/v1/config",
    summary: "What is set for the whole cluster, and with what the node that answers runs.",
    scope: "admin",
    answers: [ok("As it is now.", config.configAnswerSchema), ...closed],
  },
  {
    id: "configChange",
    methods: ["put"],
    path: "/api/v1/config/{section}",
    summary: "Sets, unsets or rolls back settings of one section for the whole cluster.",
    scope: "admin",
    pathParams: params.sectionPath,
    body: { media: [json], schema: config.configChangeSchema },
    answers: [
      ok("The section's new version.", config.configChangedSchema),
      ...[problem(400), problem(404), problem(412), problem(503)],
      ...closed,
    ],
  },
  {
    id: "configHistory",
    methods: ["get"],
    path: "/api/v1/config/{section}/history",
    summary: "The versions of a section that can be gone back to.",
    scope: "admin",
    pathParams: params.sectionPath,
    answers: [ok("Versions.", config.configHistorySchema), problem(404), ...closed],
  },
  {
    id: "audit",
    methods: ["get"],
    path: "/api/v1/audit",
    summary: "Who changed settings, keys and rules; a chain of hashes that can be checked.",
    scope: "admin",
    query: auditParams,
    answers: [ok("Entries.", auditAnswerSchema), problem(400), problem(503), ...closed],
  },
  open("metrics", "/metrics", "Metrics in Prometheus' text format.", "text/plain", "read"),
  open("healthz", "/healthz", "200 while the process works.", "text/plain"),
  open("readyz", "/readyz", "200 when it serves; 503 and why while it does not.", "text/plain"),
  open("openapi", "/openapi.json", "This contract.", json),
];

/** The route of an id, which must exist. */
export function routeOf(id: string): Route {
  const found = routes.find((route) => route.id === id);
  if (found === undefined) throw new RangeError(`no route ${id}`);
  return found;
}

/** A route that reads records, by GET or, for long queries, by POST of a form. */
function ask(id: string, path: string, summary: string) {
  return {
    id,
    methods: ["get", "post"],
    path,
    summary,
    scope: "read",
    body: { media: [form] },
  } as const;
}

function open(id: string, path: string, summary: string, media: string, scope?: Scope): Route {
  const answer = { status: 200, description: summary, media };
  return { id, methods: ["get"], path, summary, scope, answers: [answer] };
}

function prometheus(id: string, name: string, summary: string): Route {
  const answer = { status: 200, description: summary, media: json };
  const path = `/prometheus/api/v1/${name}`;
  const answers = [answer, problem(503), ...closed];
  return { id, methods: ["get"], path, summary, scope: "read", answers };
}
