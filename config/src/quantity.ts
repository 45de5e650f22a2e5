const bytesOfUnit: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
  tib: 1024 ** 4,
};

const msOfUnit: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** What `parseBytes` reads, as a JSON schema pattern. */
export const bytesPattern = "^[0-9]+(\\.[0-9]+)? ?([kKmMgGtT]i?)?[bB]?$";

/** What `parseDurationMs` reads, as a JSON schema pattern. */
export const durationPattern = "^[0-9]+(\\.[0-9]+)? ?(ms|s|m|h|d)?$";

/** `256MiB`, `1.5 GB`, `4096` as whole bytes; undefined when it is not a size. */
export function parseBytes(text: string): number | undefined {
  const found = /^(\d+(?:\.\d+)?) ?((?:[kmgt]i?)?b?)$/i.exec(text.trim());
  if (found === null) return undefined;
  let unit = (found[2] ?? "").toLowerCase();
  if (!unit.endsWith("b")) unit += "b";
  return whole(Number(found[1]) * (bytesOfUnit[unit] ?? Number.NaN));
}

/** `30s`, `5m`, `1.5h`, `500` (milliseconds) as whole milliseconds; undefined when it is none. */
export function parseDurationMs(text: string): number | undefined {
  const found = /^(\d+(?:\.\d+)?) ?(ms|s|m|h|d)?$/.exec(text.trim());
  if (found === null) return undefined;
  return whole(Number(found[1]) * (msOfUnit[found[2] ?? "ms"] ?? Number.NaN));
}

/** The bytes in the largest binary unit that divides them, as `256 MiB`. */
export function printBytes(bytes: number): string {
  return inUnits(bytes, [
    ["TiB", 1024 ** 4],
    ["GiB", 1024 ** 3],
    ["MiB", 1024 ** 2],
    ["KiB", 1024],
    ["B", 1],
  ]);
}

/** The milliseconds in the largest unit that divides them, as `30 s`. */
export function printDuration(ms: number): string {
  return inUnits(ms, [
    ["d", 86_400_000],
    ["h", 3_600_000],
    ["min", 60_000],
    ["s", 1000],
    ["ms", 1],
  ]);
}

function inUnits(count: number, units: readonly (readonly [string, number])[]): string {
  const unit = units.find(([, size]) => count !== 0 && count % size === 0) ?? units.at(-1);
  return unit === undefined ? String(count) : `${count / unit[1]} ${unit[0]}`;
}

function whole(value: number): number | undefined {
  const rounded = Math.round(value);
  return Number.isSafeInteger(rounded) ? rounded : undefined;
}
