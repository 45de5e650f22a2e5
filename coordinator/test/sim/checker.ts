import type { Ensemble } from "../../src/core/ensemble.ts";
import type { LinkId, Message } from "../../src/core/messages.ts";
import type { PeerId } from "../../src/core/vote.ts";
import { zxidEpoch, zxidText } from "../../src/core/zxid.ts";
import { treeFingerprint } from "../../src/tree/fingerprint.ts";
import type { Disk } from "./disk.ts";
import type { Request } from "./leadership.ts";
import { SessionChecker } from "./session-checker.ts";
import { type Body, type State, type Txn, Violation } from "./state.ts";

/** Trees are compared whenever they have grown by this many txns. */
const comparedTxns = 128;

/**
 * Sees everything in the simulated world, and says when something is that must not be. The names of broken
 * promises are those of ZooKeeper's TLA+ specification of ZAB, where it has one.
 */
export class Checker {
  readonly #disks: ReadonlyMap<PeerId, Disk>;
  /** Who served in an epoch, in which of its lives, and with which history. */
  readonly #leaders = new Map<number, { readonly who: string; readonly history: readonly Txn[] }>();
  /** The history that an epoch's leader was elected with, as it told it. */
  readonly #histories = new Map<number, readonly Txn[]>();
  readonly #broadcast = new Map<number, Body>();
  readonly #sequences = new Map<number, number>();
  readonly #acknowledged = new Set<LinkId>();
  readonly #fingerprints = new Map<number, string>();
  readonly sessions = new SessionChecker();
  /** Everything that was ever committed, in order. */
  readonly committed: Txn[] = [];

  /** Of which quorums are asked for: the newest that is committed. */
  #ensemble: Ensemble;
  /** Those that are in force at anyone, ascending. */
  readonly #claims: Ensemble[];
  changes = 0;

  constructor(ensemble: Ensemble, disks: ReadonlyMap<PeerId, Disk>) {
    this.#ensemble = ensemble;
    this.#claims = [ensemble];
    this.#disks = disks;
  }

  get #claimed(): Ensemble {
    return this.#claims.at(-1) as Ensemble;
  }

  /** Of what is in force: a change may be so before its commit is seen by anyone. */
  #isQuorum(holds: (id: PeerId) => boolean): boolean {
    return this.#ensemble.voters.isQuorum(holds) || this.#claimed.voters.isQuorum(holds);
  }

  /**
   * Whether a quorum is left without this one, in whichever ensemble may be in force. While one changes, a quorum of both
   * is needed, and the word of who forgot is missing in both.
   */
  canLose(lost: PeerId): boolean {
    const known = [...this.#disks.values()].flatMap(({ ensembles }) =>
      ensembles === undefined ? [] : [ensembles.active, ensembles.seen],
    );
    const isChanging = known.some(({ version }) => version > this.#ensemble.version);
    if (isChanging) return false;
    return [this.#ensemble, ...known].every(({ voters }) => voters.isQuorum((id) => id !== lost));
  }

  /** An ensemble is in force at a member. */
  inForce(ensemble: Ensemble): void {
    if (ensemble.version > this.#claimed.version) this.#claims.push(ensemble);
  }

  /** Committed by an ensemble before this one, whose disks these are. */
  inherits(txn: Txn): void {
    this.sessions.commits(txn.body);
    this.committed.push(txn);
  }

  /** A leader gives a request its place. */
  broadcasts(peer: PeerId, zxid: number, body: Body): void {
    if (this.#broadcast.has(zxid)) fail("LocalPrimaryOrder", `${zxidText(zxid)} is used twice`);
    const leader = this.#leaders.get(zxidEpoch(zxid));
    if (leader === undefined) fail("Integrity", `${peer} broadcasts ${zxidText(zxid)} unelected`);
    this.#broadcast.set(zxid, body);
  }

  /** Committed at a member: everything through the last txn of its tree. */
  commits(peer: PeerId, state: State): void {
    const index = state.txns.length - 1;
    // A leader that hands over as soon as it could serve has committed a history that nobody serves yet.
    for (let i = Math.min(this.committed.length, index); i <= index; i++) {
      this.#isCommitted(peer, state, i);
    }
    if (index % comparedTxns === 0) this.#compare(peer, state);
  }

  /** A member begins to serve: all of its tree counts as committed. */
  serves(peer: PeerId, state: State): void {
    for (let index = 0; index < state.txns.length; index++) this.#isCommitted(peer, state, index);
    this.#compare(peer, state);
  }

  /** Trees made by the same txns are the same, whichever snapshots and restarts lie between. */
  #compare(peer: PeerId, state: State): void {
    const [, ...content] = treeFingerprint(state.tree).split("-");
    const known = this.#fingerprints.get(state.txns.length);
    if (known === undefined) this.#fingerprints.set(state.txns.length, content.join("-"));
    else if (known !== content.join("-")) {
      fail("PrefixConsistency", `the tree of ${peer} differs after ${state.txns.length} txns`);
    }
  }

  #isCommitted(peer: PeerId, state: State, index: number): void {
    const txn = state.txns[index] as Txn;
    const known = this.committed[index];
    if (known === undefined) this.#commit(txn);
    else if (known.zxid !== txn.zxid || known.body.id !== txn.body.id) {
      const [is, was] = [
        `${zxidText(txn.zxid)} ${txn.body.id}`,
        `${zxidText(known.zxid)} ${known.body.id}`,
      ];
      fail("PrefixConsistency", `peer ${peer} commits ${is} where ${was} was committed`);
    }
  }

  /** Agreement and TotalOrder: there is one list, and every member's is a beginning of it. */
  #commit(txn: Txn): void {
    const { zxid, body } = txn;
    const text = zxidText(zxid);
    if (this.#broadcast.get(zxid)?.id !== body.id) fail("Integrity", `${text} was never broadcast`);
    // A leader finished a change that it had seen and that is no txn of its history.
    const finished = this.#claims.findLast(({ version }) => version < zxid);
    if (finished !== undefined && finished.version > this.#ensemble.version) {
      this.#ensemble = finished;
    }
    for (const { voters } of [this.#ensemble, txn.ensemble ?? this.#ensemble]) {
      if (voters.isQuorum((id) => this.#disks.get(id)?.has(txn) === true)) continue;
      const holders = voters.ids.filter((id) => this.#disks.get(id)?.has(txn));
      fail(
        "Agreement",
        `${text} is committed and on the disks of ${holders} of ${voters.ids} only`,
      );
    }
    if (txn.ensemble !== undefined) {
      this.#ensemble = txn.ensemble;
      this.changes++;
    }
    const last = this.committed.at(-1)?.zxid ?? 0;
    if (zxid <= last) fail("GlobalPrimaryOrder", `${text} is committed after ${zxidText(last)}`);
    if (zxidEpoch(zxid) === zxidEpoch(last) && zxid !== last + 1) {
      fail("LocalPrimaryOrder", `${text} is committed and what is before it is not`);
    }
    for (const [epoch, { history }] of this.#leaders) {
      if (epoch <= zxidEpoch(zxid)) continue;
      if (!history.some((each) => each.zxid === zxid && each.body.id === body.id)) {
        fail("PrimaryIntegrity", `${text} is committed after epoch ${epoch} began without it`);
      }
    }
    this.#inOrder(body);
    this.sessions.commits(body);
    this.committed.push(txn);
  }

  /** FIFO: a session's requests take effect in the order they were made in. */
  #inOrder({ session, sequence }: Body): void {
    if (sequence === undefined) return;
    const before = this.#sequences.get(session) ?? 0;
    if (sequence <= before) fail("session order", `of ${session}: ${sequence} after ${before}`);
    this.#sequences.set(session, sequence);
  }

  leads(peer: PeerId, life: number, epoch: number, state: State): void {
    const who = `${peer} in its life ${life}`;
    const other = this.#leaders.get(epoch);
    if (other !== undefined)
      fail("Leadership1", `epoch ${epoch} is led by ${other.who} and ${who}`);
    this.#leaders.set(epoch, { who, history: [...state.txns] });
    const isReady = (id: PeerId) => this.#disks.get(id)?.hasEpoch("currentEpoch", epoch) === true;
    if (!this.#isQuorum(isReady)) {
      const ready = [...this.#disks.keys()].filter(isReady);
      fail("Leadership2", `epoch ${epoch} is served with the history on the disks of ${ready}`);
    }
    for (const [i, txn] of this.committed.entries()) {
      // A leader that was deposed before it heard of its quorum may come late: it lacks what is newer than it.
      if (zxidEpoch(txn.zxid) < epoch && state.txns[i]?.body.id !== txn.body.id) {
        fail("PrimaryIntegrity", `the leader of epoch ${epoch} lacks ${zxidText(txn.zxid)}`);
      }
    }
  }

  /** What goes out is no further than the disk; `state` is the sender's tree, `told` the epoch it was told. */
  sends(
    { disk, state, told }: { readonly disk: Disk; readonly state: State; readonly told: number },
    link: LinkId,
    message: Message<Body, Request>,
  ): void {
    switch (message.kind) {
      case "ackEpoch":
        if (message.currentEpoch !== undefined && disk.acceptedEpoch < told) {
          fail("durability", "an epoch is promised before it is on disk");
        }
        return;
      case "newLeader":
        this.#promised(message.epoch);
        if (!this.#histories.has(message.epoch))
          this.#histories.set(message.epoch, [...state.txns]);
        return;
      case "ackNewLeader":
        this.#acknowledged.add(link);
        if (disk.currentEpoch < message.epoch) {
          fail("durability", `epoch ${message.epoch} is acknowledged and not on disk`);
        }
        this.hasHistory(disk, message.epoch);
        return;
      case "ack":
        if (!this.#acknowledged.has(link)) {
          fail("durability", "a txn is acknowledged before the leader's history");
        }
        if (disk.zxidLast < message.zxid) {
          fail("durability", `${zxidText(message.zxid)} is acknowledged and not on disk`);
        }
        return;
      default:
        // The others promise nothing about a disk.
        return;
    }
  }

  /** A leader gives its history to those that promised its epoch, and only with a quorum of them. */
  #promised(epoch: number): void {
    const hasPromised = (id: PeerId) =>
      this.#disks.get(id)?.hasEpoch("acceptedEpoch", epoch) === true;
    if (this.#isQuorum(hasPromised)) return;
    const promised = [...this.#disks.keys()].filter(hasPromised);
    fail("Leadership2", `epoch ${epoch} has its history sent, and is promised by ${promised}`);
  }

  /** Whoever has an epoch on disk has its leader's history there. */
  hasHistory(disk: Disk, epoch: number): void {
    const held = disk.history();
    for (const [index, { zxid, body }] of (this.#histories.get(epoch) ?? []).entries()) {
      if (held[index]?.zxid === zxid && held[index].body.id === body.id) continue;
      fail("durability", `epoch ${epoch} is current without ${zxidText(zxid)} on disk`);
    }
  }
}

function fail(promise: string, what: string): never {
  throw new Violation(`${promise}: ${what}`);
}
