import type { Effect } from "../../src/replication/core/types.ts";
import type { AppendReply, CutReply } from "./surroundings.ts";
import type { Part } from "./tables.ts";

export type Reply<R> = (reply: R) => void;

/** Who waits for a process: routers with parts and cuts. */
export class Replies {
  readonly #asked = new Map<Part, Reply<AppendReply>>();
  /** By position: who waits for it to be committed. */
  readonly #waiters = new Map<number, Reply<AppendReply>[]>();
  readonly #cuts = new Map<number, Reply<CutReply>>();
  #cutLast = 0;

  asks(part: Part, reply: Reply<AppendReply>): void {
    this.#asked.set(part, reply);
  }

  /** A part has its place: who sent it waits for that. */
  placed(part: Part, position: number): void {
    const reply = this.#answer(part);
    if (reply !== undefined) this.wait(position, reply);
  }

  refused({ body, reason, owner }: Extract<Effect, { kind: "refuse" }>): void {
    this.#answer(body as Part)?.({ kind: "refused", reason, owner });
  }

  wait(position: number, reply: Reply<AppendReply>): void {
    this.#waiters.set(position, [...(this.#waiters.get(position) ?? []), reply]);
  }

  committed(position: number): void {
    this.#settle(
      (at) => at <= position,
      () => ({ kind: "stored" }),
    );
  }

  /** What lay behind a position is no more. */
  forget(after: number): void {
    const again = (): AppendReply => ({ kind: "refused", reason: "waiting", owner: undefined });
    this.#settle((at) => at > after, again);
  }

  /** What becomes of it is not known here any more. */
  unknown(): void {
    this.#settle(
      () => true,
      () => ({ kind: "unknown" }),
    );
  }

  /** Nobody will answer what was asked: the core has failed. */
  over(): void {
    this.unknown();
    for (const reply of this.#asked.values()) reply({ kind: "unknown" });
    this.#asked.clear();
    for (const reply of this.#cuts.values()) reply({ kind: "refused", owner: undefined });
    this.#cuts.clear();
  }

  /** Its number. */
  cut(reply: Reply<CutReply>): number {
    this.#cuts.set(++this.#cutLast, reply);
    return this.#cutLast;
  }

  cutReply(request: number, reply: CutReply): void {
    this.#cuts.get(request)?.(reply);
    this.#cuts.delete(request);
  }

  #settle(isMeant: (position: number) => boolean, reply: () => AppendReply): void {
    for (const [at, replies] of this.#waiters) {
      if (!isMeant(at)) continue;
      this.#waiters.delete(at);
      for (const each of replies) each(reply());
    }
  }

  #answer(part: Part): Reply<AppendReply> | undefined {
    const reply = this.#asked.get(part);
    this.#asked.delete(part);
    return reply;
  }
}
