/** What a client asked for and what it heard, and when by one clock: of all the checker sees, this is all. */
export interface Operation<Call> {
  readonly call: Call;
  readonly start: number;
  /** When the answer was there; Infinity when none came: then it takes effect at any time after its start, or never. */
  readonly end: number;
}

/** An object as it would be with one client at a time. Pure. */
export interface Model<State, Call> {
  readonly initial: State;
  /** The state after the call, the same object when it changed nothing, or undefined when what the client heard cannot be heard in this state. */
  step(state: State, call: Call): State | undefined;
  /** The same for two states only if they are the same. */
  keyOf(state: State): string;
  /** True only when no state that can follow accepts the call any more: spares the search, changes no verdict. */
  isPast?(state: State, call: Call): boolean;
  /** Of unanswered calls: true for those that do the same to every state, so that it is all one which of them is next. */
  isSpare?(call: Call): boolean;
}

export type Verdict<State, Call> =
  | { readonly kind: "linearizable" }
  /** `state` is that of the longest order found, `stuck` what had to come next and could not. */
  | {
      readonly kind: "violated";
      readonly state: State;
      readonly stuck: readonly Operation<Call>[];
    }
  /** The search was given up. */
  | { readonly kind: "undecided"; readonly tried: number };

export interface SearchOptions {
  /** Orders tried before the search is given up. */
  readonly triesMax?: number;
}

/** Some seconds and some hundred MB. */
const triesMaxDefault = 2_000_000;

/**
 * Whether there is one order of the operations that the model accepts and that keeps what was over before
 * another began. Wing and Gong's search with Lowe's memory of what was tried ("Testing for linearizability", 2017):
 * after the same set of operations in the same state the search goes on the same.
 */
export function checkLinearizable<State, Call>(
  operations: readonly Operation<Call>[],
  model: Model<State, Call>,
  { triesMax = triesMaxDefault }: SearchOptions = {},
): Verdict<State, Call> {
  return new Search(operations, model).run(triesMax);
}

/** The beginning or the end of an operation, in a list by time. Ones that were put into the order are out of the list. */
interface Entry<Call> {
  readonly isSpare: boolean;
  readonly operation: Operation<Call>;
  readonly index: number;
  /** Of a beginning whose end is known. */
  readonly end: Entry<Call> | undefined;
  readonly isEnd: boolean;
  previous: Entry<Call> | undefined;
  next: Entry<Call> | undefined;
}

interface Placed<State, Call> {
  readonly entry: Entry<Call>;
  readonly before: State;
  readonly topBefore: number;
  readonly isChange: boolean;
}

class Search<State, Call> {
  readonly #model: Model<State, Call>;
  readonly #head: Entry<Call>;
  readonly #seen = new Set<string>();
  readonly #order: Placed<State, Call>[] = [];
  #state: State;
  #tried = 0;
  /** Operations with an answer that are not in the order yet. */
  #answeredLeft: number;
  /** The highest index in the order, and how many of its operations are spare ones, which do not count for it. */
  #top = -1;
  #spares = 0;
  #best: { count: number; state: State; stuck: readonly Operation<Call>[] };

  constructor(operations: readonly Operation<Call>[], model: Model<State, Call>) {
    this.#model = model;
    this.#state = model.initial;
    this.#answeredLeft = operations.filter(({ end }) => end !== Number.POSITIVE_INFINITY).length;
    this.#head = linked(operations, (call) => model.isSpare?.(call) ?? false);
    this.#best = { count: -1, state: model.initial, stuck: [] };
  }

  run(triesMax: number): Verdict<State, Call> {
    let entry = this.#head.next;
    while (this.#answeredLeft > 0) {
      if (entry === undefined || entry.isEnd) {
        // This one had to be in the order by now.
        this.#remember();
        const last = this.#order.pop();
        if (last === undefined) {
          return { kind: "violated", state: this.#best.state, stuck: this.#best.stuck };
        }
        this.#undo(last);
        entry = last.isChange ? last.entry.next : undefined;
        continue;
      }
      if (this.#tried > triesMax) return { kind: "undecided", tried: triesMax };
      const became = this.#place(entry);
      entry = became === "placed" ? this.#head.next : became === "unfit" ? entry.next : undefined;
    }
    return { kind: "linearizable" };
  }

  /**
   * Puts it next into the order, if the model accepts that and it was not tried yet. What changes nothing might as well stand
   * here as later: when that leads nowhere, nothing else does, a dead end.
   */
  #place(entry: Entry<Call>): "placed" | "unfit" | "dead end" {
    const before = this.#state;
    const after = this.#model.step(before, entry.operation.call);
    if (after === undefined) return "unfit";
    const topBefore = this.#top;
    lift(entry);
    this.#state = after;
    if (entry.isSpare) this.#spares++;
    else this.#top = Math.max(topBefore, entry.index);
    if (entry.end !== undefined) this.#answeredLeft--;
    const placed = { entry, before, topBefore, isChange: after !== before };
    this.#order.push(placed);
    this.#tried++;
    if (!this.#isPast() && this.#isNew()) return "placed";
    this.#remember();
    this.#order.pop();
    this.#undo(placed);
    return placed.isChange ? "unfit" : "dead end";
  }

  #undo({ entry, before, topBefore }: Placed<State, Call>): void {
    unlift(entry);
    this.#state = before;
    this.#top = topBefore;
    if (entry.isSpare) this.#spares--;
    if (entry.end !== undefined) this.#answeredLeft++;
  }

  /** Whether one that must come before the next end never can. */
  #isPast(): boolean {
    const { isPast } = this.#model;
    if (isPast === undefined) return false;
    for (let at = this.#head.next; at !== undefined && !at.isEnd; at = at.next) {
      if (at.end !== undefined && isPast(this.#state, at.operation.call)) return true;
    }
    return false;
  }

  /** The set in the order is named by its highest index and by which lower ones it lacks. */
  #isNew(): boolean {
    let key = `${this.#model.keyOf(this.#state)}|${this.#spares}|${this.#top}`;
    for (let at = this.#head.next; at !== undefined && at.index < this.#top; at = at.next) {
      if (!at.isEnd && !at.isSpare) key += `,${at.index}`;
    }
    const { size } = this.#seen;
    this.#seen.add(key);
    return this.#seen.size > size;
  }

  #remember(): void {
    if (this.#order.length <= this.#best.count) return;
    const stuck: Operation<Call>[] = [];
    for (let at = this.#head.next; at !== undefined && !at.isEnd; at = at.next) {
      if (at.end !== undefined) stuck.push(at.operation);
    }
    this.#best = { count: this.#order.length, state: this.#state, stuck };
  }
}

/** The list's head, an entry of no operation. Indices follow the beginnings. */
function linked<Call>(
  operations: readonly Operation<Call>[],
  isSpareCall: (call: Call) => boolean,
): Entry<Call> {
  const sorted = [...operations].sort((a, b) => a.start - b.start);
  const entries: { readonly time: number; readonly entry: Entry<Call> }[] = [];
  for (const [index, operation] of sorted.entries()) {
    const isAnswered = operation.end !== Number.POSITIVE_INFINITY;
    const isSpare = !isAnswered && isSpareCall(operation.call);
    const rest = { operation, index, isSpare, previous: undefined, next: undefined };
    const end = isAnswered ? { ...rest, isEnd: true, end: undefined } : undefined;
    entries.push({ time: operation.start, entry: { ...rest, isEnd: false, end } });
    if (end !== undefined) entries.push({ time: operation.end, entry: end });
  }
  // At one moment all begin before any ends: of those nobody can tell which was first.
  entries.sort((a, b) => a.time - b.time || Number(a.entry.isEnd) - Number(b.entry.isEnd));
  const head = { isEnd: false, isSpare: false, index: -1 } as Entry<Call>;
  let last = head;
  for (const { entry } of entries) {
    entry.previous = last;
    last.next = entry;
    last = entry;
  }
  return head;
}

/** Takes an operation's two entries out of the list; they keep their neighbours, by which `unlift` puts them back. */
function lift<Call>(entry: Entry<Call>): void {
  for (const one of [entry, entry.end]) {
    if (one === undefined) continue;
    if (one.previous !== undefined) one.previous.next = one.next;
    if (one.next !== undefined) one.next.previous = one.previous;
  }
}

function unlift<Call>(entry: Entry<Call>): void {
  for (const one of [entry.end, entry]) {
    if (one === undefined) continue;
    if (one.previous !== undefined) one.previous.next = one;
    if (one.next !== undefined) one.next.previous = one;
  }
}
