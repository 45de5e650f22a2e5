import type { ClusterAnswer } from "../../../api/src/answers.ts";
import type { RetentionAnswer } from "../../../api/src/retention.ts";
import { retentionParams } from "../../../api/src/retention.ts";
import type { Settings } from "../../../config/src/schema.ts";
import { momentPrint } from "../../../kit/src/time.ts";
import type { DiskStatus } from "../../../storage/src/shard/disk-limit.ts";
import { retentionClassOf } from "../../../storage/src/shard/retention-class.ts";
import type { ClassHolding, RetentionView } from "../../../storage/src/shard/retention-view.ts";
import type { Store } from "../../../storage/src/shard/store.ts";
import type { Retentions } from "../retention-views.ts";
import type { App } from "./app.ts";
import { demand } from "./identity.ts";
import { parseParams } from "./query-options.ts";

const dayMs = 24 * 60 * 60 * 1000;

type Rules = Settings["storage"]["retention"]["rules"];

/** `/api/v1/retention`: what is kept for how long, and what goes next. */
export function mountRetention(
  app: App,
  settings: Settings,
  store: Store,
  retentions: Retentions,
): void {
  app.mount("get", "/api/v1/retention", "read", async (request, response, identity) => {
    const isOfAll = parseParams(retentionParams, request).all === "1";
    if (isOfAll) demand(identity, "admin");
    const { view, missing } = await retentions.all();
    response.json({
      ...retentionAnswer(settings, view, isOfAll ? undefined : identity.tenant),
      disk: diskAnswer(store.status().disk),
      missing: [...missing],
    } satisfies RetentionAnswer);
  });
}

function retentionAnswer(
  settings: Settings,
  { holdings, segmentBytes, bytesMax }: RetentionView,
  tenant: string | undefined,
): Omit<RetentionAnswer, "disk" | "missing"> {
  const { days, rules } = settings.storage.retention;
  const isSeen = (of: string | undefined): boolean =>
    tenant === undefined || of === undefined || of === tenant;
  const seen = rules.filter((rule) => isSeen(rule.tenant));
  return {
    days,
    rules: seen.map((rule) => ({ ...rule })),
    classes: holdings
      .filter((holding) => isSeen(holding.tenant))
      .map((holding) => classAnswer(holding, seen)),
    segmentBytes,
    segmentMaxBytes: Math.floor(bytesMax),
  };
}

function classAnswer(holding: ClassHolding, rules: Rules): RetentionAnswer["classes"][number] {
  const { tenant, retentionClass, retentionMs, rows, bytes, oldest, nextDrop } = holding;
  const own = rules.filter(
    (rule) =>
      (rule.tenant === undefined || rule.tenant === tenant) &&
      retentionClassOf(rule.days) === retentionClass,
  );
  return {
    tenant,
    class: retentionClass,
    rules: own.map(({ filter }) => filter),
    days: retentionMs / dayMs,
    records: rows,
    bytes,
    oldest: momentPrint(oldest),
    ...(nextDrop === undefined
      ? {}
      : {
          nextDrop: {
            at: momentPrint({ ms: Math.floor(nextDrop.atMs), ns: 0 }),
            reason: nextDrop.reason,
            records: nextDrop.rows,
            bytes: nextDrop.bytes,
          },
        }),
  };
}

/** The same in short, of all tenants. */
export function retentionFigures(
  { storage }: Settings,
  { holdings, bytesMax }: RetentionView,
): NonNullable<ClusterAnswer["retention"]> {
  const { days, rules } = storage.retention;
  const drops = holdings.flatMap(({ nextDrop }) => (nextDrop === undefined ? [] : [nextDrop]));
  const atMs = drops.reduce((first, drop) => Math.min(first, drop.atMs), Infinity);
  const next = drops.filter((drop) => drop.atMs === atMs);
  return {
    days,
    rules: rules.length,
    segmentMaxBytes: Math.floor(bytesMax),
    ...(next.length === 0
      ? {}
      : {
          nextDropAt: momentPrint({ ms: Math.floor(atMs), ns: 0 }),
          nextDropBytes: next.reduce((sum, { bytes }) => sum + bytes, 0),
        }),
  };
}

function diskAnswer(disk: DiskStatus): RetentionAnswer["disk"] {
  const { ownBytes, bytesMax, usedBytes, totalBytes, isFull } = disk;
  const limit = bytesMax === undefined ? {} : { maxBytes: bytesMax };
  return { ownBytes, ...limit, usedBytes, totalBytes, isFull };
}
