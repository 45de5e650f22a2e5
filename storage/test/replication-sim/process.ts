import type { Message } from "../../src/replication/core/messages.ts";
import { StandIn } from "../../src/replication/core/stand-in.ts";
import type { Effect, Input, Replica, Role } from "../../src/replication/core/types.ts";
import { GivenInputs } from "../../src/replication/given-inputs.ts";
import type { Clock } from "./clock.ts";
import { applyWrite, type Disk, type LogWrite } from "./disk.ts";
import type { StoredFile } from "./files.ts";
import { Keeper } from "./keeper.ts";
import { Lanes } from "./lanes.ts";
import type { LogImage } from "./log-image.ts";
import type { Endpoint } from "./network.ts";
import { Replies, type Reply } from "./replies.ts";
import { Seat } from "./seat.ts";
import type { AppendReply, CutReply, Surroundings } from "./surroundings.ts";
import type { Part } from "./tables.ts";

/** One process of a node with its disk: the real core, and a simulated host that performs what it asks for. */
export class Process implements Endpoint<Message> {
  /** `nodeId/diskId/incarnation`. */
  readonly self: string;
  readonly replica: string;
  readonly node: string;
  readonly disk: Disk;
  readonly lanes: Lanes;
  readonly log: LogImage;
  keeper: Keeper;
  readonly seat: Seat;
  readonly clock: Clock;
  core: Replica;
  isDown = false;
  hasHalted = false;
  role: Role = { kind: "waiting" };
  committed: number;
  readonly #around: Surroundings;
  #work: (() => void)[] = [];
  #isWorking = false;
  #pausedUntil = 0;
  #wakesAtMs: number | undefined;
  readonly #replies = new Replies();
  readonly #given = new GivenInputs();
  /** Cores that it had before this one, and those that stood in for them. */
  #generation = 0;
  /** Its core has failed, and another stands in for it. */
  #isBroken = false;
  /** Conditional writes that are not answered. */
  #asking = 0;
  /** It is not known here whether a change of the set came about, nor may it have come about yet; the core that asked for it may have failed. */
  isDoubtful = false;

  constructor(disk: Disk, incarnation: number, clock: Clock, around: Surroundings) {
    const { timeline } = around;
    this.#around = around;
    this.disk = disk;
    this.clock = clock;
    this.replica = disk.replica;
    this.node = disk.replica.slice(0, disk.replica.indexOf("/"));
    this.self = `${disk.replica}/${incarnation}`;
    this.log = disk.log.copy();
    this.committed = disk.log.base.position;
    this.core = this.#coreMake();
    this.lanes = new Lanes(timeline, disk, this.#host());
    this.keeper = this.#keeperMake();
    this.seat = new Seat(around.coordinator, this);
  }

  /** Of what is on disk. */
  #coreMake(): Replica {
    const { faults, make } = this.#around;
    const { record, log } = this.disk;
    return make({
      ...{ replica: this.replica, self: this.self, minInSync: 1, faults },
      state: {
        ...record,
        base: log.base,
        end: log.end,
        entryEpochs: log.epochs,
        entryCommitted: Math.max(0, ...log.entries.map(({ committed }) => committed)),
        isDamaged: this.disk.isRotten,
      },
    });
  }

  #keeperMake(): Keeper {
    const { disk, lanes, log } = this;
    return new Keeper({ ...this.#host(), input: this.#teller(), disk, lanes, log });
  }

  start(): void {
    this.#around.network.add(this);
    this.input({ kind: "start" });
  }

  #host() {
    const around = this.#around;
    const isDown = () => this.isDown;
    return {
      get isDown() {
        return isDown();
      },
      isDiskFailing: () => around.isDiskFailing(this),
      diskFailed: () => this.input({ kind: "disk-failed", reason: "a sync has failed" }),
      written: (write: number) => this.input({ kind: "written", write }),
      persisted: (record: number) => this.input({ kind: "persisted", record }),
      fileWritten: (file: StoredFile) => this.#enqueue(() => this.keeper.written(file)),
      input: (input: Input) => this.input(input),
      uuidNext: () => around.uuidNext(),
      fetch: (from: string, uuid: string, done: (file: StoredFile | undefined) => void) =>
        around.fetch(this, from, uuid, (file) => this.#enqueue(() => done(file))),
    };
  }

  /** It can be heard of by the coordinator. */
  get isHeard(): boolean {
    return !this.isDown && !this.isPaused;
  }

  get isPaused(): boolean {
    return this.#around.timeline.now < this.#pausedUntil;
  }

  /** It has a core that works, by which the shard is elsewhere. */
  get isElsewhere(): boolean {
    const { members } = this.core.status;
    const isOwn = this.isServing || members.length === 0 || members.includes(this.replica);
    return !isOwn && !this.#isBroken && !this.hasHalted && this.isHeard;
  }

  get isServing(): boolean {
    return this.role.kind === "serving";
  }

  pause(ms: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, this.#around.timeline.now + ms);
    this.#around.timeline.at(this.#pausedUntil, () => this.#run());
    this.#around.network.pausing(this);
  }

  /** Its core breaks its own rules: it is opened again from disk, in the same session and over the same links. */
  fail(ms: number): void {
    this.#enqueue(() => {
      if (this.#isBroken || this.hasHalted) return;
      this.#around.saw("core failed");
      this.#isBroken = true;
      this.#replies.over();
      const { end, committed, promised } = this.core.status;
      const log = { base: end, end, lineage: [], entryEpochs: [], entryCommitted: committed };
      const state = { ...log, promised, committed, isDamaged: false };
      this.#begin(new StandIn({ replica: this.replica, self: this.self, state }, "it failed"));
      this.#around.timeline.after(ms, () => this.#reopen());
    });
  }

  /** Once nothing of the failed core is on its way to disk or coordinator. */
  #reopen(): void {
    this.#enqueue(() => {
      if (this.hasHalted) return;
      if (this.#asking > 0 || !this.disk.isDrained) {
        this.#around.timeline.after(20, () => this.#reopen());
        return;
      }
      this.#isBroken = false;
      this.committed = this.log.base.position;
      this.#begin(this.#coreMake());
      this.#around.saw("core opened again");
    });
  }

  #begin(core: Replica): void {
    this.#generation++;
    this.core = core;
    this.keeper = this.#keeperMake();
    for (const input of this.#given.all) this.#step(input);
    this.#step({ kind: "start" });
  }

  /** Hands inputs to the core that there is now, and to none after it. */
  #teller(): (input: Input) => void {
    const generation = this.#generation;
    return (input) => {
      this.#enqueue(() => {
        if (generation === this.#generation) this.#step(input);
      });
    };
  }

  /** Whatever slowed it down is over. */
  calm(): void {
    this.#pausedUntil = 0;
    this.lanes.calm();
    this.seat.client.calm();
    this.#run();
  }

  /** A bit flips on its disk, and a reading of all it holds finds it. */
  rot(): boolean {
    if (!this.disk.rot(this.#around.timeline.prng)) return false;
    for (const position of this.disk.log.rotten) {
      if (this.log.at(position) !== undefined) this.log.rotten.add(position);
    }
    this.input({ kind: "damage-found", reason: "a bit flipped" });
    return true;
  }

  /** Ends as it is asked to, and says goodbye to the coordinator. */
  stop(): void {
    this.input({ kind: "stop" });
    this.#around.timeline.after(this.#around.timeline.prng.below(30), () => this.seat.client.end());
  }

  /** The process is gone, from one moment to the next. */
  crash(): void {
    this.isDown = true;
    this.#work = [];
    this.disk.crash(this.#around.timeline.prng);
    this.seat.client.close();
    this.#around.network.remove(this);
  }

  linked(replica: string, link: number | undefined): void {
    this.input({ kind: "link", replica, link });
  }

  received(from: string, link: number, message: Message): void {
    this.#enqueue(() => {
      this.#around.saw(`${message.kind} ${this.role.kind}`);
      this.#step({ kind: "message", from, link, message });
    });
  }

  input(input: Input): void {
    this.#enqueue(() => this.#step(input));
  }

  /** A router's part, for the owner. */
  append(part: Part, reply: Reply<AppendReply>): void {
    this.#enqueue(() => {
      const known = part.key === undefined ? undefined : this.keeper.tables?.keys.get(part.key);
      if (this.isServing && known !== undefined) {
        if (known <= this.committed) reply({ kind: "stored" });
        else this.#replies.wait(known, reply);
        return;
      }
      if (this.#isBroken) {
        reply({ kind: "refused", reason: "stopped", owner: undefined });
        return;
      }
      this.#replies.asks(part, reply);
      this.#step({ kind: "append", bytes: 100, body: part });
    });
  }

  /** A query's cut. */
  cut(reply: Reply<CutReply>): void {
    this.#enqueue(() => {
      if (this.#isBroken) reply({ kind: "refused", owner: undefined });
      else this.#step({ kind: "cut", request: this.#replies.cut(reply) });
    });
  }

  /** Seals or merges, as an owner does in its own time. */
  tidy(): void {
    this.#enqueue(() => {
      if (!this.isServing) return;
      if (this.#around.timeline.prng.chance(0.6)) this.keeper.seal(this.core.sealable);
      else this.keeper.merge(this.committed);
    });
  }

  #enqueue(run: () => void): void {
    if (this.isDown) return;
    this.#work.push(run);
    this.#run();
  }

  #run(): void {
    if (this.#isWorking) return;
    this.#isWorking = true;
    while (this.#work.length > 0 && !this.isPaused && !this.isDown) this.#work.shift()!();
    this.#isWorking = false;
  }

  #step(input: Input): void {
    this.#around.trace?.(this, input);
    this.#given.note(input);
    if (input.kind === "view" && this.#asking === 0) this.isDoubtful = false;
    if (this.#isBroken && input.kind === "disk-failed") {
      this.hasHalted = true;
      this.#around.halted(this, input.reason);
    }
    const effects = this.core.step(this.clock.monotonicMs, input);
    this.#around.saw(`input ${input.kind}`);
    this.#perform(effects, 0);
    this.#wakeLater();
  }

  #perform(effects: readonly Effect[], from: number): void {
    for (let at = from; at < effects.length; at++) {
      if (this.isDown) return;
      const effect = effects[at] as Effect;
      const next = this.#around.beforeEffect(this, effect);
      if (next === "crash") return;
      if (next !== "go") {
        this.pause(next.pauseMs);
        this.#work.unshift(() => this.#perform(effects, at));
        return;
      }
      this.#around.trace?.(this, effect);
      this.#do(effect);
    }
  }

  #wakeLater(): void {
    const { wakeAtMs } = this.core;
    if (wakeAtMs === undefined || wakeAtMs === this.#wakesAtMs) return;
    this.#wakesAtMs = wakeAtMs;
    this.#around.timeline.after(this.clock.realMs(wakeAtMs - this.clock.monotonicMs), () => {
      if (this.#wakesAtMs !== wakeAtMs) return;
      this.#wakesAtMs = undefined;
      this.input({ kind: "tick" });
    });
  }

  #do(effect: Effect): void {
    const { network } = this.#around;
    switch (effect.kind) {
      case "append":
        this.#append(effect);
        return;
      case "truncate":
        this.#write({ kind: "truncate", after: effect.after, write: effect.write });
        return;
      case "reset-log":
        this.#write({ kind: "reset", base: effect.base, write: effect.write });
        this.committed = effect.base.position;
        return;
      case "forget":
        this.#forget(effect.after);
        return;
      case "persist":
        this.lanes.record({ record: effect.record, state: effect.state });
        return;
      case "read":
        this.#readLater(effect);
        return;
      case "free":
        this.#write({ kind: "free", through: effect.through.position, write: undefined });
        return;
      case "look":
        this.seat.look(effect.look, this.#teller());
        return;
      case "multi":
        this.#multi(effect);
        return;
      case "send":
        network.send(this, effect.to, effect.link, effect.message);
        return;
      case "hold-segments":
        this.keeper.hold(effect);
        return;
      case "load":
        this.#load(effect);
        return;
      default:
        this.#tell(effect);
    }
  }

  /** What is for this node's own ears. */
  #tell(effect: Effect): void {
    switch (effect.kind) {
      case "role":
        this.#roleChange(effect.role);
        return;
      case "committed":
        this.#commit(effect.position);
        return;
      case "refuse": {
        this.#around.saw(`refuse ${effect.reason}`);
        this.#replies.refused(effect);
        return;
      }
      case "cut-opened":
        this.#cutOpened(effect);
        return;
      case "cut-refused":
        this.#around.saw(`cut ${effect.reason}`);
        this.#replies.cutReply(effect.request, { kind: "refused", owner: effect.owner });
        return;
      case "commit-settled":
        this.#around.saw(`commit ${effect.outcome}`);
        this.keeper.settled(effect.id, effect.outcome);
        return;
      case "hand-over-settled":
        this.#around.saw(`hand-over ${effect.isDone ? "done" : "not done"}`);
        return;
      case "recover-settled":
        return;
      case "halt":
        this.hasHalted = true;
        this.#around.halted(this, effect.reason);
        return;
      default:
        throw new Error(`an effect of kind ${effect.kind} is not known`);
    }
  }

  #append({ write, isOwn, entries }: Extract<Effect, { kind: "append" }>): void {
    for (const [at, entry] of entries.entries()) {
      const isLast = at === entries.length - 1;
      this.#write({ kind: "append", entry, write: isLast ? write : undefined });
      if (!isOwn) continue;
      this.keeper.appended(entry);
      this.#replies.placed(entry.body as Part, entry.position);
    }
  }

  #write(write: LogWrite): void {
    applyWrite(this.log, write);
    this.lanes.log(write);
  }

  #forget(after: number): void {
    this.keeper.forget(after);
    this.#replies.forget(after);
  }

  #multi(effect: Extract<Effect, { kind: "multi" }>): void {
    this.#around.saw(`multi ${effect.op.kind}`);
    const tell = this.#teller();
    this.#asking++;
    const isChange = effect.op.kind === "change-set";
    if (isChange) this.isDoubtful = true;
    this.seat.multi(effect, this.keeper.sealed, (input) => {
      this.#asking--;
      const isUnknown = input.kind === "outcome" && input.outcome.kind === "unknown";
      if (isChange && !isUnknown) this.isDoubtful = false;
      tell(input);
    });
  }

  #readLater(effect: Extract<Effect, { kind: "read" }>): void {
    const { timeline } = this.#around;
    const generation = this.#generation;
    timeline.after(1 + timeline.prng.below(8), () => {
      this.#enqueue(() => {
        if (generation === this.#generation) this.#read(effect);
      });
    });
  }

  #read({ read, from, bytesMax }: Extract<Effect, { kind: "read" }>): void {
    const { log } = this;
    const count = Math.max(1, Math.floor(bytesMax / 100));
    let result: Extract<Input, { kind: "entries-read" }>["result"] = "gone";
    if (from > log.base.position) {
      const entries = log.behind(Math.min(from - 1, log.end.position)).slice(0, count);
      const isDamaged =
        entries.length === 0 || entries.some((each) => log.rotten.has(each.position));
      result = isDamaged ? "damaged" : entries;
    }
    this.#step({ kind: "entries-read", read, result });
  }

  #load(effect: Extract<Effect, { kind: "load" }>): void {
    const { keeper, seat } = this;
    seat.client.read((outcome, view) => {
      this.#enqueue(() => {
        if (keeper !== this.keeper) return;
        const isSame = outcome.kind === "done" && seat.client.session === seat.sessionAcquired;
        keeper.load(effect, view, isSame);
      });
    });
  }

  #roleChange(role: Role): void {
    this.role = role;
    this.#around.saw(`role ${role.kind}`);
    if (role.kind === "serving" || role.kind === "handing-over") return;
    this.#replies.unknown();
  }

  #commit(position: number): void {
    for (let at = Math.max(this.committed, this.log.base.position) + 1; at <= position; at++) {
      const entry = this.log.at(at);
      if (entry === undefined) this.#around.checker.fail(`${this.self} commits ${at} and lacks it`);
      const { key, body } = entry.body as Part;
      this.#around.committed(this, { epoch: entry.epoch, position: at, key, body });
    }
    this.committed = Math.max(this.committed, position);
    this.#replies.committed(position);
  }

  #cutOpened({ request, committed }: Extract<Effect, { kind: "cut-opened" }>): void {
    const records = this.keeper.cut(committed);
    const reply: CutReply =
      records === undefined ? { kind: "partial" } : { kind: "opened", through: committed, records };
    this.#replies.cutReply(request, reply);
  }
}
