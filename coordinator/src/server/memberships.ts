import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { messageOf, ServiceError } from "../../../kit/src/errors.ts";
import type { Ensemble, EnsembleChange } from "../core/ensemble.ts";
import type { PeerId } from "../core/vote.ts";
import type { Quorums } from "../core/voters.ts";
import { fileReplace } from "../log/files.ts";
import { ensembleOf, ensembleText } from "../quorum/ensembles.ts";
import {
  type Member,
  type Membership,
  membershipParse,
  membershipText,
} from "../quorum/members.ts";
import { reconfigPrepare } from "../quorum/reconfig.ts";
import type { ErrorNumber } from "../wire/constants.ts";
import type { ReconfigRequest } from "../wire/records.ts";

const activeName = "ensemble";
const seenName = "ensemble.next";

export interface MembershipSettings {
  readonly serverId: PeerId;
  /** As the file says. */
  readonly membership: Membership;
  /** A change that the file's writer had seen, and that may not be in force. */
  readonly membershipNext?: Membership | undefined;
  readonly reconfigEnabled: boolean;
  readonly standaloneEnabled: boolean;
}

/**
 * Who is in the ensemble as this member last knew it, on disk beside its epochs: the one in force, and one that was proposed and
 * may be. Of that and what its zoo.cfg says the newer one holds: what was changed while it ran is above a file that nobody has
 * written since. One that was removed and is to join again keeps what it knows, so that it is no voter of an ensemble that is
 * gone; it listens where its file says, follows whom the others follow, and is told when it is a member.
 */
export class Memberships {
  readonly #directory: string;
  readonly #settings: MembershipSettings;
  #active: Membership;
  #seen: Membership | undefined;
  /** This server as its file has it. */
  readonly #own: Member | undefined;

  /** Throws `storage.damaged` when a file is not what was written. */
  constructor(directory: string, settings: MembershipSettings) {
    const given = settings.membership;
    this.#directory = directory;
    this.#settings = settings;
    const kept = fileRead(directory, activeName);
    this.#own = given.members.find(({ id }) => id === settings.serverId);
    this.#active = kept !== undefined && kept.version > given.version ? kept : given;
    for (const seen of [fileRead(directory, seenName), settings.membershipNext]) {
      const before = this.#seen ?? this.#active;
      if (seen !== undefined && seen.version > before.version) this.#seen = seen;
    }
  }

  /** The one in force. */
  get active(): Membership {
    return this.#active;
  }

  /** For the core, at a start. */
  get ensembles(): { readonly active: Ensemble; readonly seen: Ensemble | undefined } {
    const seen = this.#seen === undefined ? undefined : ensembleOf(this.#seen);
    return { active: ensembleOf(this.#active), seen };
  }

  /** Everyone that may be spoken with: while the ensemble changes, the members of both; and this server, whoever it is. */
  get reachable(): Membership {
    const members = new Map<PeerId, Member>();
    if (this.#own !== undefined) members.set(this.#own.id, this.#own);
    for (const member of this.#active.members) members.set(member.id, member);
    for (const member of this.#seen?.members ?? []) members.set(member.id, member);
    return { ...this.#active, members: [...members.values()] };
  }

  /** What a request to change the ensemble would make of it at a zxid, as text; or why it is refused. */
  plan(
    request: ReconfigRequest,
    now: {
      readonly isInProgress: boolean;
      readonly hasSynced: (voters: Quorums) => boolean;
    },
  ): (zxid: number) => string | ErrorNumber {
    const { reconfigEnabled, standaloneEnabled } = this.#settings;
    const rules = {
      isEnabled: reconfigEnabled,
      isStandalone: false,
      standaloneEnabled,
      isInProgress: now.isInProgress,
      hasQuorum: (next: Membership) => now.hasSynced(ensembleOf(next).voters),
    };
    return (zxid) => {
      const next = reconfigPrepare(this.#active, request, rules, zxid);
      return typeof next === "number" ? next : membershipText(next);
    };
  }

  /** Durable when it returns. */
  change({ active, seen }: EnsembleChange): void {
    // What may come first: with both written a crash between the two forgets nothing.
    fileReplace(this.#directory, seenName, Buffer.from(ensembleText(seen)));
    fileReplace(this.#directory, activeName, Buffer.from(ensembleText(active)));
    this.#active = membershipParse(ensembleText(active));
    const isOpen = seen.version > active.version;
    this.#seen = isOpen ? membershipParse(ensembleText(seen)) : undefined;
  }
}

function fileRead(directory: string, name: string): Membership | undefined {
  const path = join(directory, name);
  if (!existsSync(path)) return undefined;
  try {
    return membershipParse(readFileSync(path, "utf8"));
  } catch (thrown) {
    const message = `the file that says who is in the ensemble is damaged: ${messageOf(thrown)}`;
    throw new ServiceError("storage.damaged", message, { path }, { cause: thrown });
  }
}
