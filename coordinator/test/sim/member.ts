import type { Effects, Event, Input, Role } from "../../src/core/effects.ts";
import type { Ensemble } from "../../src/core/ensemble.ts";
import type { LinkId, Message } from "../../src/core/messages.ts";
import type { Peer } from "../../src/core/peer.ts";
import type { Notification, PeerId } from "../../src/core/vote.ts";
import type { Outcome } from "../../src/tree/tree.ts";
import type { Checker } from "./checker.ts";
import type { Disk, EpochWrite, LogWrite } from "./disk.ts";
import { DiskLanes, type LanesHost } from "./disk-lanes.ts";
import { Leadership, ownLink, type Request } from "./leadership.ts";
import type { Frame, LinkEnd, Network } from "./network.ts";
import { type Body, type Image, type State, type Txn, Violation } from "./state.ts";
import { type Timeline, tickMs } from "./timeline.ts";

export type Core = typeof import("../../src/core/peer.ts");

/** What a member tells the world. */
export interface MemberHost {
  notify(from: PeerId, to: PeerId, notification: Notification): void;
  connect(from: LinkEnd, to: PeerId): void;
  /** A committed txn is part of the member's tree, and its watches have been told. */
  applied(member: Member, txn: Txn, outcome: Outcome): void;
  synced(member: Member, tag: number): void;
  revalidated(member: Member, session: number, isValid: boolean): void;
  roleChanged(member: Member, role: Role): void;
  received(member: Member, kind: string): void;
  sending(member: Member, message: Message<Body, Request>): void;
  /** The member ends here, in the middle of what it was doing. */
  isCrashing(member: Member): boolean;
  /** Whether the disk refuses what it is asked for. */
  isDiskFailing(member: Member): boolean;
  /** The member ends: nothing it asks of that file counts any more. */
  diskFailed(member: Member): void;
  requestIdNext(): number;
}

export interface MemberParts {
  readonly timeline: Timeline;
  readonly network: Network;
  readonly checker: Checker;
  readonly host: MemberHost;
  readonly core: Core;
  readonly voters: readonly PeerId[];
  /** What members' files say of the ensemble, if it may change. */
  readonly ensemble: Ensemble | undefined;
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
const imagePieces = 3;

/** One life of a peer, from a start to a crash: the core's host in the simulated world. */
export class Member implements LinkEnd, LanesHost {
  readonly peer: PeerId;
  readonly life: number;
  readonly disk: Disk;
  state: State;
  role: Role = { kind: "looking" };
  isDown = false;
  readonly lanes: DiskLanes;
  readonly #parts: MemberParts;
  readonly #core: Peer<Body, Request>;
  readonly #tickRate: number;
  readonly #inputs: (() => void)[] = [];
  readonly #images = new Map<LinkId, Image>();
  /** Sessions that were heard of and are in no pong yet. */
  readonly #touched = new Set<number>();
  #leadership: Leadership | undefined;
  #isStepping = false;
  #toldEpoch = 0;
  /** Epochs through this one were current before the log was last cut or replaced. */
  #replacedSince = 0;
  #pausedUntil = 0;

  constructor(peer: PeerId, life: number, disk: Disk, parts: MemberParts) {
    this.peer = peer;
    this.life = life;
    this.disk = disk;
    this.lanes = new DiskLanes(parts.timeline, disk, this);
    this.#parts = parts;
    this.#tickRate = parts.timeline.prng.pick([1, 1, 0.8, 1.3]);
    this.state = disk.recover(parts.faults.has("rot"));
    const { acceptedEpoch, currentEpoch } = disk;
    this.#core = new parts.core.Peer<Body, Request>(
      peer,
      disk.ensembles?.active ?? parts.ensemble ?? parts.voters,
      {
        acceptedEpoch,
        currentEpoch,
        zxidLast: this.state.zxid,
        snapshotZxid: disk.snapshot.zxid,
        recent: disk.log,
        ...(disk.ensembles === undefined ? {} : { ensembleSeen: disk.ensembles.seen }),
      },
      { timing, recentMax: parts.recentMax, reconfigEnabled: parts.ensemble !== undefined },
    );
  }

  get isServing(): boolean {
    return ["leading", "following", "observing"].includes(this.role.kind);
  }

  get isPaused(): boolean {
    return this.#parts.timeline.now < this.#pausedUntil;
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
    this.#enqueue(() => this.#step(input));
  }

  /** A client of this member asks for a write. */
  submit(request: Request): void {
    this.#enqueue(() => this.#submit(request, ownLink));
  }

  /** A leader is asked for another ensemble. */
  reconfigure(draw: (version: number) => Ensemble | undefined): void {
    this.#enqueue(() => {
      const zxid = this.#core.zxidNext;
      if (this.#leadership === undefined || zxid === undefined) return;
      const ensemble = draw(zxid);
      if (ensemble === undefined) return;
      if (this.#core.isEnsembleChanging || !this.#core.hasSynced(ensemble.voters)) return;
      const body = this.#leadership.nothing(this.#parts.host.requestIdNext());
      this.#parts.checker.broadcasts(this.peer, zxid, body);
      this.#step({ kind: "propose", body, ensemble });
    });
  }

  /** A client of this member was heard of. */
  hear(session: number, timeoutMs: number): void {
    this.#enqueue(() => {
      if (this.#leadership !== undefined) this.#leadership.hear(session);
      else if (this.isServing) {
        this.#touched.add(session);
        this.#step({ kind: "touch", sessionId: BigInt(session), timeoutMs });
      }
    });
  }

  /** A client comes to this member with its session. */
  revalidate(session: number, timeoutMs: number): void {
    this.#enqueue(() => {
      if (this.#leadership === undefined) {
        this.#step({ kind: "revalidate", sessionId: BigInt(session), timeoutMs });
      } else {
        const isValid = this.#leadership.revalidate(session, ownLink);
        this.#parts.host.revalidated(this, session, isValid);
      }
    });
  }

  frame(link: LinkId, frame: Frame): void {
    if (this.isDown) return;
    if (frame.kind === "message") {
      if (frame.message.kind === "leaderInfo") this.#toldEpoch = frame.message.epoch;
      this.input({ kind: "message", link, message: frame.message });
      return;
    }
    this.#parts.host.received(this, "piece");
    if (this.isDown) return;
    this.#images.set(link, frame.image);
    const isWhole = frame.isLast || this.#parts.faults.has("3642");
    if (!isWhole) return;
    this.input({ kind: "message", link, message: { kind: "snap", zxid: frame.zxid } });
  }

  /** A snapshot of what is committed, as a host takes one now and then. */
  snapshotTake(): void {
    if (!this.isServing || this.isDown) return;
    let image = this.state.image();
    const { txns, zxid } = image;
    // The planted fault: a snapshot taken while a txn is applied is labelled with that txn, and lacks it.
    if (this.#parts.faults.has("3127")) image = { zxid, txns: txns.slice(0, -1), bytes: undefined };
    // The planted fault: a snapshot that is newer than its label, and a replay that does things twice.
    if (this.#parts.faults.has("3144")) image = { ...image, zxid: txns.at(-2)?.zxid ?? zxid };
    this.lanes.logWrite({ kind: "snapshot", image });
  }

  crash(): void {
    this.isDown = true;
    this.disk.crash(this.#parts.timeline.prng);
    this.#parts.network.cutWhere(
      ({ learner, leader }) => learner.peer === this.peer || leader.peer === this.peer,
    );
  }

  #tickLater(): void {
    const ms = Math.round(tickMs * this.#tickRate) + this.#parts.timeline.prng.below(10);
    this.#parts.timeline.after(ms, () => {
      if (this.isDown) return;
      if (!this.isPaused) this.#enqueue(() => this.#tick());
      this.#tickLater();
    });
  }

  #tick(): void {
    for (const session of this.#leadership?.advance() ?? []) {
      const id = this.#parts.host.requestIdNext();
      this.#submit({ id, session, sequence: undefined, op: { op: "closeSession" } }, ownLink);
    }
    this.#step({ kind: "tick" });
  }

  #enqueue(run: () => void): void {
    if (this.isDown) return;
    this.#inputs.push(run);
    this.#run();
  }

  #run(): void {
    if (this.#isStepping || this.isPaused) return;
    this.#isStepping = true;
    for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) {
      if (this.isDown) break;
      next();
    }
    this.#isStepping = false;
  }

  #submit(request: Request, link: LinkId): void {
    if (this.#leadership === undefined) {
      if (link === ownLink) this.#step({ kind: "request", request });
      return;
    }
    const zxid = this.#core.zxidNext;
    if (zxid === undefined) return;
    // The planted fault: nobody asks whether the session has moved on since.
    const from = this.#parts.faults.has("session-moved") ? undefined : link;
    const body = this.#leadership.prepare(request, from, zxid);
    this.#parts.checker.broadcasts(this.peer, zxid, body);
    this.#step({ kind: "propose", body });
  }

  #step(input: Input<Body, Request>): void {
    if (input.kind === "message") this.#parts.host.received(this, input.message.kind);
    this.#perform(this.#core.step(input));
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
    const { ensembles } = effects;
    if (truncate !== undefined || install !== undefined) this.#replacedSince = this.#toldEpoch - 1;
    if (ensembles !== undefined) {
      all.push(() => {
        this.disk.ensembles = ensembles;
        this.#parts.checker.inForce(ensembles.active);
      });
    }
    if (truncate !== undefined)
      all.push(() => this.lanes.logWrite({ kind: "truncate", zxid: truncate }));
    if (install !== undefined) all.push(() => this.#install(install));
    for (const txn of append) all.push(() => this.lanes.logWrite({ kind: "append", txn }));
    if (epochWrite !== undefined) all.push(() => this.lanes.epochWrite(epochWrite));
    // Neither is seen by anyone before the rest is done.
    all.push(() => {
      for (const txn of load) this.state.apply(txn);
      for (const txn of commit) this.#commit(txn);
    });
    for (const { to, notification } of effects.notify) {
      all.push(() => host.notify(this.peer, to, notification));
    }
    for (const { to, message } of effects.send) all.push(() => this.#send(to, message));
    for (const link of effects.close) all.push(() => network.cut(link));
    if (connect !== undefined) all.push(() => host.connect(this, connect));
    for (const event of effects.events) all.push(() => this.#event(event));
    if (role !== undefined) all.push(() => this.#roleChange(role));
    return all;
  }

  /** Events go out before the answer that shows their change. */
  #commit(txn: Txn): void {
    const outcome = this.state.apply(txn);
    this.#parts.checker.commits(this.peer, this.state);
    this.#leadership?.applied(txn);
    const isLate = this.#parts.faults.has("event-late");
    if (!isLate) this.#watchesFire();
    this.#parts.host.applied(this, txn, outcome);
    if (isLate) this.#watchesFire();
  }

  #watchesFire(): void {
    const { watches } = this.state.tree;
    for (const { watcher, type, path } of watches.fired) watcher.hear(type, path);
    watches.fired = [];
  }

  #event(event: Event<Request>): void {
    const { host } = this.#parts;
    switch (event.kind) {
      case "requested":
        this.#inputs.push(() => this.#submit(event.request, event.link));
        return;
      case "touched":
        for (const { sessionId } of event.touched) this.#leadership?.hear(Number(sessionId));
        return;
      case "revalidating": {
        const { link, sessionId } = event;
        // Behind the requests that came on this link before it, as the product takes them.
        this.#inputs.push(() => {
          if (this.#leadership === undefined) return;
          const isValid = this.#leadership.revalidate(Number(sessionId), link);
          this.#step({ kind: "revalidated", link, sessionId, isValid });
        });
        return;
      }
      case "revalidated":
        host.revalidated(this, Number(event.sessionId), event.isValid);
        return;
      case "synced":
        host.synced(this, event.tag);
        return;
    }
  }

  #roleChange(role: Role): void {
    this.role = role;
    const { checker, timeline, host } = this.#parts;
    this.#leadership = undefined;
    this.#touched.clear();
    if (role.kind === "leading") {
      checker.leads(this.peer, this.life, role.epoch, this.state);
      this.#leadership = new Leadership(timeline, this.state, this.#tickRate);
    }
    if (this.isServing) checker.serves(this.peer, this.state);
    host.roleChanged(this, role);
  }

  #send(link: LinkId, message: Message<Body, Request>): void {
    const { checker, network, host } = this.#parts;
    const { disk, state } = this;
    checker.sends({ disk, state, told: this.#toldEpoch }, link, message);
    host.sending(this, message);
    // Whoever looks on may have ended it.
    if (this.isDown) return;
    if (message.kind === "pong") this.#pong(message.touched.map((each) => Number(each.sessionId)));
    if (message.kind !== "snap") {
      network.send(this, link, { kind: "message", message });
      return;
    }
    const whole = state.image(message.zxid);
    for (let piece = 1; piece <= imagePieces; piece++) {
      const isLast = piece === imagePieces;
      const end = Math.ceil((whole.txns.length * piece) / imagePieces);
      const part = { zxid: whole.zxid, txns: whole.txns.slice(0, end), bytes: undefined };
      const image = isLast ? whole : part;
      network.send(this, link, { kind: "piece", zxid: message.zxid, image, isLast });
    }
  }

  /** Who was heard of since the last pong is in this one. */
  #pong(touched: readonly number[]): void {
    const missing = [...this.#touched].filter((session) => !touched.includes(session));
    if (missing.length > 0) throw new Violation(`a pong lacks the touched sessions ${missing}`);
    this.#touched.clear();
  }

  #install(zxid: number): void {
    const image = [...this.#images.values()].findLast((each) => each.zxid === zxid);
    this.#images.clear();
    if (image !== undefined) this.lanes.logWrite({ kind: "install", image });
  }

  logWritten(writes: readonly LogWrite[]): void {
    let through: number | undefined;
    const written = (): void => {
      const zxid = through;
      if (zxid !== undefined) this.#inputs.push(() => this.#step({ kind: "written", zxid }));
      through = undefined;
    };
    for (const write of writes) {
      if (write.kind === "append") through = write.txn.zxid;
      else {
        written();
        this.#replaced(write);
      }
    }
    written();
    this.#run();
  }

  epochWritten({ file, epoch }: EpochWrite): void {
    // One that was slow may be overtaken by what a later leader made of the log: then it is the older claim.
    if (file === "currentEpoch" && epoch > this.#replacedSince) {
      this.#parts.checker.hasHistory(this.disk, epoch);
    }
    this.#inputs.push(() => this.#step({ kind: "epochWritten", file, epoch }));
    this.#run();
  }

  isDiskFailing(): boolean {
    return this.#parts.host.isDiskFailing(this);
  }

  diskFailed(): boolean {
    // The planted fault: a sync that failed once is asked for again, and then succeeds with nothing written.
    if (this.#parts.faults.has("fsync")) return false;
    this.#parts.host.diskFailed(this);
    return true;
  }

  #replaced(write: LogWrite): void {
    if (write.kind === "truncate") {
      if (this.state.zxid > write.zxid) this.state = this.disk.state();
      this.#inputs.push(() => this.#step({ kind: "truncated", zxid: write.zxid }));
    }
    if (write.kind === "snapshot") {
      const { zxid } = write.image;
      this.#inputs.push(() => this.#step({ kind: "snapshotTaken", zxid }));
    }
    if (write.kind === "install") {
      this.state = this.disk.state();
      const { zxid } = write.image;
      this.#inputs.push(() => this.#step({ kind: "installed", zxid }));
    }
  }
}
