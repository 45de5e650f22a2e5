import { momentPrint } from "../../kit/src/time.ts";
import { parseQuery } from "../../query/src/language/parse.ts";
import { printQuery } from "../../query/src/language/print.ts";
import { resolveTimes } from "../../query/src/language/resolve-times.ts";
import type { InstanceState } from "./entry.ts";
import { lineBytesMax, linkMarginMs } from "./limits.ts";
import type { Notification } from "./notification.ts";
import type { AlertRecord } from "./ports.ts";
import type { Rule } from "./rule.ts";
import { alertIdOf, timingOf } from "./rule-facts.ts";
import { planThreshold, type Records, recordsOf } from "./threshold.ts";

/** A transition of an alert that receivers are told. */
export interface Told {
  readonly status: "firing" | "resolved";
  readonly instance: InstanceState;
  readonly atMs: number;
  readonly lines: readonly AlertRecord[];
}

export interface NotificationOrigin {
  readonly tenant: string;
  readonly ruleId: string;
  readonly definition: Rule;
  readonly link: string;
}

/** The notification of a transition; the same transition of the same alert always has the same dedupe key. */
export function makeNotification(
  { status, instance, atMs, lines }: Told,
  { tenant, ruleId, definition, link }: NotificationOrigin,
): Notification {
  const firingMs = instance.firingMs ?? atMs;
  const alert = alertIdOf({ tenant, ruleId, instance: instance.key, firingMs });
  return {
    status,
    rule: definition.name,
    labels: { ...definition.labels, ...instance.labels },
    count: instance.count,
    lines,
    startsAt: timeText(firingMs),
    // A clock that was set back must not end an alert before it began.
    endsAt: status === "resolved" ? timeText(Math.max(atMs, firingMs)) : null,
    dedupeKey: `${alert}-${status}`,
    link,
  };
}

/** The alert that a notification is about, the same when it fires and when it resolves. */
export function alertOfKey(dedupeKey: string): string {
  return dedupeKey.replace(/-(?:firing|resolved)$/, "");
}

/** Finds the records behind an alert of a rule, up to a moment. */
export type RecordsFinder = (
  instance: Pick<InstanceState, "activeMs" | "labels">,
  atMs: number,
) => Records;

/** Reads the rule's query once. One that cannot be read any more is linked as it is. */
export function recordsFinder(definition: Rule): RecordsFinder {
  try {
    return finderOf(definition);
  } catch {
    return ({ activeMs }, atMs) => ({
      query: definition.query,
      fromMs: Math.min(activeMs, atMs) - linkMarginMs,
      toMs: atMs,
    });
  }
}

/** The first of the lines that fit so many bytes, each cut where it is long. */
export function fittingLines(
  lines: readonly AlertRecord[],
  { linesMax, bytesMax }: { readonly linesMax: number; readonly bytesMax: number },
): readonly AlertRecord[] {
  const kept: AlertRecord[] = [];
  let bytes = 0;
  for (const line of lines.slice(0, linesMax)) {
    const cut = cutLine(line);
    bytes += recordBytes(cut);
    if (bytes > bytesMax) break;
    kept.push(cut);
  }
  return kept;
}

export function linesBytes(lines: readonly AlertRecord[]): number {
  return lines.reduce((total, line) => total + recordBytes(line), 0);
}

export function timeText(ms: number): string {
  return momentPrint({ ms, ns: 0 });
}

function finderOf(definition: Rule): RecordsFinder {
  if (definition.type === "match") {
    const query = parseQuery(definition.query);
    return ({ activeMs }, atMs) => ({
      query: printQuery(resolveTimes(query, atMs)),
      fromMs: Math.min(activeMs, atMs) - linkMarginMs,
      toMs: atMs + linkMarginMs,
    });
  }
  const plan = planThreshold(definition.query);
  const { everyMs } = timingOf(definition);
  return ({ activeMs, labels }, atMs) => {
    const fromMs = plan.hasTime ? 0 : Math.max(Math.min(activeMs, atMs) - everyMs, 0);
    return recordsOf(plan, { fromMs, toMs: atMs }, labels);
  };
}

/** A record with as many of its fields as fit a line, time and message first, the last of them cut. */
function cutLine(line: AlertRecord): AlertRecord {
  if (recordBytes(line) <= lineBytesMax) return line;
  const { _time, _msg, ...others } = line;
  const first = {
    ...(_time === undefined ? {} : { _time }),
    ...(_msg === undefined ? {} : { _msg }),
  };
  const kept: [string, string][] = [];
  let left = lineBytesMax;
  for (const [field, value] of Object.entries({ ...first, ...others })) {
    left -= Buffer.byteLength(field);
    if (left <= 0) break;
    const length = Buffer.byteLength(value);
    kept.push([field, length <= left ? value : `${cutText(value, left)}…`]);
    left -= length;
    if (left <= 0) break;
  }
  return Object.fromEntries(kept);
}

/** At most so many bytes, no character halved. */
function cutText(text: string, bytesMax: number): string {
  const bytes = Buffer.from(text);
  let end = Math.min(bytesMax, bytes.length);
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.toString("utf8", 0, end);
}

function recordBytes(record: AlertRecord): number {
  let bytes = 0;
  for (const [field, value] of Object.entries(record)) {
    bytes += Buffer.byteLength(field) + Buffer.byteLength(value);
  }
  return bytes;
}
