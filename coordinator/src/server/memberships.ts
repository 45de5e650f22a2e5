import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { messageOf, ServiceError } from "../../../kit/src/errors.ts";
import type { Ensemble, EnsembleChange } from "../core/ensemble.ts";
import type { Quorums } from "../core/voters.ts";
import { fileReplace } from "../log/files.ts";
import { ensembleOf, ensembleText } from "../quorum/ensembles.ts";
import { type Membership, membershipParse, membershipText } from "../quorum/members.ts";
import { reconfigPrepare } from "../quorum/reconfig.ts";
import type { ErrorNumber } from "../wire/constants.ts";
import type { ReconfigRequest } from "../wire/records.ts";

const activeName = "ensemble";
const seenName = "ensemble.next";

export interface MembershipSettings {
  /** As the file says. */
  readonly membership: Membership;
  readonly reconfigEnabled: boolean;
  readonly standaloneEnabled: boolean;
}

/**
 * Who is in the ensemble as this member last knew it, on disk beside its epochs: the one in force, and one that was proposed and
 * may be. What was changed while it ran is above what its zoo.cfg says.
 */
export class Memberships {
  readonly #directory: string;
  readonly #settings: MembershipSettings;
  #active: Membership;
  #seen: Membership | undefined;

  /** Throws `storage.damaged` when a file is not what was written. */
  constructor(directory: string, settings: MembershipSettings) {
    const given = settings.membership;
    this.#directory = directory;
    this.#settings = settings;
    const kept = fileRead(directory, activeName);
    this.#active = kept !== undefined && kept.version > given.version ? kept : given;
    const seen = fileRead(directory, seenName);
    this.#seen = seen !== undefined && seen.version > this.#active.version ? seen : undefined;
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

  /** Everyone that may be spoken with: while the ensemble changes, the members of both. */
  get reachable(): Membership {
    if (this.#seen === undefined) return this.#active;
    const members = new Map(this.#active.members.map((member) => [member.id, member]));
    for (const member of this.#seen.members) members.set(member.id, member);
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
