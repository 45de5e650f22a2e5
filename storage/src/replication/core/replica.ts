import { Core } from "./core.ts";
import { Follower } from "./follower.ts";
import { calmTickMs, ownerTickMs } from "./limits.ts";
import { isOwnerMessage } from "./messages.ts";
import { type Acquired, type Assignment, Owner } from "./owner.ts";
import { isDeposed } from "./owner-view.ts";
import { recoveryObstacle } from "./recovery.ts";
import { isNameLeft, Release } from "./release.ts";
import { statusOf } from "./replica-status.ts";
import { Takeover } from "./takeover.ts";
import type {
  CoordinatorInput,
  DiskInput,
  Effect,
  Input,
  LocalInput,
  LogPoint,
  Replica,
  ReplicaOptions,
  ReplicaStatus,
  ShardFacts,
} from "./types.ts";
import { Vacancy } from "./vacancy.ts";

type Of<K extends Input["kind"]> = Extract<Input, { readonly kind: K }>;

/**
 * One replica of one shard, whatever its role. It follows until it sees that a shard of whose set it is has no
 * owner; then it takes it over, and owns it until another does. See `Input` and `Effect` for what goes in and out.
 */
export class ShardReplica implements Replica {
  readonly #core: Core;
  readonly #follower: Follower;
  readonly #vacancy: Vacancy;
  readonly #minInSync: number;
  #takeover: Takeover | undefined;
  #owner: Owner | undefined;
  #assignment: Assignment | undefined;
  /** Owner znode or session may be gone, or a higher epoch was promised: it has to be acquired anew. */
  #isDoubtful = false;
  #above = 0;
  #isDraining = false;
  #halted: string | undefined;
  #tickedMs = Number.NEGATIVE_INFINITY;
  /** What a barrier write has shown in this very step. */
  #fresh: ShardFacts | undefined;

  constructor(options: ReplicaOptions) {
    this.#core = new Core(options);
    this.#vacancy = new Vacancy(this.#core);
    this.#minInSync = options.minInSync;
    this.#follower = new Follower(
      this.#core,
      (reason) => this.#halt(reason),
      () => this.#leave("another owner is followed"),
    );
  }

  step(nowMs: number, input: Input): readonly Effect[] {
    this.#core.nowMs = nowMs;
    this.#take(input);
    this.#consider();
    this.#fresh = undefined;
    return this.#core.take();
  }

  get wakeAtMs(): number | undefined {
    const restMs = this.#restMs();
    return restMs === undefined ? this.#core.looks.wakeAtMs : this.#tickedMs + restMs;
  }

  get sealable(): LogPoint {
    const { faults, log } = this.#core;
    if (faults.has("sealed-above-committed")) return log.end;
    return log.pointAt(Math.min(log.committed, log.end.position));
  }

  get status(): ReplicaStatus {
    return statusOf(this.#core, this.#owner);
  }

  #restMs(): number | undefined {
    if (this.#halted !== undefined) return undefined;
    if (this.#takeover !== undefined || this.#isDoubtful) return ownerTickMs;
    if (this.#owner !== undefined) return this.#owner.restMs;
    if (this.#follower.isBusy) return calmTickMs;
    return this.#isDraining ? undefined : this.#vacancy.restMs;
  }

  #take(input: Input): void {
    switch (input.kind) {
      case "message":
        this.#message(input);
        break;
      case "view":
      case "view-failed":
      case "seen":
      case "outcome":
      case "owner-lost":
      case "session-expired":
      case "live":
        this.#coordinated(input);
        break;
      case "link":
        this.#linked(input);
        break;
      case "written":
      case "persisted":
      case "entries-read":
      case "loaded":
      case "load-failed":
      case "segments-held":
      case "segments-failed":
      case "disk-failed":
      case "damage-found":
        this.#stored(input);
        break;
      case "start":
      case "tick":
      case "append":
      case "cut":
      case "commit":
      case "assign":
      case "hand-over":
      case "recover":
      case "strain":
      case "left":
      case "let-go":
      case "stop":
        this.#asked(input);
        break;
    }
  }

  #coordinated(input: CoordinatorInput): void {
    const core = this.#core;
    switch (input.kind) {
      case "view": {
        const isAnswer = core.looks.answered(input.look);
        this.#read(input.facts, isAnswer);
        break;
      }
      case "view-failed":
        core.looks.failed(input.look, core.nowMs);
        break;
      case "seen":
        this.#read(input.facts, false);
        break;
      case "outcome":
        core.multis.outcome(input.multi, input.outcome);
        break;
      case "owner-lost":
      case "session-expired":
        this.#isDoubtful = this.#owner !== undefined || this.#takeover !== undefined;
        core.looks.want();
        break;
      case "live":
        core.live.set(input.replica, input.incarnation);
        break;
    }
  }

  #stored(input: DiskInput): void {
    switch (input.kind) {
      case "written":
        this.#core.log.written(input.write);
        this.#owner?.written();
        this.#progress(true);
        break;
      case "persisted":
        this.#core.log.persisted(input.record);
        this.#progress(false);
        break;
      case "entries-read":
        this.#owner?.entriesRead(input.read, input.result);
        break;
      case "loaded":
        this.#takeover?.loaded(input);
        break;
      case "load-failed":
        this.#takeover?.loadFailed(input.load, input.reason, input.isPassing);
        break;
      case "segments-held":
        this.#follower.segmentsHeld(input.revision);
        break;
      case "segments-failed":
        this.#follower.segmentsFailed(input.revision);
        break;
      case "disk-failed":
        this.#halt(input.reason);
        break;
      case "damage-found":
        this.#damaged();
        break;
    }
  }

  #asked(input: LocalInput): void {
    switch (input.kind) {
      case "start":
        this.#vacancy.looked();
        this.#core.looks.want();
        break;
      case "tick":
        this.#tick();
        break;
      case "append":
        this.#append(input);
        break;
      case "cut":
        this.#cut(input.request);
        break;
      case "commit":
        if (this.#owner !== undefined) this.#owner.commit(input);
        else {
          const { id } = input.commit;
          this.#core.emit({ kind: "commit-settled", id, outcome: "refused" });
        }
        break;
      case "assign":
        this.#assignment = input;
        this.#owner?.assign(input);
        break;
      case "hand-over":
        this.#handOver(input);
        break;
      case "recover":
        this.#recover(input.liveMembers);
        break;
      case "strain":
        this.#core.isStrained = input.isStrained;
        this.#core.isSlow = input.isSlow === true;
        this.#follower.strained();
        this.#owner?.strained();
        break;
      case "left":
        this.#follower.leave();
        break;
      case "let-go":
        // Whoever takes it over, or owns it, needs what there is.
        if (this.#halted === undefined && this.#owner === undefined && this.#takeover === undefined)
          this.#follower.letGo();
        break;
      case "stop":
        this.#halted = "the process ends";
        this.#leave(this.#halted);
        // The owner need not find out by waiting.
        this.#follower.halt(this.#halted);
        this.#core.role = { kind: "stopped", reason: this.#halted };
        break;
    }
  }

  #append(input: Of<"append">): void {
    if (this.#owner !== undefined) {
      this.#owner.append(input);
      return;
    }
    const { facts, log } = this.#core;
    const isTaking = this.#takeover !== undefined;
    const reason = this.#halted !== undefined ? "stopped" : isTaking ? "waiting" : "moved";
    const epoch = Math.max(facts?.epoch ?? 0, isTaking ? 0 : log.promised);
    this.#core.emit({ kind: "refuse", body: input.body, reason, epoch, owner: facts?.owner });
  }

  #cut(request: number): void {
    if (this.#owner !== undefined) this.#owner.cut(request);
    else {
      const owner = this.#core.facts?.owner;
      this.#core.emit({ kind: "cut-refused", request, reason: "not-owner", owner });
    }
  }

  #message({ from, link, message }: Of<"message">): void {
    if (this.#core.links.get(from) !== link) return;
    if (isOwnerMessage(message)) {
      this.#core.ownerHeard = { replica: from, ms: this.#core.nowMs };
      if (this.#halted === undefined) this.#follower.take(from, link, message);
      else if (message.kind === "announce") {
        const reason = this.#halted;
        this.#core.send(from, { kind: "halted", epoch: message.epoch, reason });
      }
    } else {
      this.#owner?.take(from, message);
    }
  }

  #linked({ replica, link }: Of<"link">): void {
    this.#core.linked(replica, link);
    this.#follower.linked(replica);
    this.#owner?.linked(replica);
  }

  #progress(isWritten: boolean): void {
    this.#takeover?.progress();
    this.#follower.progress(isWritten);
  }

  #tick(): void {
    const { looks, nowMs } = this.#core;
    this.#tickedMs = nowMs;
    looks.tick(nowMs);
    if (this.#halted !== undefined) return;
    this.#takeover?.tick();
    this.#owner?.tick();
    if (this.#owner === undefined) this.#follower.tick();
  }

  /** What the coordinator says; `isFresh`: read behind a barrier that was made after it was asked for. */
  #read(facts: ShardFacts, isFresh: boolean): void {
    const core = this.#core;
    core.learn(facts);
    this.#fresh = isFresh ? facts : undefined;
    if (isFresh) {
      core.reachedMs = core.nowMs;
      core.multis.viewed(facts);
    }
    if (this.#halted !== undefined) return;
    const owner = this.#owner;
    if (owner !== undefined) this.#readAsOwner(owner, facts, isFresh);
    else if (isFresh && this.#takeover !== undefined) this.#takeover.viewed(facts);
    else if (isFresh && isNameLeft(core, facts)) core.multis.add(new Release(core, facts));
    this.#follower.read();
  }

  #readAsOwner(owner: Owner, facts: ShardFacts, isFresh: boolean): void {
    const { epoch, version } = owner.state;
    const { self } = this.#core;
    if (isDeposed(facts, { epoch, version, self })) {
      if (owner.gaveAwayBy(facts)) return;
      this.#leave("deposed");
      this.#core.waitFor(facts);
      return;
    }
    if (!isFresh || !this.#isDoubtful) return;
    const isHolder = facts.holder?.isOwnSession === true && facts.holder.name === self;
    if (this.#above <= epoch && isHolder) {
      this.#isDoubtful = false;
      return;
    }
    // What is in flight settles first; `consider` looks again then.
    if (!this.#core.multis.isIdle) return;
    this.#leave("the shard is acquired anew");
    this.#takeOver(false).viewed(facts);
  }

  /** Whatever this replica was to its shard is over. */
  #leave(reason: string): void {
    const owner = this.#owner;
    this.#owner = undefined;
    this.#isDoubtful = false;
    owner?.over(reason);
    const takeover = this.#takeover;
    this.#takeover = undefined;
    takeover?.over();
    if (takeover?.isRecovery === true) this.#recovered(false, reason);
  }

  /** Begins to take the shard over, when it has no owner as far as is known; a fresh reading decides. */
  #consider(): void {
    const { looks, multis } = this.#core;
    if (this.#halted !== undefined) return;
    if (this.#isDoubtful && multis.isIdle && !looks.isWanted) looks.want();
    if (this.#owner !== undefined || this.#takeover !== undefined || this.#isDraining) return;
    const { facts } = this.#core;
    // Damage may be found when the znode was read already.
    if (facts !== undefined && !looks.isWanted && isNameLeft(this.#core, facts)) looks.want();
    switch (this.#vacancy.turn(this.#follower.heardMs)) {
      case "rest":
        break;
      case "look":
        this.#vacancy.looked();
        looks.want();
        break;
      case "take-over": {
        const takeover = this.#takeOver(false);
        if (this.#fresh === undefined) looks.want();
        else takeover.viewed(this.#fresh);
        break;
      }
    }
  }

  #takeOver(isRecovery: boolean): Takeover {
    const core = this.#core;
    this.#vacancy.looked();
    const takeover = new Takeover(
      core,
      { above: this.#above, isRecovery },
      {
        acquired: (acquired) => this.#acquired(acquired),
        loaded: (sealed, epochStart) => {
          this.#takeover = undefined;
          this.#owner?.begin(sealed, epochStart);
        },
        abandoned: (reason) => {
          this.#vacancy.failed();
          this.#leave(reason);
          if (core.facts !== undefined) core.waitFor(core.facts);
        },
        failed: (reason) => this.#halt(reason),
      },
    );
    this.#takeover = takeover;
    return takeover;
  }

  #acquired(acquired: Acquired): void {
    this.#follower.leave();
    this.#vacancy.acquired();
    const { replicas } = acquired.facts;
    const minInSync = this.#minInSync;
    const assignment = this.#assignment ?? { replicas, owner: undefined, minInSync };
    this.#owner = new Owner(this.#core, acquired, assignment, {
      refused: (promised) => this.#refused(promised),
      handedOver: () => {
        this.#leave("handed over");
        if (this.#core.facts !== undefined) this.#core.waitFor(this.#core.facts);
      },
      damaged: () => this.#damaged(),
    });
    if (this.#takeover?.isRecovery === true) this.#recovered(true, "recovered");
    // The session may have ended while it acquired.
    if (this.#isDoubtful) this.#core.looks.want();
    if (this.#isDraining) this.#drain();
  }

  /** "Taking the shard over": still owner, it acquires again above that promise; else it steps down. */
  #refused(promised: number): void {
    if (this.#owner === undefined || promised <= this.#owner.state.epoch) return;
    this.#above = Math.max(this.#above, promised);
    if (!this.#isDoubtful || !this.#core.looks.isWanted) this.#core.looks.want();
    this.#isDoubtful = true;
  }

  #handOver({ target, transferMs, isDrain }: Of<"hand-over">): void {
    if (isDrain) this.#isDraining = true;
    if (this.#owner !== undefined) {
      this.#owner.giveAway({ target, transferMs, isDrain, isAsked: true });
      return;
    }
    const reason = "this replica does not own the shard";
    this.#core.emit({ kind: "hand-over-settled", isDone: isDrain, reason });
    if (isDrain && this.#takeover?.isAcquired !== true) this.#leave(reason);
  }

  #drain(): void {
    this.#owner?.giveAway({ target: undefined, transferMs: 0, isDrain: true, isAsked: false });
  }

  #recover(liveMembers: readonly string[]): void {
    const isOwner = this.#owner !== undefined;
    const obstacle = this.#halted ?? recoveryObstacle(this.#core, isOwner, liveMembers);
    if (obstacle !== undefined) {
      this.#recovered(false, obstacle);
      return;
    }
    this.#leave("the shard is recovered");
    this.#core.isDamaged = false;
    this.#takeOver(true);
    this.#core.looks.want();
  }

  #recovered(isDone: boolean, reason: string): void {
    const { committed, end } = this.#core.log;
    this.#core.emit({ kind: "recover-settled", isDone, reason, end, committed });
  }

  /** "The in-sync set": it may not acquire, and is repaired as a learner of another owner. */
  #damaged(): void {
    const owner = this.#owner;
    // A set of one has nowhere to go: what is in memory is right, and sealed before the damage is met again.
    if (owner !== undefined && owner.state.inSync.union.length === 1) return;
    this.#core.isDamaged = true;
    this.#follower.damaged();
    owner?.giveUp();
  }

  #halt(reason: string): void {
    if (this.#halted !== undefined) return;
    const core = this.#core;
    const own = this.#owner?.state ?? this.#takeover?.claim;
    const isAlone = this.#owner?.state.inSync.members.length === 1;
    this.#leave(reason);
    this.#follower.halt(reason);
    this.#halted = reason;
    core.role = { kind: "stopped", reason };
    core.emit({ kind: "halt", reason });
    if (own !== undefined && !isAlone) core.multis.add(new Release(core, own));
  }
}
