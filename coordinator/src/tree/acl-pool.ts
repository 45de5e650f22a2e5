import { perms } from "../wire/constants.ts";
import { type Acl, aclOpenList } from "../wire/records.ts";

/** The number of world:anyone with all rights, which most znodes have; it is never counted. */
export const aclOpen = -1;

interface Entry {
  readonly acl: readonly Acl[];
  /** Undefined while the list is not known. */
  readonly key: string | undefined;
  users: number;
}

/** Every distinct ACL once, by number; a znode keeps the number. An ACL that no znode uses is forgotten. */
export class AclPool {
  readonly #entries = new Map<number, Entry>();
  readonly #numbers = new Map<string, number>();
  #last = 0;
  #unlisted = 0;

  get size(): number {
    return this.#entries.size;
  }

  /** The list of a number that is in use. */
  list(number: number): readonly Acl[] {
    return number === aclOpen ? aclOpenList : this.#entries.get(number)!.acl;
  }

  has(number: number): boolean {
    return number === aclOpen || this.#entries.has(number);
  }

  /** The number of this list, counted as used once more. */
  take(acl: readonly Acl[]): number {
    if (isOpen(acl)) return aclOpen;
    const key = keyOf(acl);
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = ++this.#last;
      this.#put(number, { acl, key, users: 0 });
    }
    this.retain(number);
    return number;
  }

  retain(number: number): void {
    if (number !== aclOpen) this.#entries.get(number)!.users++;
  }

  release(number: number): void {
    if (number === aclOpen) return;
    const entry = this.#entries.get(number)!;
    entry.users--;
    if (entry.users > 0) return;
    this.#delete(number, entry.key);
  }

  /** Adds a list of a snapshot under its number there, not yet used by a znode. */
  restore(number: number, acl: readonly Acl[]): void {
    this.#last = Math.max(this.#last, number);
    this.#put(number, { acl, key: keyOf(acl), users: 0 });
  }

  /**
   * Adds a number that a snapshot's znodes have and its list of ACLs lacks: Apache writes that list first, and its
   * tree goes on. The create of such a znode is among the txns that follow. Until it comes nobody may touch it.
   */
  restoreUnlisted(number: number): void {
    this.#last = Math.max(this.#last, number);
    this.#entries.set(number, { acl: [], key: undefined, users: 0 });
    this.#unlisted++;
  }

  /** Numbers in use whose list is not known. */
  get unlisted(): number {
    return this.#unlisted;
  }

  isUnlisted(number: number): boolean {
    return this.#unlisted > 0 && number !== aclOpen && this.#entries.get(number)!.key === undefined;
  }

  /** Forgets what a snapshot listed and no znode uses. */
  restored(): void {
    for (const [number, { key, users }] of this.#entries) {
      if (users === 0) this.#delete(number, key);
    }
  }

  /** All lists in use, for a snapshot. */
  *entries(): Iterable<{ readonly number: number; readonly acl: readonly Acl[] }> {
    for (const [number, { acl, key }] of this.#entries) {
      if (key !== undefined) yield { number, acl };
    }
  }

  #delete(number: number, key: string | undefined): void {
    this.#entries.delete(number);
    if (key === undefined) this.#unlisted--;
    else if (this.#numbers.get(key) === number) this.#numbers.delete(key);
  }

  #put(number: number, entry: Entry & { readonly key: string }): void {
    this.#entries.set(number, entry);
    this.#numbers.set(entry.key, number);
  }
}

function keyOf(acl: readonly Acl[]): string {
  return JSON.stringify(acl.map(({ perms, id }) => [perms, id.scheme, id.id]));
}

function isOpen(acl: readonly Acl[]): boolean {
  if (acl === aclOpenList) return true;
  if (acl.length !== 1) return false;
  const { perms: given, id } = acl[0]!;
  return given === perms.all && id.scheme === "world" && id.id === "anyone";
}
