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
  const crc = path.length === 1 ? crcStart : crcText(crcStart, path);
  return headFrom(data === null ? crc : crcBytes(crc, data));
}

/** The head, by the register after path and data. */
export function headFrom(crc: number): number {
  // A register is as good as its four bytes at the start of what follows.
  return ~(
    at(0, crc & 0xff) ^
    at(1, (crc >>> 8) & 0xff) ^
    at(2, (crc >>> 16) & 0xff) ^
    at(3, crc >>> 24)
  );
}

/** What an int field gives to the tail. The tail moves by the XOR of what the field gave and what it gives. */
export function intTail(field: number, value: number): number {
  // Versions mostly are, and no sum of zeros is anything.
  if (value === 0) return 0;
  return (
    at(field, value >>> 24) ^
    at(field + 1, (value >>> 16) & 0xff) ^
    at(field + 2, (value >>> 8) & 0xff) ^
    at(field + 3, value & 0xff)
  );
}

/** The same of a long that is a zxid or a time: from 0 to 2^53. */
export function numberTail(field: number, value: number): number {
  return intTail(field, Math.floor(value / word)) ^ intTail(field + 4, value | 0);
}

/** What a create below a znode changes: together they give this. */
export function childTail(cversion: number, pzxid: number): number {
  return intTail(digestField.cversion, cversion) ^ numberTail(digestField.pzxid, pzxid);
}

/** What a change of a znode's data changes, the data itself left out. */
export function dataTail(version: number, mzxid: number, mtime: number): number {
  const zxidAndTime = numberTail(digestField.mzxid, mzxid) ^ numberTail(digestField.mtime, mtime);
  return intTail(digestField.version, version) ^ zxidAndTime;
}

/** All of the tail, from what snapshots keep of a Stat: 60 bytes as well, the pzxid last. */
export function persistedTail(view: DataView, from: number): number {
  let tail = intTail(digestField.pzxid, view.getInt32(from + 52));
  tail ^= intTail(digestField.pzxid + 4, view.getInt32(from + 56));
  for (let i = 0; i < 16; i += 4) tail ^= intTail(i, view.getInt32(from + i));
  for (let i = 16; i < 52; i += 4) tail ^= intTail(i + 8, view.getInt32(from + i));
  return tail;
}

/** What a znode keeps for life. */
export function lifeTail(czxid: number, ctime: number, ephemeralOwner: bigint): number {
  const tail = numberTail(digestField.czxid, czxid) ^ numberTail(digestField.ctime, ctime);
  return ephemeralOwner === 0n ? tail : tail ^ ownerTail(ephemeralOwner);
}

function ownerTail(owner: bigint): number {
  const high = intTail(digestField.ephemeralOwner, Number(BigInt.asIntN(32, owner >> 32n)));
  const low = intTail(digestField.ephemeralOwner + 4, Number(BigInt.asIntN(32, owner)));
  return high ^ low;
}

/** What this byte at this place of the 60 gives. */
function at(place: number, byte: number): number {
  return slices[((statBytes - 1 - place) << 8) | byte]!;
}
