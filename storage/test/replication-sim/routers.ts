import type { Body, Checker } from "./checker.ts";
import { paths, type ShardZnode } from "./files.ts";
import type { Process } from "./process.ts";
import type { AppendReply, CutReply } from "./surroundings.ts";
import type { Part } from "./tables.ts";
import type { Timeline } from "./timeline.ts";
import type { Znodes } from "./znodes.ts";

/** What routers need of the world. */
export interface RouterWorld {
  readonly timeline: Timeline;
  readonly checker: Checker;
  readonly tree: Znodes;
  readonly nodes: readonly string[];
  reaches(from: string, to: string): boolean;
  /** The process that runs on a disk, if one does. */
  processOf(replica: string): Process | undefined;
  saw(what: string): void;
}

/** A part that is not known to be stored yet. */
interface Waiting {
  readonly key: string | undefined;
  readonly record: number;
  readonly kind: "record" | "delete";
  tries: number;
}

/** An answer that does not come in this time is given up: its outcome is unknown. */
const patienceMs = 1500;
/** Parts of a router that are under way at once. */
const waitingMax = 6;

/**
 * A router: takes records, sends each to whom it thinks to be the owner, and again with the same key until it is
 * stored. What it thinks is what it last heard, or an old reading of the znode. It asks queries the same way.
 */
export class Router {
  readonly #world: RouterWorld;
  readonly #node: string;
  readonly #name: string;
  readonly #waiting = new Set<Waiting>();
  #owner: string | undefined;
  #sequence = 0;
  #isEnding = false;
  #cutsWaiting = 0;
  readonly #numbers: () => number;

  constructor(world: RouterWorld, name: string, node: string, numbers: () => number) {
    this.#world = world;
    this.#name = name;
    this.#node = node;
    this.#numbers = numbers;
    this.#appendLater();
    this.#cutLater();
  }

  get isQuiet(): boolean {
    return this.#waiting.size === 0 && this.#cutsWaiting === 0;
  }

  /** Takes no more records; what it has goes on. */
  end(): void {
    this.#isEnding = true;
  }

  /** The router's process is gone, and whatever it had with it. */
  forget(): void {
    this.#isEnding = true;
    this.#waiting.clear();
  }

  /** Asks one more query, until it is answered. */
  query(answered: () => void): void {
    this.#cut(answered);
  }

  /** One more record, until it is stored. */
  store(): void {
    const { prng } = this.#world.timeline;
    const record = this.#numbers();
    // Without a key there is one try: another would be another record.
    const key = prng.chance(0.9) ? `${this.#name}-${++this.#sequence}` : undefined;
    const kind = prng.chance(0.02) ? "delete" : "record";
    const waiting: Waiting = { key, record, kind, tries: 0 };
    this.#waiting.add(waiting);
    this.#try(waiting);
  }

  #appendLater(): void {
    const { timeline } = this.#world;
    const pace = timeline.prng.chance(0.2) ? 1500 : 200;
    timeline.after(1 + timeline.prng.below(pace), () => {
      if (this.#isEnding) return;
      const burst = timeline.prng.chance(0.1) ? 4 : 1;
      for (let at = 0; at < burst && this.#waiting.size < waitingMax; at++) this.store();
      this.#appendLater();
    });
  }

  #cutLater(): void {
    const { timeline } = this.#world;
    timeline.after(50 + timeline.prng.below(900), () => {
      if (this.#isEnding) return;
      if (this.#cutsWaiting < 2) this.#cut(() => undefined);
      this.#cutLater();
    });
  }

  #try(waiting: Waiting): void {
    if (!this.#waiting.has(waiting)) return;
    waiting.tries++;
    const { kind, record, key } = waiting;
    const body: Body = { id: this.#numbers(), kind, record };
    const part: Part = { key, body };
    this.#call<AppendReply>(
      (process, reply) => process.append(part, reply),
      (reply) => this.#answered(waiting, body, reply),
    );
  }

  #answered(waiting: Waiting, body: Body, reply: AppendReply | undefined): void {
    const { timeline, checker } = this.#world;
    if (!this.#waiting.has(waiting)) return;
    if (reply?.kind === "stored") {
      this.#waiting.delete(waiting);
      checker.acknowledges(waiting.key, body);
      return;
    }
    if (reply?.kind === "refused") this.#heard(reply.owner);
    else {
      // Stored, or not: without a key nobody can ask again.
      if (waiting.key === undefined) this.#waiting.delete(waiting);
      this.#look();
    }
    timeline.after(20 + timeline.prng.below(300), () => this.#try(waiting));
  }

  #cut(answered: () => void): void {
    const { checker, timeline } = this.#world;
    const claim = checker.claim();
    this.#cutsWaiting++;
    let who = "";
    this.#call<CutReply>(
      (process, reply) => {
        who = process.self;
        process.cut(reply);
      },
      (reply) => {
        this.#cutsWaiting--;
        this.#world.saw(`query ${reply?.kind ?? "lost"}`);
        if (reply?.kind === "opened") {
          checker.shows(who, claim, reply.through, reply.records);
          answered();
          return;
        }
        if (reply?.kind === "refused") this.#heard(reply.owner);
        else this.#look();
        if (this.#isEnding) timeline.after(100, () => this.#cut(answered));
      },
    );
  }

  /** Asks the supposed owner, there and back over the network. `answered` is called once. */
  #call<R>(
    ask: (process: Process, reply: (reply: R) => void) => void,
    answered: (reply: R | undefined) => void,
  ): void {
    const { timeline } = this.#world;
    let isOver = false;
    const finish = (reply: R | undefined): void => {
      if (isOver) return;
      isOver = true;
      answered(reply);
    };
    timeline.after(patienceMs, () => finish(undefined));
    const owner = this.#owner ?? this.#anyone();
    timeline.after(1 + timeline.prng.below(6), () => {
      const process = this.#world.processOf(owner);
      if (process === undefined || !this.#world.reaches(this.#node, process.node)) {
        // Refused at once, or never answered.
        if (timeline.prng.chance(0.5)) timeline.after(20, () => finish(undefined));
        return;
      }
      ask(process, (reply) => {
        timeline.after(1 + timeline.prng.below(6), () => {
          if (this.#world.reaches(process.node, this.#node)) finish(reply);
        });
      });
    });
  }

  #anyone(): string {
    const shard = this.#world.tree.get(paths.shard)?.data as ShardZnode;
    return this.#world.timeline.prng.pick(shard.replicas);
  }

  #heard(owner: string | undefined): void {
    if (owner === undefined) this.#look();
    else this.#owner = owner.split("/").slice(0, 2).join("/");
  }

  /** Reads the znode as it is, or was a while ago. */
  #look(): void {
    const { tree, timeline } = this.#world;
    const zxid = tree.zxidAt(timeline.now - timeline.prng.pick([0, 50, 2000]));
    const owner = (tree.get(paths.shard, zxid)?.data as ShardZnode | undefined)?.owner;
    if (owner === undefined) this.#owner = undefined;
    else this.#heard(owner);
  }
}
