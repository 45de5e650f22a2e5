import { auditParams } from "../../../api/src/audit.ts";
import type { AuditService } from "../audit/audit-service.ts";
import type { App } from "./app.ts";
import { parseParams } from "./query-options.ts";

/** Entries of an answer without a wish. */
const limitDefault = 1000;

/** `/api/v1/audit`: who changed what. */
export function mountAudit(app: App, audit: AuditService): void {
  app.mount("get", "/api/v1/audit", "admin", async (request, response) => {
    const { limit = limitDefault, after } = parseParams(auditParams, request);
    response.json(await audit.read(limit, after));
  });
}
