import { ServiceError } from "../../../kit/src/errors.ts";
import { type ErrorNumber, errorNumbers } from "../wire/constants.ts";
import type { ReconfigRequest } from "../wire/records.ts";
import { type Member, type Membership, memberParse, membershipParse } from "./members.ts";

/** What decides beside the request whether the ensemble may become what it asks for. */
export interface ReconfigRules {
  /** `reconfigEnabled`. */
  readonly isEnabled: boolean;
  /** One that its file says is alone has no ensemble to change. */
  readonly isStandalone: boolean;
  /** `standaloneEnabled`: an ensemble then never has less than two voters. */
  readonly standaloneEnabled: boolean;
  /** A change is proposed that is not in force yet: one at a time. */
  readonly isInProgress: boolean;
  /** Whether those of its voters that have the leader's history now, the leader among them, are a quorum of it. */
  hasQuorum(next: Membership): boolean;
}

/**
 * The ensemble that this request makes of the present one, at the zxid of its txn; or why not, as ZooKeeper's leader says it
 * (`PrepRequestProcessor`). Who may ask is for the ACL of `/zookeeper/config`, and comes after this.
 */
export function reconfigPrepare(
  current: Membership,
  request: ReconfigRequest,
  rules: ReconfigRules,
  zxid: number,
): Membership | ErrorNumber {
  if (!rules.isEnabled) return errorNumbers.RECONFIGDISABLED;
  if (rules.isStandalone) return errorNumbers.UNIMPLEMENTED;
  if (rules.isInProgress) return errorNumbers.RECONFIGINPROGRESS;
  const { fromConfig } = request;
  if (fromConfig !== -1n && fromConfig !== BigInt(current.version)) return errorNumbers.BADVERSION;
  const next = changed(current, request);
  if (next === undefined) return errorNumbers.BADARGUMENTS;
  const voters = next.members.filter(({ role }) => role === "participant").length;
  if (voters < (rules.standaloneEnabled ? 2 : 1)) return errorNumbers.BADARGUMENTS;
  const membership = { ...next, version: zxid };
  return rules.hasQuorum(membership) ? membership : errorNumbers.NEWCONFIGNOQUORUM;
}

/** Undefined when the request's text is none that says an ensemble. */
function changed(current: Membership, request: ReconfigRequest): Membership | undefined {
  const { joining, leaving, members } = request;
  try {
    if (members !== null) return membershipParse(members.replaceAll(",", "\n"));
    // Which group a newcomer is in cannot be said by joining.
    if (current.groups.size > 0) return undefined;
    const next = new Map(current.members.map((member) => [member.id, member]));
    for (const text of listOf(leaving)) next.delete(idOf(text));
    for (const text of listOf(joining)) join(next, text);
    return { ...current, members: [...next.values()] };
  } catch (thrown) {
    if (thrown instanceof ServiceError && thrown.code === "config.invalid") return undefined;
    throw thrown;
  }
}

/** Adds a member, or gives one that is there another place or role. */
function join(members: Map<number, Member>, text: string): void {
  const match = /^(?:[^=]*\.)?(\d+)\s*=([^=]+)$/.exec(text);
  if (match === null) throw invalid(text);
  const [, id = "", spec = ""] = match;
  const member = memberParse(idOf(id), spec);
  if (member.client === undefined) throw invalid(text);
  const own = placesOf(member);
  for (const other of members.values()) {
    if (other.id === member.id) continue;
    if (placesOf(other).some((place) => own.includes(place))) throw invalid(text);
  }
  members.set(member.id, member);
}

/** Every host and port of a member that no other may have; those of one machine alone may be the same. */
function placesOf({ addresses, client }: Member): readonly string[] {
  const places = addresses.flatMap(({ host, quorumPort, electionPort }) => [
    { host, port: quorumPort },
    { host, port: electionPort },
  ]);
  if (client?.host !== undefined) places.push({ host: client.host, port: client.port });
  return places
    .filter(({ host }) => !isOwnMachine(host))
    .map(({ host, port }) => `${host.toLowerCase()} ${port}`);
}

function isOwnMachine(host: string): boolean {
  return /^(0\.0\.0\.0|::|::1|localhost|127\.\d+\.\d+\.\d+)$/i.test(host);
}

function listOf(text: string | null): readonly string[] {
  if (text === null) return [];
  return text
    .split(",")
    .map((each) => each.trim())
    .filter((each) => each !== "");
}

function idOf(text: string): number {
  const id = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(id)) throw invalid(text);
  return id;
}

function invalid(text: string): ServiceError {
  return new ServiceError("config.invalid", `${text} is no change of an ensemble`);
}
