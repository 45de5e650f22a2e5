import { timingSafeEqual } from "node:crypto";

/**
 * Ids of new sessions: the server's id in the high byte, then 40 bits of the clock at start and a count,
 * as Apache's, so that servers never meet and a restart does not repeat.
 */
export class SessionIds {
  #next: bigint;

  constructor(serverId: number, nowMs: number) {
    const clock = BigInt.asUintN(64, BigInt(nowMs) << 24n) >> 8n;
    this.#next = BigInt.asIntN(64, (BigInt(serverId) << 56n) | clock);
  }

  next(): bigint {
    this.#next += 1n;
    return this.#next;
  }
}

const passwordBytes = 16;

/** Apache's secret, the same in every release: any member of a mixed ensemble can check a session. */
const secret = 0xb3415c00n;
const multiplier = 0x5deece66dn;
const mask = (1n << 48n) - 1n;

/**
 * The password of a session: `java.util.Random` seeded with the id. It keeps clients from meeting by
 * mistake; it is no defence against someone who knows the id.
 */
export function sessionPassword(sessionId: bigint): Buffer {
  const password = Buffer.alloc(passwordBytes);
  let seed = (sessionId ^ secret ^ multiplier) & mask;
  for (let at = 0; at < passwordBytes; at += 4) {
    seed = (seed * multiplier + 0xbn) & mask;
    password.writeInt32LE(Number(BigInt.asIntN(32, seed >> 16n)), at);
  }
  return password;
}

export function isSessionPassword(sessionId: bigint, password: Uint8Array | null): boolean {
  if (password?.length !== passwordBytes) return false;
  return timingSafeEqual(password, sessionPassword(sessionId));
}
