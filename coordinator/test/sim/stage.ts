import assert from "node:assert/strict";

import * as coreReal from "../../src/core/peer.ts";
import type { PeerId } from "../../src/core/vote.ts";
import type { WriteRequest } from "../../src/tree/prepare.ts";
import { perms } from "../../src/wire/constants.ts";
import type { Disk } from "./disk.ts";
import { Ensemble, type EnsembleEvents } from "./ensemble.ts";
import type { Core, Member } from "./member.ts";
import { ensembleOf } from "./membership.ts";
import { Timeline } from "./timeline.ts";

export interface StageOptions {
  readonly core?: Core;
  readonly voters?: number;
  /** With the ids after the voters'. */
  readonly observers?: number;
  /** With the ids after those: members that no file names, of an ensemble that may change. */
  readonly newcomers?: number;
  readonly recentMax?: number;
  readonly disks?: ReadonlyMap<PeerId, Disk>;
  /** Of the writes that `submit` makes. */
  readonly session?: number;
}

const acl = [{ perms: perms.all, id: { scheme: "world", id: "anyone" } }];

/**
 * A simulated ensemble in which nothing goes wrong by itself: a test says what does, and when. The checker looks on as
 * in a random run, and a write that was acknowledged is remembered.
 */
export class Stage {
  readonly ensemble: Ensemble;
  /** Ids of writes that a client was told of. */
  readonly acked = new Set<number>();
  /** `<kind> <peer>` of what was sent, in order. */
  readonly sent: string[] = [];
  /** May be set: each is told once and then forgotten when it answers true. */
  onSending: ((member: Member, kind: string) => boolean) | undefined;
  onReceived: ((member: Member, kind: string) => boolean) | undefined;
  readonly #session: number;
  #sequence = 0;

  constructor(options: StageOptions = {}) {
    const { core = coreReal, voters = 3, observers = 0, recentMax = 500, disks } = options;
    const { newcomers } = options;
    const count = voters + observers + (newcomers ?? 0);
    this.#session = options.session ?? 1;
    const events: Partial<EnsembleEvents> = {
      applied: (member, { body }, { error }) => {
        if (error === 0 && member.role.kind === "leading") this.acked.add(body.id);
      },
      sending: (member, { kind }) => {
        this.sent.push(`${kind} ${member.peer}`);
        if (this.onSending?.(member, kind) === true) this.onSending = undefined;
      },
      received: (member, kind) => {
        if (this.onReceived?.(member, kind) === true) this.onReceived = undefined;
      },
    };
    this.ensemble = new Ensemble({
      timeline: new Timeline(1),
      core,
      voters: Array.from({ length: voters }, (_, i) => i + 1),
      observers: Array.from({ length: observers }, (_, i) => voters + i + 1),
      recentMax,
      ...(newcomers === undefined ? {} : { ids: Array.from({ length: count }, (_, i) => i + 1) }),
      ...(disks === undefined ? {} : { disks }),
      events,
    });
  }

  start(...ids: readonly PeerId[]): void {
    for (const id of ids) this.ensemble.start(id);
  }

  crash(...ids: readonly PeerId[]): void {
    for (const id of ids) this.ensemble.crash(this.member(id));
  }

  /** Its disk is lost, and it is down: an empty one takes its place. */
  wipe(id: PeerId): void {
    this.ensemble.disks.get(id)?.wipe();
  }

  member(id: PeerId): Member {
    return this.ensemble.member(id);
  }

  /** Until this member leads and these follow it. */
  led(leader: PeerId, ...followers: readonly PeerId[]): void {
    const isFollowing = (id: PeerId) => {
      const { role } = this.member(id);
      return role.kind === "following" && role.leader === leader;
    };
    this.until(
      `led by ${leader}`,
      () => this.member(leader).role.kind === "leading" && followers.every(isFollowing),
    );
  }

  until(what: string, holds: () => boolean): void {
    this.ensemble.until(what, holds);
  }

  run(ms: number): void {
    this.ensemble.run(ms);
  }

  /** Asks a member for writes, and does not wait. Returns the id of the last. */
  submit(at: PeerId, count = 1): number {
    if (this.#sequence === 0) {
      const begun = this.#request(at, { op: "createSession", timeoutMs: 1e6 });
      this.until("begun", () => this.acked.has(begun));
    }
    let id = 0;
    for (let i = 0; i < count; i++) {
      const path = `/n${this.#session}-${this.#sequence}`;
      id = this.#request(at, { op: "create", path, data: Buffer.from(path), acl, flags: 0 });
    }
    return id;
  }

  /** Asks a member that serves for writes, until they are acknowledged. */
  write(at: PeerId, count = 1): void {
    const last = this.submit(at, count);
    this.until("acknowledged", () => this.acked.has(last));
  }

  /** Asks whoever leads for another ensemble, and does not wait. */
  reconfigure(voters: readonly PeerId[], observers: readonly PeerId[] = []): void {
    const leader = this.ensemble.leader ?? assert.fail("nobody leads");
    leader.reconfigure((version) => ensembleOf(version, voters, observers));
  }

  /** Until these members have an ensemble of these voters in force. */
  inForce(voters: readonly PeerId[], ...at: readonly PeerId[]): void {
    const isInForce = (id: PeerId) =>
      `${this.member(id).disk.ensembles?.active.voters.ids}` === `${voters}`;
    this.until(`${voters} in force at ${at}`, () => at.every(isInForce));
  }

  /** No link between these two sets; links inside a set live on. */
  split(one: readonly PeerId[], other: readonly PeerId[]): void {
    for (const a of one) for (const b of other) this.ensemble.network.block(a, b);
  }

  heal(): void {
    this.ensemble.network.heal();
  }

  /** Everyone who is up serves the same, and every acknowledged write is there. */
  whole(): void {
    const up = () => this.ensemble.all.filter(({ isDown }) => !isDown);
    const { committed } = this.ensemble.checker;
    this.until("whole", () =>
      up().every(({ isServing, state }) => isServing && state.txns.length === committed.length),
    );
    const ids = new Set(committed.map(({ body }) => body.id));
    assert.deepEqual(
      [...this.acked].filter((id) => !ids.has(id)),
      [],
      "acknowledged and lost",
    );
    for (const { peer, state } of up()) this.ensemble.checker.serves(peer, state);
  }

  /** Asks a member for a client that has a session of its own. */
  ask(at: PeerId, session: number, op: WriteRequest): number {
    const id = this.ensemble.requestIdNext();
    this.member(at).submit({ id, session, sequence: id, op });
    return id;
  }

  #request(at: PeerId, op: WriteRequest): number {
    this.#sequence++;
    return this.ask(at, this.#session, op);
  }
}
