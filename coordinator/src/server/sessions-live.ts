/** When a session was last heard of, in steps. */
interface Live {
  readonly id: bigint;
  steps: number;
  heard: number;
}

/**
 * Which sessions have been silent for too long. Time is a count of steps that the host advances, at most one
 * a turn of its loop and after it has read what lay on its sockets: so a process that was paused expires nobody.
 * Hearing costs a store; a session is looked at only when it could be due.
 */
export class LiveSessions {
  readonly #stepMs: number;
  readonly #sessions = new Map<bigint, Live>();
  readonly #due = new Map<number, Set<Live>>();
  #now = 0;

  constructor(stepMs: number) {
    this.#stepMs = stepMs;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** Begins or changes a session; it has its whole timeout from now. */
  track(id: bigint, timeoutMs: number): void {
    const before = this.#sessions.get(id);
    // One more, since the step under way has partly passed.
    const steps = Math.ceil(timeoutMs / this.#stepMs) + 1;
    if (before !== undefined) this.remove(id);
    const live = { id, steps, heard: this.#now };
    this.#sessions.set(id, live);
    this.#schedule(live);
  }

  hear(id: bigint): void {
    const live = this.#sessions.get(id);
    if (live !== undefined) live.heard = this.#now;
  }

  remove(id: bigint): void {
    const live = this.#sessions.get(id);
    if (live === undefined) return;
    // It stays in its bucket, which passes over it when its step comes.
    this.#sessions.delete(id);
  }

  /** One step on. Returns the sessions that have been silent for their timeout, and forgets them. */
  advance(): bigint[] {
    this.#now++;
    const due = this.#due.get(this.#now);
    if (due === undefined) return [];
    this.#due.delete(this.#now);
    const expired: bigint[] = [];
    for (const live of due) {
      if (this.#sessions.get(live.id) !== live) continue;
      if (live.heard + live.steps > this.#now) {
        this.#schedule(live);
      } else {
        this.#sessions.delete(live.id);
        expired.push(live.id);
      }
    }
    return expired;
  }

  #schedule(live: Live): void {
    const step = live.heard + live.steps;
    const due = this.#due.get(step);
    if (due === undefined) this.#due.set(step, new Set([live]));
    else due.add(live);
  }
}
