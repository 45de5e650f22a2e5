import { frameBytesMax } from "../wire/limits.ts";

/** Znodes in one tree: some 4 GiB with 100 bytes each, and an id that stays a small number in every column. */
export const znodesMax = 16_000_000;

/** Znodes in one chunk of the stat slab (4.25 MiB): growth never copies, and a small tree stays small. */
export const statChunkNodes = 65_536;

/** Znodes in one chunk of rows (2.5 MiB), for the same reasons. */
export const rowChunkNodes = 65_536;

/** A znode's name and data, up to this many bytes, share chunks of their size class; longer ones have a buffer of their own. */
export const slabDataMax = 2_048;

/** Bytes in one chunk of a size class. A chunk whose last slot is freed goes back whole. */
export const slabChunkBytes = 262_144;

/** Operations in one multi. The frame limit bounds it anyway; this bounds the work of one turn. */
export const multiOpsMax = 10_000;

/**
 * Bytes of ephemerals' paths that a closeSession lists. A session may own more than any txn can hold; then it
 * lists none, and whoever applies it deletes what the session owns, as of servers before 3.6, which never list any.
 */
export const closePathsBytesMax = frameBytesMax;

/**
 * Bytes by which a request's ACLs may grow when `auth` becomes what its caller has proved. A txn must stay below the
 * longest entry that a log and other members take, and in a multi each operation could bring all identities.
 */
export const aclGrowthBytesMax = 512 * 1024;

/** Soft quotas passed that one turn of the host tells of; more are counted by nobody. */
export const quotaWarningsMax = 100;

/** From so many bytes on zlib's CRC-32 is faster than ours, its call of 60 to 100 ns included. */
export const crcNativeBytes = 192;

/** One digest of so many zxids is kept, and so many of those: ZooKeeper's numbers, so that its members' lists compare. */
export const digestLogEvery = 128;
export const digestLogMax = 1024;

/** Znodes written into an image in one turn of the loop: well below 5 ms. */
export const imageTurnZnodes = 1_000;

/** Bytes put together in one turn, before a znode more: some znodes hold a megabyte each. */
export const imageTurnBytes = 256 * 1024;

/** Bytes of an image's file held at once while it is read: many znodes, and little beside what becomes of them. */
export const imageWindowBytes = 1024 * 1024;

/**
 * Bytes kept for one image of znodes that change before they are taken: a second of a disk's full speed. A receiver that
 * is slower asks again.
 */
export const imageKeptBytesMax = 64 * 1024 * 1024;
