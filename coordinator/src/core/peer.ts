import { assert } from "../../../kit/src/assert.ts";
import { Election, type Notification } from "./election.ts";
import { type Proposal, Proposals } from "./proposals.ts";
import type { PeerId } from "./vote.ts";
import { Voters } from "./voters.ts";
import { zxidOf } from "./zxid.ts";

/** What a peer knows from its disk when it starts. */
export interface History {
  /** The highest epoch it has promised not to go below. */
  readonly acceptedEpoch: number;
  /** The epoch of the leader whose history it last had whole. */
  readonly currentEpoch: number;
  readonly zxidLast: number;
}

export type EpochFile = "acceptedEpoch" | "currentEpoch";

export type Input<B> =
  | { readonly kind: "start" }
  | { readonly kind: "tick" }
  | { readonly kind: "notification"; readonly from: PeerId; readonly notification: Notification }
  /** An epoch file is on disk. */
  | { readonly kind: "epochWritten"; readonly file: EpochFile; readonly epoch: number }
  | { readonly kind: "propose"; readonly body: B }
  /** The own log is on disk through this zxid. */
  | { readonly kind: "written"; readonly zxid: number };

export type Role =
  | { readonly kind: "looking" }
  /** Serves: a quorum has this epoch's history on disk. */
  | { readonly kind: "leading"; readonly epoch: number };

/**
 * What the host must do. Append and send may run side by side: what may go out only once a write is
 * on disk is returned by the `written` or `epochWritten` step.
 */
export interface Effects<B> {
  readonly send: readonly { readonly to: PeerId; readonly notification: Notification }[];
  readonly epochWrite: { readonly file: EpochFile; readonly epoch: number } | undefined;
  readonly append: readonly Proposal<B>[];
  readonly commit: readonly Proposal<B>[];
  readonly role: Role | undefined;
}

type Phase<B> =
  | { readonly kind: "idle" }
  | { readonly kind: "looking"; readonly election: Election }
  /** Elected: gathers a quorum that promises the new epoch. */
  | { readonly kind: "discovering"; readonly epoch: number; readonly promised: Set<PeerId> }
  /** Gathers a quorum that has the leader's history on disk. */
  | { readonly kind: "synchronising"; readonly epoch: number; readonly synced: Set<PeerId> }
  | { readonly kind: "broadcasting"; readonly epoch: number; readonly proposals: Proposals<B> };

/**
 * A member of the ensemble as a pure step function: election, epochs, proposals, commits. It does
 * no IO and reads no clock. Epochs, votes and commits are counted over the set of voters.
 */
export class Peer<B> {
  readonly #self: PeerId;
  readonly #voters: Voters;
  readonly #others: readonly PeerId[];
  #history: History;
  #phase: Phase<B> = { kind: "idle" };

  constructor(self: PeerId, voters: readonly PeerId[], history: History) {
    this.#self = self;
    this.#voters = new Voters(voters);
    this.#others = voters.filter((id) => id !== self);
    this.#history = history;
  }

  /** The zxid that the next proposal gets; only a leader has one. */
  get zxidNext(): number | undefined {
    return this.#phase.kind === "broadcasting" ? this.#phase.proposals.last + 1 : undefined;
  }

  /** Proposals that are not committed. */
  get uncommitted(): number {
    return this.#phase.kind === "broadcasting" ? this.#phase.proposals.size : 0;
  }

  step(input: Input<B>): Effects<B> {
    switch (input.kind) {
      case "start":
        return this.#start();
      case "tick":
        return this.#tick();
      case "notification":
        return this.#notification(input.from, input.notification);
      case "epochWritten":
        return this.#epochWritten(input.file, input.epoch);
      case "propose":
        return this.#propose(input.body);
      case "written":
        return this.#written(input.zxid);
    }
  }

  #start(): Effects<B> {
    assert(this.#phase.kind === "idle", "a peer starts once");
    const { zxidLast, currentEpoch } = this.#history;
    const own = { leader: this.#self, zxid: zxidLast, epoch: currentEpoch };
    const election = new Election(this.#self, this.#voters, own, 1);
    this.#phase = { kind: "looking", election };
    return this.#decided(election, this.#others);
  }

  #tick(): Effects<B> {
    if (this.#phase.kind !== "looking") return nothing;
    const { election } = this.#phase;
    election.tick();
    // Said again each tick: a peer that starts later has heard nothing.
    return this.#decided(election, this.#others);
  }

  #notification(from: PeerId, notification: Notification): Effects<B> {
    if (this.#phase.kind !== "looking") return nothing;
    const { election } = this.#phase;
    const tell = election.hear(from, notification);
    const everyone = tell === "everyone" ? this.#others : [];
    return this.#decided(election, tell === "sender" ? [from] : everyone);
  }

  #decided(election: Election, to: readonly PeerId[]): Effects<B> {
    const { notification, decision } = election;
    const send = to.map((id) => ({ to: id, notification }));
    if (decision?.leader !== this.#self) return { ...nothing, send, role: { kind: "looking" } };
    const epoch = this.#history.acceptedEpoch + 1;
    this.#phase = { kind: "discovering", epoch, promised: new Set() };
    return { ...nothing, send, epochWrite: { file: "acceptedEpoch", epoch } };
  }

  #epochWritten(file: EpochFile, epoch: number): Effects<B> {
    this.#history = { ...this.#history, [file]: epoch };
    const phase = this.#phase;
    if (phase.kind === "discovering" && file === "acceptedEpoch" && epoch === phase.epoch) {
      phase.promised.add(this.#self);
      if (!this.#voters.isQuorum((id) => phase.promised.has(id))) return nothing;
      this.#phase = { kind: "synchronising", epoch, synced: new Set() };
      // The own history is on disk already: it was read from there.
      return { ...nothing, epochWrite: { file: "currentEpoch", epoch } };
    }
    if (phase.kind === "synchronising" && file === "currentEpoch" && epoch === phase.epoch) {
      phase.synced.add(this.#self);
      if (!this.#voters.isQuorum((id) => phase.synced.has(id))) return nothing;
      const proposals = new Proposals<B>(this.#voters, zxidOf(epoch, 0));
      this.#phase = { kind: "broadcasting", epoch, proposals };
      return { ...nothing, role: { kind: "leading", epoch } };
    }
    return nothing;
  }

  #propose(body: B): Effects<B> {
    assert(this.#phase.kind === "broadcasting", "only a leader proposes");
    const { proposals } = this.#phase;
    const proposal = { zxid: proposals.last + 1, body };
    proposals.add(proposal);
    return { ...nothing, append: [proposal] };
  }

  #written(zxid: number): Effects<B> {
    if (this.#phase.kind !== "broadcasting") return nothing;
    return { ...nothing, commit: this.#phase.proposals.ack(this.#self, zxid) };
  }
}

const nothing: Effects<never> = {
  send: [],
  epochWrite: undefined,
  append: [],
  commit: [],
  role: undefined,
};
