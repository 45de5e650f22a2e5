import { isUtf8 } from "node:buffer";

import { perms } from "../../coordinator/src/wire/constants.ts";
import type { Acl, Stat } from "../../coordinator/src/wire/records.ts";
import { usageError } from "./io.ts";

/** A 64-bit number as ZooKeeper's own tools print it. */
export function hex(value: bigint): string {
  return `0x${BigInt.asUintN(64, value).toString(16)}`;
}

/** For JSON: zxids and session ids as hexadecimal text, times as RFC 3339. */
export function statJson(stat: Stat): Readonly<Record<string, string | number>> {
  return {
    czxid: hex(stat.czxid),
    mzxid: hex(stat.mzxid),
    pzxid: hex(stat.pzxid),
    ctime: new Date(Number(stat.ctime)).toISOString(),
    mtime: new Date(Number(stat.mtime)).toISOString(),
    version: stat.version,
    cversion: stat.cversion,
    aversion: stat.aversion,
    ephemeralOwner: hex(stat.ephemeralOwner),
    dataLength: stat.dataLength,
    numChildren: stat.numChildren,
  };
}

/** A line a fact. */
export function statText(stat: Stat): string {
  return Object.entries(statJson(stat))
    .map(([name, value]) => `${name} = ${value}\n`)
    .join("");
}

/** For JSON: text as it is, other bytes as base64. */
export function dataJson(data: Buffer | null): Readonly<Record<string, string | null>> {
  if (data === null) return { data: null };
  return isUtf8(data) ? { data: data.toString() } : { dataBase64: data.toString("base64") };
}

const letters = [
  ["c", perms.create],
  ["d", perms.delete],
  ["r", perms.read],
  ["w", perms.write],
  ["a", perms.admin],
] as const;

/** `scheme:id:cdrwa`. */
export function aclText({ perms: bits, id }: Acl): string {
  const held = letters.filter(([, bit]) => (bits & bit) !== 0).map(([letter]) => letter);
  return `${id.scheme}:${id.id}:${held.join("")}`;
}

/** Reads `world:anyone:r,digest:user:hash:cdrwa`. Throws a usage error. */
export function aclParse(text: string): Acl[] {
  return text.split(",").map((part) => {
    const match = /^([a-z0-9]+):(.*):([cdrwa]+)$/.exec(part.trim());
    if (match === null) throw usageError(`${part} is not scheme:id:perms with perms of cdrwa`);
    const [, scheme = "", id = "", held = ""] = match;
    const bits = letters.filter(([letter]) => held.includes(letter)).map(([, bit]) => bit);
    return { perms: bits.reduce<number>((sum, bit) => sum | bit, 0), id: { scheme, id } };
  });
}
