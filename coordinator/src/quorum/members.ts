import { isIPv6 } from "node:net";

import { ServiceError } from "../../../kit/src/errors.ts";
import type { PeerId } from "../core/vote.ts";

/** A member as `server.<id>=host:quorumPort:electionPort[:role][;[clientHost:]clientPort]` says. */
export interface Member {
  readonly id: PeerId;
  /** Where the others find it: one address or several, `|` between them in the text. */
  readonly addresses: readonly MemberAddress[];
  readonly role: "participant" | "observer";
  readonly client: { readonly host: string | undefined; readonly port: number } | undefined;
}

export interface MemberAddress {
  readonly host: string;
  readonly quorumPort: number;
  readonly electionPort: number;
}

/** Who is in the ensemble, and whose word counts how much. */
export interface Membership {
  readonly members: readonly Member[];
  /** `group.<n>=1:2:3`; every voter is in one, or there are none. */
  readonly groups: ReadonlyMap<number, readonly PeerId[]>;
  /** `weight.<id>=n`; 1 where nothing is said. */
  readonly weights: ReadonlyMap<PeerId, number>;
  /** The zxid of the change that brought it; 0 for the file's. */
  readonly version: number;
}

/** Throws `config.invalid` when the text is no `server.<id>` value. */
export function memberParse(id: PeerId, text: string): Member {
  const [servers = "", clientText, ...rest] = text.trim().split(";");
  if (rest.length > 0) throw invalid(id, text);
  const roleOf = /:(participant|observer)$/i.exec(servers);
  const addressText = roleOf === null ? servers : servers.slice(0, -roleOf[0].length);
  const addresses = addressText.split("|").map((each) => addressParse(id, each, text));
  const role = roleOf?.[1]?.toLowerCase() === "observer" ? "observer" : "participant";
  const client = clientText === undefined ? undefined : clientParse(id, clientText, text);
  return { id, addresses, role, client };
}

/** As `/zookeeper/config` shows it, without `server.<id>=`. */
export function memberText({ addresses, role, client }: Member): string {
  // In the order of their names, as Apache writes them.
  const inOrder = addresses.toSorted((a, b) => Number(a.host > b.host) - Number(a.host < b.host));
  const where = inOrder.map(
    ({ host, quorumPort, electionPort }) => `${hostText(host)}:${quorumPort}:${electionPort}`,
  );
  const head = `${where.join("|")}:${role}`;
  if (client === undefined) return head;
  // A port alone is one on every address of the machine.
  const { host = "0.0.0.0", port } = client;
  return `${head};${hostText(host)}:${port}`;
}

/**
 * All of it, as `/zookeeper/config` holds it and notifications carry it: the same text for the same ensemble, with all in
 * order. With groups Apache says every voter's weight, so this does.
 */
export function membershipText({ members, groups, weights, version }: Membership): string {
  const inOrder = members.toSorted((a, b) => a.id - b.id);
  const lines = inOrder.map((member) => `server.${member.id}=${memberText(member)}`);
  for (const [group, ids] of [...groups].sort(([a], [b]) => a - b)) {
    lines.push(`group.${group}=${ids.toSorted((a, b) => a - b).join(":")}`);
  }
  for (const { id, role } of inOrder) {
    const weight = weights.get(id);
    const isSaid = weight !== undefined || (groups.size > 0 && role === "participant");
    if (isSaid) lines.push(`weight.${id}=${weight ?? 1}`);
  }
  return `${lines.join("\n")}\nversion=${version.toString(16)}`;
}

/** What `membershipText` wrote, or an operator: a line each, in any order. Throws `config.invalid`. */
export function membershipParse(text: string): Membership {
  const members = new Map<PeerId, Member>();
  const groups = new Map<number, readonly PeerId[]>();
  const weights = new Map<PeerId, number>();
  let version = 0;
  for (const line of text.split("\n").map((each) => each.trim())) {
    if (line === "" || line.startsWith("#")) continue;
    const match = /^(server|group|weight)\.(\d+)\s*=(.*)$|^version\s*=\s*([0-9a-f]{1,16})$/i.exec(
      line,
    );
    if (match === null) throw new ServiceError("config.invalid", `${line} says no member`);
    const [, kind, number, value = "", versionText] = match;
    const id = numberOf(number ?? "0", line);
    if (versionText !== undefined) version = versionParse(versionText);
    else if (kind === "server") members.set(id, memberParse(id, value));
    else if (kind === "weight") weights.set(id, numberOf(value, line));
    else
      groups.set(
        id,
        value.split(":").map((each) => numberOf(each, line)),
      );
  }
  const membership = { members: [...members.values()], groups, weights, version };
  groupsCheck(membership);
  for (const [id, weight] of weights) if (weight === 1) weights.delete(id);
  return membership;
}

/** A version as members write it, in hexadecimal digits. */
export function versionParse(text: string): number {
  return Number.parseInt(text, 16);
}

/** Of one that an operator wrote: two that would share a port are one too many. Throws `config.invalid`. */
export function membershipCheck(membership: Membership): void {
  groupsCheck(membership);
  const ids = new Map<string, PeerId>();
  for (const { id, addresses } of membership.members) {
    for (const { host, quorumPort, electionPort } of addresses) {
      for (const place of [`${host}:${quorumPort}`, `${host}:${electionPort}`]) {
        const other = ids.get(place);
        if (other !== undefined) {
          const message = `server.${other} and server.${id} are both at ${place}`;
          throw new ServiceError("config.invalid", message);
        }
        ids.set(place, id);
      }
    }
  }
}

/** With groups, or weights, which mean nothing without, every voter is in one and they name no stranger. */
function groupsCheck({ members, groups, weights }: Membership): void {
  if (groups.size === 0 && weights.size === 0) return;
  const grouped = [...groups.values()].flat();
  const known = new Set(members.map(({ id }) => id));
  const isWhole =
    new Set(grouped).size === grouped.length &&
    [...grouped, ...weights.keys()].every((id) => known.has(id)) &&
    members.every(({ id, role }) => role === "observer" || grouped.includes(id));
  if (isWhole) return;
  const message = "every voter must be in one group, and groups and weights name members alone";
  throw new ServiceError("config.invalid", message);
}

function numberOf(text: string, line: string): number {
  const trimmed = text.trim();
  const number = Number(trimmed);
  if (/^\d+$/.test(trimmed) && Number.isSafeInteger(number)) return number;
  throw new ServiceError("config.invalid", `${line} has a number that is none`);
}

/** The places in `host:port|host:port`, as a peer names itself; what is none is left out. */
export function placesParse(
  text: string,
): readonly { readonly host: string; readonly port: number }[] {
  return text.split("|").flatMap((each) => {
    const match = /^(\[[^\]]+\]|[^:]+):(\d{1,5})$/.exec(each);
    const port = Number(match?.[2]);
    if (match === null || port < 1 || port > 65_535) return [];
    return [{ host: (match[1] as string).replace(/^\[|\]$/g, ""), port }];
  });
}

function addressParse(id: PeerId, text: string, whole: string): MemberAddress {
  const match = /^(\[[^\]]+\]|[^:]+):(\d{1,5}):(\d{1,5})$/.exec(text.trim());
  if (match === null) throw invalid(id, whole);
  const [, host = "", quorum, election] = match;
  const quorumPort = portOf(id, quorum, whole);
  const electionPort = portOf(id, election, whole);
  if (quorumPort === electionPort) throw invalid(id, whole);
  return { host: host.replace(/^\[|\]$/g, ""), quorumPort, electionPort };
}

function clientParse(
  id: PeerId,
  text: string,
  whole: string,
): { readonly host: string | undefined; readonly port: number } {
  const match = /^(?:(\[[^\]]+\]|[^:]+):)?(\d{1,5})$/.exec(text.trim());
  if (match === null) throw invalid(id, whole);
  const [, host, port] = match;
  return { host: host?.replace(/^\[|\]$/g, ""), port: portOf(id, port, whole) };
}

function portOf(id: PeerId, text: string | undefined, whole: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw invalid(id, whole);
  return port;
}

function hostText(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}

function invalid(id: PeerId, text: string): ServiceError {
  const form = "host:quorumPort:electionPort[:participant|observer][;[clientHost:]clientPort]";
  return new ServiceError(
    "config.invalid",
    `server.${id} must be ${form} with two ports, not ${text}`,
  );
}
