/**
 * The shard of a stream: FNV-1a (32 bits) over the UTF-8 bytes of the tenant's name, a zero byte and the
 * stream's canonical text, its bits mixed by the finaliser of MurmurHash3, modulo the number of shards.
 * It is part of what is stored: another function would part a stream's old records from its new ones.
 */
export function shardOf(tenant: string, streamText: string, shardCount: number): number {
  const bytes = Buffer.from(`${tenant}\0${streamText}`, "utf8");
  let hash = 0x811c9dc5 | 0;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) % shardCount;
}
