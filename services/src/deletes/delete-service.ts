import { randomUUID } from "node:crypto";
import type { Delete } from "../../../api/src/deletes.ts";
import type { Settings } from "../../../config/src/schema.ts";
import type { Clock } from "../../../kit/src/clock.ts";
import { messageOf, ServiceError } from "../../../kit/src/errors.ts";
import type { Closable } from "../../../kit/src/lifecycle.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import { type Moment, momentPrint } from "../../../kit/src/time.ts";
import { collectAnswer } from "../../../query/src/engine/questions.ts";
import { compileFilter } from "../../../query/src/filter/compile.ts";
import type { FilterNode } from "../../../query/src/language/ast.ts";
import { parseQuery } from "../../../query/src/language/parse.ts";
import { printFilter } from "../../../query/src/language/print-filter.ts";
import { asksInternal } from "../../../query/src/plan/internal.ts";
import type { TimeRange } from "../../../query/src/source.ts";
import type { TombstoneStatus } from "../../../storage/src/shard/tombstone-progress.ts";
import { parseQuestion } from "../question.ts";
import type { Reading } from "../reading.ts";
import type { StorePart } from "../store-part.ts";
import type { DeleteLedger } from "./ledger.ts";
import { deletesMax, deletesTotalMax, lookEveryMs } from "./limits.ts";
import type { Tombstones } from "./tombstones.ts";

export interface DeleteServiceDeps {
  readonly stored: StorePart;
  readonly reading: Reading;
  readonly tombstones: Tombstones;
  readonly settings: Settings;
  readonly ledger: DeleteLedger;
  /** Of one tenant, under way; as `deletesMax` unless told. */
  readonly tenantMax?: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What is to be deleted, understood. */
export interface DeleteQuestion {
  readonly tenant: string;
  /** Its times resolved. */
  readonly filter: FilterNode;
  readonly range: TimeRange;
}

/** All times that a record can have. */
export const everyTime: TimeRange = {
  from: { ms: 0, ns: 0 },
  to: { ms: Number.MAX_SAFE_INTEGER, ns: 0 },
};

/** Deletes by query: joins tombstones of the store with the language of their filters, and says when they are done. */
export class DeleteService implements Closable {
  readonly #deps: DeleteServiceDeps;
  readonly #timer: NodeJS.Timeout;
  #looking: Promise<void> | undefined;

  constructor(deps: DeleteServiceDeps) {
    this.#deps = deps;
    this.#timer = setInterval(() => {
      this.#looking ??= this.#attempt();
    }, lookEveryMs).unref();
  }

  /** Deletes that are under way in the shards that are served here. */
  get liveCount(): number {
    return byDelete(this.#deps.tombstones.own()).size;
  }

  /** How many records match now. Throws as queries do. */
  async count({ tenant, filter, range }: DeleteQuestion, signal: AbortSignal): Promise<number> {
    const { reading, settings } = this.#deps;
    const { pipes } = parseQuery("* | stats count() rows");
    const { timeoutMs } = settings.query;
    const { rows } = await collectAnswer({
      ...reading.answering({ timeoutMs, signal }),
      tenant,
      query: { filter, pipes },
      range,
      limit: 1,
      timeoutMs,
      memoryBytesMax: settings.query.memoryMaxBytes,
      partial: "allow",
      signal,
    });
    return Number(rows[0]?.["rows"] ?? 0);
  }

  /**
   * Hides what matches; when this resolves, no query that begins finds it, whatever happens to the process. Rejects with
   * `deletes.too-many`, as queries do, and as `Store.append`; some of the records may be hidden then.
   */
  async create(question: DeleteQuestion, author: string, signal: AbortSignal): Promise<Delete> {
    const { stored, clock, logger } = this.#deps;
    const { tenant, filter, range } = question;
    await this.#checkRoom(tenant);
    const rowsHidden = await this.count(question, signal);
    const id = randomUUID();
    const text = printFilter(filter);
    const createdMs = Math.floor(clock.now());
    const facts = { id, tenant, filter: text, ...range, createdMs, author, rowsHidden };
    await stored.writes.addTombstone(facts);
    logger.info({ delete: id, tenant, author, rows: rowsHidden }, "records are hidden by a delete");
    const found = (await this.#live()).get(id);
    return found === undefined ? this.get(tenant, id) : deleteOf(found);
  }

  /** Of one tenant, newest first. */
  async list(tenant: string): Promise<Delete[]> {
    const done = await this.#deps.ledger.list(tenant);
    // Shards may find one again after a restart that was done before.
    const known = new Set(done.map(({ id }) => id));
    const live = [...(await this.#live()).values()]
      .filter(([first]) => first?.placed.tenant === tenant && !known.has(first.placed.id))
      .map(deleteOf)
      .sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
    return [...live, ...done];
  }

  /** Throws `request.not-found`. */
  async get(tenant: string, id: string): Promise<Delete> {
    const found = (await this.list(tenant)).find((each) => each.id === id);
    if (found !== undefined) return found;
    throw new ServiceError("request.not-found", "there is no such delete", { id });
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  async #checkRoom(tenant: string): Promise<void> {
    const live = [...(await this.#live()).values()].filter(isUnderWay);
    const own = live.filter(([first]) => first?.placed.tenant === tenant).length;
    const { tenantMax = deletesMax } = this.#deps;
    if (own >= tenantMax || live.length >= deletesTotalMax) {
      const message = "wait for earlier deletes to be done";
      throw new ServiceError("deletes.too-many", message, { underWay: own, tenantMax });
    }
  }

  /** What all shards that answer know of. */
  async #live(): Promise<Map<string, TombstoneStatus[]>> {
    return byDelete((await this.#deps.tombstones.all()).statuses);
  }

  /** One look. Does not throw: a disk that cannot be read now may be at the next. */
  async #attempt(): Promise<void> {
    try {
      await this.#look();
    } catch (thrown) {
      this.#deps.logger.warn({ reason: messageOf(thrown) }, "it is not known how far deletes are");
    }
    this.#looking = undefined;
  }

  /** Notes what is done, then lets the shards that are served here forget it. */
  async #look(): Promise<void> {
    const { tombstones, ledger, clock, logger } = this.#deps;
    const own = byDelete(tombstones.own());
    if (own.size === 0) return;
    const { statuses, isWhole } = await tombstones.all();
    if (!isWhole) return;
    const live = byDelete(statuses);
    for (const id of own.keys()) {
      // Absent: it was forgotten while the others were asked.
      const parts = live.get(id) ?? [];
      if (parts.length === 0 || !parts.every(({ isDone, isEnded }) => isDone || isEnded)) continue;
      const { tenant, author, rowsHidden } = parts[0]!.placed;
      try {
        // After a crash one may be found again that was noted before.
        if (!(await ledger.has(id))) {
          const doneAt = momentPrint({ ms: Math.floor(clock.now()), ns: 0 });
          const made: Delete = { ...deleteOf(parts), state: "done", doneAt };
          await ledger.write({ tenant, made });
          const { rowsRemoved, filesRewritten } = made;
          const facts = { delete: id, tenant, author, rowsHidden, rowsRemoved, filesRewritten };
          const { damaged } = made;
          if (damaged === undefined) logger.info(facts, "no file holds what was deleted");
          else
            logger.warn({ ...facts, damaged }, "damaged files may hold what was deleted, no other");
        }
        // In damaged files it still hides what they have.
        if (parts.every(({ isDone }) => isDone)) tombstones.forget(id);
      } catch (thrown) {
        logger.warn(
          { delete: id, reason: messageOf(thrown) },
          "a delete could not be noted as done",
        );
        return;
      }
    }
  }
}

function byDelete(statuses: readonly TombstoneStatus[]): Map<string, TombstoneStatus[]> {
  return Map.groupBy(statuses, ({ placed }) => placed.id);
}

/**
 * Reads what a delete is about. Throws `query.syntax` and `query.invalid` for what is no filter that can be looked at record by
 * record, or names what Logkeep itself writes.
 */
export function deleteQuestion(
  { tenant, query, range }: { tenant: string; query: string; range: TimeRange },
  nowMs: number,
): DeleteQuestion {
  const { filter, pipes, options } = parseQuestion(query, nowMs);
  if (pipes.length > 0 || options !== undefined) {
    const message = "a delete takes a filter alone: no pipes, no options";
    throw new ServiceError("query.invalid", message, { query: query.slice(0, 200) });
  }
  if (asksInternal(filter)) {
    const message = "what Logkeep itself writes cannot be deleted";
    throw new ServiceError("query.invalid", message, { query: query.slice(0, 200) });
  }
  // As it will be read from the log, for ever.
  compileFilter(parseQuery(printFilter(filter)).filter);
  return { tenant, filter, range };
}

function deleteOf(parts: readonly TombstoneStatus[]): Delete {
  const { id, filter, from, to, createdMs, author, rowsHidden } = parts[0]!.placed;
  const sum = (name: "filesLeft" | "filesStuck" | "filesKept" | "filesRewritten" | "rowsRemoved") =>
    parts.reduce((total, part) => total + part[name], 0);
  // A node of an earlier release names none.
  const damaged = parts.flatMap(({ shard, stuck = [] }) => {
    return stuck.map((name) => `shard ${shard}: ${name}`);
  });
  return {
    id,
    query: filter,
    ...(isSame(from, everyTime.from) ? {} : { start: momentPrint(from) }),
    ...(isSame(to, everyTime.to) ? {} : { end: momentPrint(to) }),
    createdAt: momentPrint({ ms: createdMs, ns: 0 }),
    author,
    state: "hidden",
    rowsHidden,
    rowsRemoved: sum("rowsRemoved"),
    filesRewritten: sum("filesRewritten"),
    filesLeft: sum("filesLeft"),
    filesStuck: sum("filesStuck"),
    filesKept: sum("filesKept"),
    ...(damaged.length === 0 ? {} : { damaged }),
  };
}

function isUnderWay(parts: readonly TombstoneStatus[]): boolean {
  return parts.some(({ isDone, isEnded }) => !isDone && !isEnded);
}

function isSame(a: Moment, b: Moment): boolean {
  return a.ms === b.ms && a.ns === b.ns;
}
