import { containerOwner, ttlMsMax } from "../wire/constants.ts";

const ttlMask = BigInt(ttlMsMax);

/** Containers own themselves; a TTL znode's owner is 0xff, two zero bytes, and its TTL in the rest. */
export function isExtendedOwner(owner: bigint): boolean {
  return owner === containerOwner || BigInt.asUintN(64, owner) >> 40n === 0xff_00_00n;
}

/** What a znode with this TTL is stored as owned by. */
export function ttlOwner(ttlMs: bigint): bigint {
  return BigInt.asIntN(64, (0xff_00_00n << 40n) | ttlMs);
}

/** Owners of containers and TTL znodes, which a Stat shows as 0: what the server deletes by itself. */
export class ExtendedOwners {
  readonly #owners = new Map<number, bigint>();

  get size(): number {
    return this.#owners.size;
  }

  has(id: number): boolean {
    return this.#owners.has(id);
  }

  get(id: number): bigint | undefined {
    return this.#owners.get(id);
  }

  set(id: number, owner: bigint): void {
    this.#owners.set(id, owner);
  }

  delete(id: number): void {
    this.#owners.delete(id);
  }

  /** `ttlMs` is undefined for a container. Owners may come and go meanwhile. */
  *expiring(): Iterable<{ readonly id: number; readonly ttlMs: number | undefined }> {
    for (const [id, owner] of this.#owners) {
      yield { id, ttlMs: owner === containerOwner ? undefined : Number(owner & ttlMask) };
    }
  }
}
