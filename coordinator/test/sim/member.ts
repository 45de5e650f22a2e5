import type { Effects, Input, Role } from "../../src/core/effects.ts";
import type { LinkId, Message } from "../../src/core/messages.ts";
import type { Peer } from "../../src/core/peer.ts";
import type { Notification, PeerId } from "../../src/core/vote.ts";
import type { Checker } from "./checker.ts";
import type { Disk, LogWrite } from "./disk.ts";
import type { Frame, LinkEnd, Network, Request } from "./network.ts";
import { type Body, State, type Txn } from "./state.ts";
import type { Timeline } from "./timeline.ts";

export type Core = typeof import("../../src/core/peer.ts");

/** What a member tells the world. */
export interface MemberHost {
  notify(from: PeerId, to: PeerId, notification: Notification): void;
  connect(from: LinkEnd, to: PeerId): void;
  applied(member: Member, txn: Txn): void;
  synced(member: Member, tag: number): void;
  roleChanged(member: Member, role: Role): void;
  received(member: Member, kind: string): void;
  /** The member ends here, in the middle of what it was doing. */
  isCrashing(member: Member): boolean;
}

export interface MemberParts {
  readonly timeline: Timeline;
  readonly network: Network;
  readonly checker: Checker;
  readonly host: MemberHost;
  readonly core: Core;
  readonly voters: readonly PeerId[];
  readonly recentMax: number;
  readonly faults: ReadonlySet<string>;
}

/** Quicker than in life, so that more happens in a run. */
const timing = {
  settleTicks: 2,
  repeatTicksMax: 8,
  pingTicks: 5,
  connectTicks: 10,
  initLimitTicks: 50,
  syncLimitTicks: 20,
};
export const tickMs = 100;
const imagePieces = 3;

/** One life of a peer, from a start to a crash: the core's host in the simulated world. */
export class Member implements LinkEnd {
  readonly peer: PeerId;
  readonly life: number;
  readonly disk: Disk;
  state: State;
  role: Role = { kind: "looking" };
  isDown = false;
  readonly #parts: MemberParts;
  readonly #core: Peer<Body, Request>;
  readonly #inputs: Input<Body, Request>[] = [];
  readonly #images = new Map<LinkId, State>();
  #isStepping = false;
  #isLogBusy = false;
  #isEpochBusy = false;
  #checkedThrough = 0;
  #toldEpoch = 0;
  #pausedUntil = 0;

  constructor(peer: PeerId, life: number, disk: Disk, parts: MemberParts) {
    this.peer = peer;
    this.life = life;
    this.disk = disk;
    this.#parts = parts;
    const { state, acceptedEpoch, currentEpoch } = disk.recover();
    this.state = state;
    this.#core = new parts.core.Peer<Body, Request>(
      peer,
      parts.voters,
      {
        acceptedEpoch,
        currentEpoch,
        zxidLast: state.zxid,
        snapshotZxid: disk.snapshot.zxid,
        recent: disk.log,
      },
      { timing, recentMax: parts.recentMax },
    );
  }

  get zxidNext(): number | undefined {
    return this.#core.zxidNext;
  }

  get isServing(): boolean {
    return ["leading", "following", "observing"].includes(this.role.kind);
  }

  start(): void {
    this.input({ kind: "start" });
    this.#tickLater();
  }

  pause(ms: number): void {
    this.#pausedUntil = this.#parts.timeline.now + ms;
    this.#parts.timeline.at(this.#pausedUntil, () => this.#run());
  }

  input(input: Input<Body, Request>): void {
    if (this.isDown) return;
    this.#inputs.push(input);
    this.#run();
  }

  frame(link: LinkId, frame: Frame): void {
    if (this.isDown) return;
    if (frame.kind === "message") {
      if (frame.message.kind === "leaderInfo") this.#toldEpoch = frame.message.epoch;
      this.input({ kind: "message", link, message: frame.message });
      return;
    }
    this.#images.set(link, frame.image);
    const isWhole = frame.isLast || this.#parts.faults.has("3642");
    if (!isWhole) return;
    this.input({ kind: "message", link, message: { kind: "snap", zxid: frame.zxid } });
  }

  /** A snapshot of what is committed, as a host takes one now and then. */
  snapshotTake(): void {
    if (!this.isServing || this.isDown) return;
    const state = new State(this.state.txns, this.state.zxid);
    // The planted fault: a snapshot taken while a txn is applied is labelled with that txn, and lacks it.
    if (this.#parts.faults.has("3127")) state.txns.pop();
    // The planted fault: a snapshot that is newer than its label, and a replay that does things twice.
    if (this.#parts.faults.has("3144")) state.zxid = state.txns.at(-2)?.zxid ?? state.zxid;
    this.#logWrite({ kind: "snapshot", state });
  }

  crash(): void {
    this.isDown = true;
    this.disk.crash(this.#parts.timeline.prng);
    this.#parts.network.cutWhere(
      ({ learner, leader }) => learner.peer === this.peer || leader.peer === this.peer,
    );
  }

  #tickLater(): void {
    // Clocks run at different rates.
    const ms = tickMs + this.#parts.timeline.prng.below(10);
    this.#parts.timeline.after(ms, () => {
      if (this.isDown) return;
      if (this.#parts.timeline.now >= this.#pausedUntil) this.input({ kind: "tick" });
      this.#tickLater();
    });
  }

  #run(): void {
    if (this.#isStepping || this.#parts.timeline.now < this.#pausedUntil) return;
    this.#isStepping = true;
    for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) {
      if (this.isDown) break;
      if (next.kind === "message") this.#parts.host.received(this, next.message.kind);
      if (next.kind === "propose" && this.zxidNext === undefined) continue;
      this.#perform(this.#core.step(next));
    }
    this.#isStepping = false;
  }

  /** Each effect may be the last. */
  #perform(effects: Effects<Body, Request>): void {
    for (const effect of this.#effectsOf(effects)) {
      if (this.isDown) return;
      if (this.#parts.host.isCrashing(this)) return;
      effect();
    }
  }

  #effectsOf(effects: Effects<Body, Request>): (() => void)[] {
    const { truncate, install, append, epochWrite, load, commit, role, connect } = effects;
    const { host, network } = this.#parts;
    const all: (() => void)[] = [];
    if (truncate !== undefined)
      all.push(() => this.#logWrite({ kind: "truncate", zxid: truncate }));
    if (install !== undefined) all.push(() => this.#install(install));
    for (const txn of append) all.push(() => this.#logWrite({ kind: "append", txn }));
    if (epochWrite !== undefined) all.push(() => this.#epochWrite(epochWrite));
    // Neither is seen by anyone before the rest is done.
    all.push(() => {
      for (const txn of load) this.state.apply(txn);
      for (const txn of commit) this.state.apply(txn);
      if (commit.length > 0) {
        this.#parts.checker.commits(this.peer, this.state, this.#checkedThrough);
        this.#checkedThrough = this.state.txns.length;
      }
      for (const txn of commit) host.applied(this, txn);
    });
    for (const { to, notification } of effects.notify) {
      all.push(() => host.notify(this.peer, to, notification));
    }
    for (const { to, message } of effects.send) all.push(() => this.#send(to, message));
    for (const link of effects.close) all.push(() => network.cut(link));
    if (connect !== undefined) all.push(() => host.connect(this, connect));
    for (const event of effects.events) {
      all.push(() => {
        if (event.kind === "requested") this.#inputs.push({ kind: "propose", body: event.request });
        if (event.kind === "synced") host.synced(this, event.tag);
        if (event.kind === "revalidating") {
          const { link, sessionId } = event;
          this.#inputs.push({ kind: "revalidated", link, sessionId, isValid: true });
        }
      });
    }
    if (role !== undefined) all.push(() => this.#roleChange(role));
    return all;
  }

  #roleChange(role: Role): void {
    this.role = role;
    if (role.kind === "leading") {
      this.#parts.checker.leads(this.peer, this.life, role.epoch, this.state);
    }
    if (this.isServing) {
      this.#parts.checker.commits(this.peer, this.state, this.#checkedThrough);
      this.#checkedThrough = this.state.txns.length;
    }
    this.#parts.host.roleChanged(this, role);
  }

  #send(link: LinkId, message: Message<Body, Request>): void {
    const { checker, network } = this.#parts;
    const { disk, state } = this;
    checker.sends({ disk, state, told: this.#toldEpoch }, link, message);
    if (message.kind !== "snap") {
      network.send(this, link, { kind: "message", message });
      return;
    }
    for (let piece = 1; piece <= imagePieces; piece++) {
      const end = Math.ceil((state.txns.length * piece) / imagePieces);
      const image = new State(state.txns.slice(0, end), message.zxid);
      const isLast = piece === imagePieces;
      network.send(this, link, { kind: "piece", zxid: message.zxid, image, isLast });
    }
  }

  #install(zxid: number): void {
    const image = [...this.#images.values()].findLast((each) => each.zxid === zxid);
    if (image !== undefined) this.#logWrite({ kind: "install", state: image });
  }

  #logWrite(write: LogWrite): void {
    this.disk.logLane.push(write);
    if (!this.#isLogBusy) this.#logSync();
  }

  /** What waits when a sync begins is one group. */
  #logSync(): void {
    const group = this.disk.logLane.length;
    this.#isLogBusy = group > 0;
    if (group === 0) return;
    this.#parts.timeline.after(this.#diskDelay(), () => {
      if (this.isDown) return;
      let through: number | undefined;
      for (let i = 0; i < group; i++) {
        const write = this.disk.logWritten();
        if (write.kind === "append") through = write.txn.zxid;
        else if (through !== undefined) {
          this.#inputs.push({ kind: "written", zxid: through });
          through = undefined;
        }
        this.#logWritten(write);
      }
      if (through !== undefined) this.#inputs.push({ kind: "written", zxid: through });
      this.#logSync();
      this.#run();
    });
  }

  #logWritten(write: LogWrite): void {
    if (write.kind === "truncate") {
      if (this.state.zxid > write.zxid) this.#reload();
      this.#inputs.push({ kind: "truncated", zxid: write.zxid });
    }
    if (write.kind === "install") {
      this.#reload();
      this.#inputs.push({ kind: "installed", zxid: write.state.zxid });
    }
  }

  #reload(): void {
    this.state = this.disk.recover().state;
    this.#checkedThrough = 0;
  }

  #epochWrite(write: NonNullable<Effects<Body>["epochWrite"]>): void {
    this.disk.epochLane.push(write);
    if (!this.#isEpochBusy) this.#epochSync();
  }

  #epochSync(): void {
    this.#isEpochBusy = this.disk.epochLane.length > 0;
    if (!this.#isEpochBusy) return;
    this.#parts.timeline.after(this.#diskDelay(), () => {
      if (this.isDown) return;
      const { file, epoch } = this.disk.epochWritten();
      if (file === "currentEpoch") this.#parts.checker.hasHistory(this.disk, epoch);
      this.#inputs.push({ kind: "epochWritten", file, epoch });
      this.#epochSync();
      this.#run();
    });
  }

  #diskDelay(): number {
    const { prng } = this.#parts.timeline;
    return 1 + prng.below(prng.chance(0.05) ? 500 : 10);
  }
}
