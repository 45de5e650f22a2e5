import { crcBytes, crcStart, crcText, slicesOf } from "./crc.ts";

/*
 * A znode's digest as ZooKeeper's DigestCalculator (version 2) has it: the CRC-32 of its path, its data and 60 bytes
 * of its Stat. CRC is linear, so it is kept here in two parts whose XOR it is: the head is of path, data and a Stat of
 * zeros, the tail of the Stat alone. A change of one field then costs its few bytes and neither path nor data.
 */

/** The version that txns and snapshots name; digests of two versions are never compared. */
export const digestVersion = 2;

/** Where a field lies in the 60 bytes. */
export const digestField = {
  czxid: 0,
  mzxid: 8,
  pzxid: 16,
  ctime: 24,
  mtime: 32,
  version: 40,
  cversion: 44,
  aversion: 48,
  ephemeralOwner: 52,
} as const;

const statBytes = 60;
const slices = slicesOf(statBytes);
const word = 2 ** 32;

/** Whether a digest counts this znode: what servers write below `/zookeeper` by themselves may differ between them. */
export function isDigested(path: string): boolean {
  return !path.startsWith("/zookeeper/");
}

/** The head of the znode with this path. The root's path counts as an empty one. */
export function headOf(path: string, data: Uint8Array | null): number {
  let crc = path.length === 1 ? crcStart : crcText(crcStart, path);
  if (data !== null) crc = crcBytes(crc, data);
  // A register is as good as its four bytes at the start of what follows.
  return ~(
    at(0, crc & 0xff) ^
    at(1, (crc >>> 8) & 0xff) ^
    at(2, (crc >>> 16) & 0xff) ^
    at(3, crc >>> 24)
  );
}

/** By how much the tail differs when an int field moves from one value to another. */
export function intMoved(field: number, from: number, to: number): number {
  const bits = from ^ to;
  return (
    at(field, bits >>> 24) ^
    at(field + 1, (bits >>> 16) & 0xff) ^
    at(field + 2, (bits >>> 8) & 0xff) ^
    at(field + 3, bits & 0xff)
  );
}

/** The same for a long that is a zxid or a time: from 0 to 2^53. */
export function numberMoved(field: number, from: number, to: number): number {
  const high = intMoved(field, Math.floor(from / word), Math.floor(to / word));
  return high ^ intMoved(field + 4, from | 0, to | 0);
}

/** What the Stat of a znode is at the digest's fields. */
export interface DigestStat {
  readonly czxid: number;
  readonly mzxid: number;
  readonly pzxid: number;
  readonly ctime: number;
  readonly mtime: number;
  readonly version: number;
  /** Creates below it, as `ZnodeState` counts them. */
  readonly cversion: number;
  readonly aversion: number;
  readonly ephemeralOwner: bigint;
}

/** The tail of a whole Stat. */
export function tailOf(stat: DigestStat): number {
  const { ephemeralOwner } = stat;
  return (
    numberMoved(digestField.czxid, 0, stat.czxid) ^
    numberMoved(digestField.mzxid, 0, stat.mzxid) ^
    numberMoved(digestField.pzxid, 0, stat.pzxid) ^
    numberMoved(digestField.ctime, 0, stat.ctime) ^
    numberMoved(digestField.mtime, 0, stat.mtime) ^
    intMoved(digestField.version, 0, stat.version) ^
    intMoved(digestField.cversion, 0, stat.cversion) ^
    intMoved(digestField.aversion, 0, stat.aversion) ^
    (ephemeralOwner === 0n ? 0 : ownerTail(ephemeralOwner))
  );
}

function ownerTail(owner: bigint): number {
  const high = intMoved(digestField.ephemeralOwner, 0, Number(BigInt.asIntN(32, owner >> 32n)));
  const low = intMoved(digestField.ephemeralOwner + 4, 0, Number(BigInt.asIntN(32, owner)));
  return high ^ low;
}

/** What this byte at this place of the 60 gives. */
function at(place: number, byte: number): number {
  return slices[((statBytes - 1 - place) << 8) | byte]!;
}
