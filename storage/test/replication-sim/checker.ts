import { type Timeline, Violation } from "./timeline.ts";

/** What clients put into a shard: the body of an entry, which the core never looks into. */
export interface Body {
  /** Of one try at one owner: no two appends have the same. */
  readonly id: number;
  readonly kind: "record" | "delete" | "epoch-start";
  /** Of the record, the same for each try; a delete hides records whose number leaves this rest modulo 7. */
  readonly record: number;
}

/** An entry as far as a replica's promises go. */
export interface Committed {
  readonly epoch: number;
  readonly position: number;
  readonly key: string | undefined;
  readonly body: Body;
}

/** What a query had a right to see when it was asked. */
export interface CutClaim {
  readonly through: number;
}

/** A delete hides one record in seven. */
export function isHiddenBy(record: number, deleted: number): boolean {
  return record % 7 === deleted % 7;
}

/**
 * Looks on from outside, and says when a promise of the shard is broken: one list of entries is committed, whoever owns;
 * what was acknowledged or shown is in every later cut, exactly once; nothing that has a key is there twice.
 */
export class Checker {
  readonly #timeline: Timeline;
  /** Entry of position p at p - 1. */
  readonly committed: Committed[] = [];
  readonly #keys = new Map<string, number>();
  readonly #positions = new Map<number, number>();
  readonly #deletes: Committed[] = [];
  #acknowledgedThrough = 0;
  #shownThrough = 0;
  acknowledged = 0;
  cuts = 0;

  constructor(timeline: Timeline) {
    this.#timeline = timeline;
  }

  get through(): number {
    return this.committed.length;
  }

  /** What must be on the disks of a set: what somebody may rely on. */
  get reliedThrough(): number {
    return Math.max(this.#acknowledgedThrough, this.#shownThrough);
  }

  /** A replica takes an entry for committed. */
  commits(who: string, entry: Committed): void {
    const { position, epoch, body, key } = entry;
    const known = this.committed[position - 1];
    if (known !== undefined) {
      if (known.epoch === epoch && known.body.id === body.id) return;
      const [is, was] = [textOf(entry), textOf(known)];
      this.fail(`agreement: ${who} commits ${is} where ${was} was committed`);
    }
    if (position !== this.committed.length + 1) {
      this.fail(`order: ${who} commits ${textOf(entry)} after ${this.committed.length}`);
    }
    this.committed.push(entry);
    this.#positions.set(body.id, position);
    if (body.kind === "delete") this.#deletes.push(entry);
    if (key === undefined) return;
    const twice = this.#keys.get(key);
    if (twice !== undefined) this.fail(`once: ${key} is committed at ${twice} and at ${position}`);
    this.#keys.set(key, position);
  }

  /** A client is told that its part is stored. `body` is any try of it. */
  acknowledges(key: string | undefined, body: Body): void {
    const position = key === undefined ? this.#positions.get(body.id) : this.#keys.get(key);
    if (position === undefined) {
      this.fail(`durability: record ${body.record} is acknowledged and not committed`);
    }
    this.acknowledged++;
    this.#acknowledgedThrough = Math.max(this.#acknowledgedThrough, position);
  }

  /** A person accepts that what lies behind a position is lost: it may be acknowledged, and is not to be shown again. */
  acceptLoss(through: number): void {
    for (const { key, body } of this.committed.splice(through)) {
      this.#positions.delete(body.id);
      if (key !== undefined) this.#keys.delete(key);
    }
    const kept = this.#deletes.filter(({ position }) => position <= through);
    this.#deletes.splice(0, this.#deletes.length, ...kept);
    this.#acknowledgedThrough = Math.min(this.#acknowledgedThrough, through);
    this.#shownThrough = Math.min(this.#shownThrough, through);
  }

  /** A query is asked. */
  claim(): CutClaim {
    return { through: this.reliedThrough };
  }

  /** A query was answered: these records, of a cut at this position. */
  shows(who: string, claim: CutClaim, through: number, records: readonly number[]): void {
    this.cuts++;
    if (through < claim.through) {
      this.fail(`reads: a cut of ${who} ends at ${through}, and ${claim.through} was relied on`);
    }
    const expected = this.#visible(through);
    const shown = [...records].sort((a, b) => a - b);
    if (shown.length !== expected.length || shown.some((each, at) => each !== expected[at])) {
      const missing = expected.filter((each) => !shown.includes(each));
      const more = shown.filter((each, at) => !expected.includes(each) || shown[at - 1] === each);
      this.fail(
        `exactly once: a cut of ${who} through ${through} lacks ${missing} and has ${more} too much`,
      );
    }
    this.#shownThrough = Math.max(this.#shownThrough, through);
  }

  /** Ascending. */
  #visible(through: number): number[] {
    if (through > this.committed.length) this.fail(`reads: a cut shows what is not committed`);
    const records: number[] = [];
    for (let at = 0; at < through; at++) {
      const { body, position } = this.committed[at] as Committed;
      if (body.kind !== "record") continue;
      const isHidden = this.#deletes.some((each) => {
        const isAbove = each.position > position && each.position <= through;
        return isAbove && isHiddenBy(body.record, each.body.record);
      });
      if (!isHidden) records.push(body.record);
    }
    return records.sort((a, b) => a - b);
  }

  fail(message: string): never {
    throw new Violation(`${message} (at ${Math.round(this.#timeline.now)} ms)`);
  }
}

function textOf({ epoch, position, body }: Committed): string {
  return `${epoch}/${position} (${body.kind} ${body.record}, try ${body.id})`;
}
