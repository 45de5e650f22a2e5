import { ServiceError } from "../../../kit/src/errors.ts";
import type { Ensemble } from "../core/ensemble.ts";
import { GroupedVoters } from "../core/grouped-voters.ts";
import { type Quorums, Voters } from "../core/voters.ts";
import { opCodes } from "../wire/constants.ts";
import type { TxnBytes } from "../wire/txn-bytes.ts";
import { type Membership, membershipParse, membershipText } from "./members.ts";

/** The ensemble as the core sees it. Throws `config.invalid` when nobody in it could decide anything. */
export function ensembleOf(membership: Membership): Ensemble {
  const { members, version } = membership;
  const places = members.map(({ id, addresses }) => {
    const texts = addresses.map(({ host, quorumPort }) => `${host}:${quorumPort}`);
    return [id, texts.join("|")] as const;
  });
  const text = membershipText(membership);
  return {
    version,
    voters: votersOf(membership),
    members: new Map(places),
    text: text.slice(0, text.lastIndexOf("\n")),
  };
}

/** What `/zookeeper/config` holds, or a notification. Throws `config.invalid`. */
export function ensembleParse(text: string): Ensemble {
  return ensembleOf(membershipParse(text));
}

/** The same text, with its version. */
export function ensembleText({ text, version }: Ensemble): string {
  return `${text}\nversion=${version.toString(16)}`;
}

/** The ensemble that a txn makes, as text; undefined for any other txn, which is not parsed for it. */
export function reconfigText(body: TxnBytes): string | undefined {
  const { bytes } = body;
  if (bytes.length < headerBytes || bytes.readInt32BE(typeAt) !== opCodes.reconfig)
    return undefined;
  const { txn } = body.entry;
  return txn.type === "reconfig" ? Buffer.from(txn.data ?? []).toString() : undefined;
}

/** A txn's header: session, cxid, zxid, time, and its type. */
const typeAt = 28;
const headerBytes = 32;

function votersOf({ members, groups, weights }: Membership): Quorums {
  const ids = members.filter(({ role }) => role === "participant").map(({ id }) => id);
  const isWeighed = groups.size > 0;
  const isDecided = isWeighed ? ids.some((id) => (weights.get(id) ?? 1) > 0) : ids.length > 0;
  if (!isDecided) {
    throw new ServiceError("config.invalid", "nobody in this ensemble could decide anything");
  }
  if (!isWeighed) return new Voters(ids);
  const isVoter = new Set(ids);
  const voting = [...groups.values()].map((group) => group.filter((id) => isVoter.has(id)));
  return new GroupedVoters(voting, weights);
}
