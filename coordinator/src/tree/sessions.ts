/** The sessions that the ensemble knows, each with its negotiated timeout and the ephemerals it owns. */
export class Sessions {
  readonly #timeouts = new Map<bigint, number>();
  readonly #ephemerals = new Map<bigint, Set<string>>();
  #ephemeralCount = 0;

  get size(): number {
    return this.#timeouts.size;
  }

  get ephemeralCount(): number {
    return this.#ephemeralCount;
  }

  add(sessionId: bigint, timeoutMs: number): void {
    this.#timeouts.set(sessionId, timeoutMs);
  }

  remove(sessionId: bigint): void {
    this.#timeouts.delete(sessionId);
  }

  has(sessionId: bigint): boolean {
    return this.#timeouts.has(sessionId);
  }

  /** Pairs of session id and timeout in ms. */
  entries(): Iterable<[bigint, number]> {
    return this.#timeouts.entries();
  }

  /** A copy, so that its znodes can be deleted while it is walked. */
  ephemerals(sessionId: bigint): readonly string[] {
    return [...(this.#ephemerals.get(sessionId) ?? [])];
  }

  /** Sessions that own ephemerals, with the paths. */
  owners(): Iterable<[bigint, ReadonlySet<string>]> {
    return this.#ephemerals.entries();
  }

  ephemeralAdd(sessionId: bigint, path: string): void {
    const paths = this.#ephemerals.get(sessionId);
    if (paths === undefined) this.#ephemerals.set(sessionId, new Set([path]));
    else paths.add(path);
    this.#ephemeralCount++;
  }

  ephemeralRemove(sessionId: bigint, path: string): void {
    const paths = this.#ephemerals.get(sessionId);
    if (paths === undefined || !paths.delete(path)) return;
    if (paths.size === 0) this.#ephemerals.delete(sessionId);
    this.#ephemeralCount--;
  }
}
