import type { LinkId, Message } from "../../src/core/messages.ts";
import type { PeerId } from "../../src/core/vote.ts";
import { zxidEpoch, zxidText } from "../../src/core/zxid.ts";
import type { Disk } from "./disk.ts";
import type { Request } from "./network.ts";
import { type Body, type State, type Txn, Violation } from "./state.ts";

/** Sees everything in the simulated world, and says when something is that must not be. */
export class Checker {
  readonly #voters: readonly PeerId[];
  readonly #disks: ReadonlyMap<PeerId, Disk>;
  /** Who served in an epoch, and in which of its lives. */
  readonly #leaders = new Map<number, string>();
  /** The history that an epoch's leader was elected with. */
  readonly #histories = new Map<number, readonly Txn[]>();
  readonly #sequences = new Map<number, number>();
  readonly #acknowledged = new Set<LinkId>();
  /** Everything that was ever committed, in order. */
  readonly committed: Txn[] = [];

  constructor(voters: readonly PeerId[], disks: ReadonlyMap<PeerId, Disk>) {
    this.#voters = voters;
    this.#disks = disks;
  }

  /** Committed at a member: everything up to the last txn of its tree. */
  commits(peer: PeerId, state: State, checkedThrough: number): void {
    for (let i = checkedThrough; i < state.txns.length; i++) {
      const txn = state.txns[i] as Txn;
      const known = this.committed[i];
      if (known === undefined) this.#commit(txn);
      else if (known.zxid !== txn.zxid || known.body.id !== txn.body.id) {
        const [is, was] = [
          `${zxidText(txn.zxid)} ${txn.body.id}`,
          `${zxidText(known.zxid)} ${known.body.id}`,
        ];
        throw new Violation(`peer ${peer} commits ${is} where ${was} was committed`);
      }
    }
  }

  #commit(txn: Txn): void {
    const holders = this.#voters.filter((id) => this.#disks.get(id)?.has(txn));
    if (holders.length * 2 <= this.#voters.length) {
      throw new Violation(`${zxidText(txn.zxid)} is committed and on the disks of ${holders} only`);
    }
    const last = this.committed.at(-1)?.zxid ?? 0;
    if (txn.zxid <= last)
      throw new Violation(`${zxidText(txn.zxid)} is committed after ${zxidText(last)}`);
    const { session, sequence } = txn.body;
    const before = this.#sequences.get(session) ?? 0;
    if (sequence <= before) throw new Violation(`session ${session}: ${sequence} after ${before}`);
    this.#sequences.set(session, sequence);
    this.committed.push(txn);
  }

  leads(peer: PeerId, life: number, epoch: number, state: State): void {
    const who = `${peer} in its life ${life}`;
    const other = this.#leaders.get(epoch);
    if (other !== undefined) throw new Violation(`epoch ${epoch} is led by ${other} and ${who}`);
    this.#leaders.set(epoch, who);
    const ready = this.#voters.filter((id) => (this.#disks.get(id)?.currentEpoch ?? 0) >= epoch);
    if (ready.length * 2 <= this.#voters.length) {
      throw new Violation(`epoch ${epoch} is served with the history on the disks of ${ready}`);
    }
    for (const [i, txn] of this.committed.entries()) {
      // A leader that was deposed before it heard of its quorum may come late: it lacks what is newer than it.
      if (zxidEpoch(txn.zxid) < epoch && state.txns[i]?.body.id !== txn.body.id) {
        throw new Violation(`the leader of epoch ${epoch} lacks ${zxidText(txn.zxid)}`);
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
          throw new Violation("an epoch is promised before it is on disk");
        }
        return;
      case "newLeader":
        if (!this.#histories.has(message.epoch))
          this.#histories.set(message.epoch, [...state.txns]);
        return;
      case "ackNewLeader":
        this.#acknowledged.add(link);
        if (disk.currentEpoch < message.epoch) {
          throw new Violation(`epoch ${message.epoch} is acknowledged and not on disk`);
        }
        this.hasHistory(disk, message.epoch);
        return;
      case "ack":
        if (!this.#acknowledged.has(link)) {
          throw new Violation("a txn is acknowledged before the leader's history");
        }
        if (disk.zxidLast < message.zxid) {
          throw new Violation(`${zxidText(message.zxid)} is acknowledged and not on disk`);
        }
        return;
      default:
        // The others promise nothing about a disk.
        return;
    }
  }

  /** Whoever has an epoch on disk has its leader's history there. */
  hasHistory(disk: Disk, epoch: number): void {
    for (const txn of this.#histories.get(epoch) ?? []) {
      if (disk.has(txn)) continue;
      throw new Violation(`epoch ${epoch} is current without ${zxidText(txn.zxid)} on disk`);
    }
  }
}
