import type { PeerId } from "./vote.ts";
import { BothQuorums, type Quorums, Voters } from "./voters.ts";

/** Who is in the ensemble and whose word decides, as one change of it has it. */
export interface Ensemble {
  /** The zxid of the change that brought it; 0 for what the members' files say before any change. */
  readonly version: number;
  readonly voters: Quorums;
  /** Every member, voters and observers, and where the others find its quorum port: compared, never read. */
  readonly members: ReadonlyMap<PeerId, string>;
  /** All of it but the version, as members tell each other: the host's, compared, never read. */
  readonly text: string;
}

/** What a step changed: both are on disk before any later effect, and at a start given back. */
export interface EnsembleChange {
  /** In force. */
  readonly active: Ensemble;
  /** Proposed and perhaps committed when its version is above; else the same. */
  readonly seen: Ensemble;
}

/**
 * The ensemble as one peer knows it: the newest that it knows to be in force, and one that may come after it.
 *
 * Why no committed txn is lost while the ensemble changes (Shraer and others, Dynamic Reconfiguration of
 * Primary/Backup Clusters, 2012). A change from A to B is a txn, one at a time. From its proposal on everything commits
 * with quorums of A and of B, after its commit with quorums of B. A peer knows of B before the change is in its log, so
 * whoever has it there needs quorums of both to be elected, to be promised an epoch and to have its history
 * acknowledged. Who does not know of B needs a quorum of A; once the change is committed one of them has it in its log,
 * and no leader is led by who is behind: `Leader` gives way. Once B is in force, what
 * commits is on a quorum of B; who knows of both meets it there, who knows of A only still meets the change.
 * A leader finishes what it has seen before it serves, so no second change begins beside an undecided one.
 */
export class Ensembles {
  readonly #isDynamic: boolean;
  #active: Ensemble;
  #seen: Ensemble;
  #quorums: Quorums;

  constructor(active: Ensemble, seen: Ensemble | undefined, isDynamic: boolean) {
    this.#isDynamic = isDynamic;
    this.#active = active;
    this.#seen = active;
    this.#quorums = active.voters;
    if (seen !== undefined && isDynamic) this.#see(seen);
  }

  /** One that does not change: whoever does not vote observes. */
  static fixed(self: PeerId, ids: readonly PeerId[]): Ensembles {
    const voters = new Voters(ids);
    const members = new Map([...ids, self].map((id) => [id, ""]));
    return new Ensembles({ version: 0, voters, members, text: "" }, undefined, false);
  }

  /** Says what holds: of what was seen before a restart, not all may. */
  begin(out: { ensembles: EnsembleChange | undefined }): void {
    if (this.#isDynamic) out.ensembles = { active: this.#active, seen: this.#seen };
  }

  get active(): Ensemble {
    return this.#active;
  }

  get seen(): Ensemble {
    return this.#seen;
  }

  get isDynamic(): boolean {
    return this.#isDynamic;
  }

  /** There is one that is not known to be in force. */
  get isChanging(): boolean {
    return this.#seen !== this.#active;
  }

  /** Who decides now: while the ensemble changes, quorums of both. */
  get quorums(): Quorums {
    return this.#quorums;
  }

  /** Of the ensemble in force, or of one that may come. */
  isMember(id: PeerId): boolean {
    return this.#active.members.has(id) || this.#seen.members.has(id);
  }

  /** Who is no member at all learns as a follower whose word does not count. */
  isObserver(id: PeerId): boolean {
    return this.#active.members.has(id) && !this.#active.voters.has(id);
  }

  /** Takes the place of whatever was seen; one that is not above what is in force is none. */
  see(ensemble: Ensemble, out: { ensembles: EnsembleChange | undefined }): void {
    if (!this.#isDynamic || ensemble.version === this.#seen.version) return;
    this.#see(ensemble);
    out.ensembles = { active: this.#active, seen: this.#seen };
  }

  /** It is committed. Returns what was in force before, when that is another one. */
  activate(
    ensemble: Ensemble,
    out: { ensembles: EnsembleChange | undefined },
  ): Ensemble | undefined {
    if (!this.#isDynamic || ensemble.version <= this.#active.version) return undefined;
    const before = this.#active;
    this.#active = ensemble;
    this.#see(this.#seen);
    out.ensembles = { active: this.#active, seen: this.#seen };
    return before.text === ensemble.text ? undefined : before;
  }

  #see(ensemble: Ensemble): void {
    const { version, voters, text } = this.#active;
    this.#seen = ensemble.version > version ? ensemble : this.#active;
    const isSame = this.#seen.text === text;
    this.#quorums = isSame ? voters : new BothQuorums(voters, this.#seen.voters);
  }
}

/** Whether a leader goes on after a change: it votes in the new ensemble, at the same place. */
export function canStay(leader: PeerId, before: Ensemble, after: Ensemble): boolean {
  if (!after.voters.canLead(leader)) return false;
  return after.members.get(leader) === before.members.get(leader);
}
