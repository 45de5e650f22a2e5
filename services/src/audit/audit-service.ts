import type { AuditAnswer, AuditLink } from "../../../api/src/audit.ts";
import { auditHead, foldAudit } from "../../../cluster/src/audit/folder.ts";
import type { Cluster } from "../../../cluster/src/cluster.ts";
import { inTime } from "../../../cluster/src/in-time.ts";
import { paths } from "../../../cluster/src/paths.ts";
import type { RoleElection } from "../../../coordinator/src/recipes/role-election.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { Closable } from "../../../kit/src/lifecycle.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import { recordsOf } from "../../../query/src/engine/encode.ts";
import { runQuery } from "../../../query/src/engine/run.ts";
import { parseQuery } from "../../../query/src/language/parse.ts";
import { journalTenant } from "../alerts/journal.ts";
import type { QueryIndex } from "../query-index.ts";
import { type AuditSinkDeps, auditStream, StoreAuditSink } from "./audit-sink.ts";
import { auditReadMs } from "./limits.ts";

export interface AuditServiceDeps extends Omit<AuditSinkDeps, "clusterId" | "shardCount"> {
  readonly cluster: Cluster;
  /** The journal lies in our own segments, whatever else answers queries. */
  readonly index: QueryIndex;
  readonly logger: Logger;
}

/** The audit journal: folded into storage by one node of the cluster, read by any. */
export class AuditService implements Closable {
  readonly #deps: AuditServiceDeps;
  readonly #sink: StoreAuditSink;
  readonly #election: RoleElection;

  constructor(deps: AuditServiceDeps) {
    this.#deps = deps;
    const { cluster, logger } = deps;
    this.#sink = new StoreAuditSink({ ...deps, clusterId: cluster.id, shardCount: cluster.shards });
    const { client } = cluster;
    this.#election = cluster.elect("folder", {
      run: (term) => foldAudit(term, { client, sink: this.#sink, logger }),
      onFailure: (thrown) =>
        logger.warn({ err: thrown }, "the audit journal is not folded, trying again"),
    });
  }

  /** The latest entries, or those behind a number. Rejects with `query.partial` when some cannot be read, and as `inTime`. */
  async read(limit: number, after: number | undefined): Promise<AuditAnswer> {
    const { client } = this.#deps.cluster;
    // The head first: what is folded meanwhile is behind it, and is no fault.
    const { head, children } = await inTime(client, async () => {
      const end = await auditHead(client);
      const { children: names } = await client.getChildren(paths.audit);
      return { head: end, children: names };
    });
    const wanted =
      after === undefined
        ? "| sort by (number desc)"
        : `number:>${after} number:<=${head.count} | sort by (number)`;
    const entries = await this.#ask(`{stream="${auditStream}"} ${wanted} | limit ${limit}`);
    return { head, waiting: children.length, entries };
  }

  async close(): Promise<void> {
    await this.#election.close();
    await this.#sink.close();
  }

  async #ask(text: string): Promise<AuditLink[]> {
    const times = { timeoutMs: auditReadMs, signal: undefined };
    const answer = await runQuery({
      ...{ ...this.#deps.index.answering(times), ...times, tenant: journalTenant },
      query: parseQuery(text),
      range: { from: { ms: 0, ns: 0 }, to: { ms: Number.MAX_SAFE_INTEGER, ns: 0 } },
      partial: "deny",
    });
    const found: AuditLink[] = [];
    for await (const batch of answer.rows) {
      for (const { number, czxid = "", hash = "", entry = "" } of recordsOf(batch)) {
        found.push({ number: Number(number), czxid, hash, entry });
      }
    }
    if (answer.summary().status === "complete") return found;
    throw new ServiceError("query.partial", "part of the audit journal cannot be read now");
  }
}
