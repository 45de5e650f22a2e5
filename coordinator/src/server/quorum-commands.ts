import { isIPv6 } from "node:net";

import { zxidCounter, zxidEpoch, zxidText } from "../core/zxid.ts";
import { type Member, type Membership, membershipText } from "../quorum/members.ts";
import type { CoordinatorServer } from "./server.ts";

type Fields = Readonly<Record<string, unknown>>;

/** `leader`: who leads, and where. */
export function leaderFields({ replica }: CoordinatorServer): Fields {
  const { membership, quorum, isLeading } = replica;
  if (membership === undefined) return { error: "server is not initialized" };
  const id = quorum.leaderId;
  const leader = membership.members.find((member) => member.id === id);
  return {
    is_leader: isLeading,
    leader_id: id ?? -1,
    leader_ip: leader?.addresses.map(({ host }) => host).join("|") ?? "",
  };
}

/** `observers`: those that a leader knows. */
export function observersFields({ replica }: CoordinatorServer): Fields {
  const observers = replica.quorum.learners.filter(
    ({ isObserver, isSynced }) => isObserver && isSynced,
  );
  return {
    synced_observers: observers.length,
    observers: observers.map(({ peer }) => ({ sid: peer })),
  };
}

/** `voting_view`: the ensemble that is in force, without its observers. */
export function votingViewFields({ replica }: CoordinatorServer): Fields {
  const voters = (replica.membership?.members ?? []).filter(({ role }) => role === "participant");
  const views = voters.map((member) => [String(member.id), viewOf(member)] as const);
  return { current_config: Object.fromEntries(views) };
}

function viewOf({ addresses, client, role }: Member): Fields {
  return {
    serverAddresses: addresses.map(({ host, quorumPort }) => place(host, quorumPort)),
    electionAddresses: addresses.map(({ host, electionPort }) => place(host, electionPort)),
    clientAddress: client === undefined ? "" : place(client.host ?? "0.0.0.0", client.port),
    learnerType: role,
  };
}

/** `zabstate`: how far this member is with its leader. */
export function zabStateFields(server: CoordinatorServer): Fields {
  const { replica, settings, address } = server;
  const { membership, quorum, isLeading, tree } = replica;
  if (membership === undefined) return { voting: false, zabstate: "" };
  const self = membership.members.find(({ id }) => id === settings.serverId);
  const [own] = self?.addresses ?? [];
  return {
    myid: settings.serverId,
    is_leader: isLeading,
    quorum_address: own === undefined ? "" : place(own.host, own.quorumPort),
    election_address: own === undefined ? "" : place(own.host, own.electionPort),
    client_address: place(address.host, address.port),
    voting: self?.role === "participant",
    last_zxid: zxidText(tree.zxidLast),
    zab_epoch: zxidEpoch(tree.zxidLast),
    zab_counter: zxidCounter(tree.zxidLast),
    zabstate: quorum.zabState,
  };
}

/** What `conf` and `configuration` tell of a member, names and values; nothing of a server that is alone. */
export function quorumConfiguration({
  replica,
  settings,
}: CoordinatorServer): readonly (readonly [string, number])[] {
  const { ensemble, serverId } = settings;
  const { membership } = replica;
  if (ensemble === undefined || membership === undefined) return [];
  const self = membership.members.find(({ id }) => id === serverId);
  const [own] = self?.addresses ?? [];
  return [
    ["initLimit", ensemble.initLimit],
    ["syncLimit", ensemble.syncLimit],
    // Fast leader election, the only one that is left in ZooKeeper, too.
    ["electionAlg", 3],
    ["electionPort", own?.electionPort ?? -1],
    ["quorumPort", own?.quorumPort ?? -1],
    ["peerType", self?.role === "observer" ? 1 : 0],
  ];
}

/** `initial_configuration`: the ensemble that the file named when this member started. */
export function initialConfigurationFields({ settings }: CoordinatorServer): Fields {
  const given: Membership | undefined = settings.ensemble?.membership;
  return { initial_configuration: given === undefined ? null : membershipText(given) };
}

function place(host: string, port: number): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}
