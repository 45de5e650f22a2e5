import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePorts } from "../servers/ports.ts";
import { temporaryFolder } from "../service.ts";
import { Member, type MemberKind } from "./member.ts";
import { Network } from "./network.ts";

/** Where members find a member. */
export interface PeerPorts {
  readonly quorum: number;
  readonly election: number;
}

export interface EnsembleOptions {
  /** One for each member; ids count from 1. */
  readonly kinds: readonly MemberKind[];
  /** Ids of those that do not vote. */
  readonly observers?: readonly number[];
  /** Each member on a host of its own, for `network`; else all are on loopback. */
  readonly isNetworked?: boolean;
  /** Further lines of every `zoo.cfg`. */
  readonly settings?: readonly string[];
}

/** A tick as short as a busy machine of two cores keeps: a follower is given up after `syncLimit` of them, 2 s. */
const timing = ["tickTime=400", "initLimit=30", "syncLimit=5", "maxSessionTimeout=40000"];

/** For elections of three JVMs that start at once on two cores, where ten other programs want them. */
const servingTimeoutMs = 150_000;

/** Real servers of one ensemble. All end with this process. */
export class Ensemble {
  readonly members: readonly Member[];
  readonly #network: Network | undefined;
  readonly #peerPorts: readonly PeerPorts[];

  private constructor(
    members: readonly Member[],
    network: Network | undefined,
    peerPorts: readonly PeerPorts[],
  ) {
    this.members = members;
    this.#network = network;
    this.#peerPorts = peerPorts;
  }

  /** Starts all members; resolves when all of them serve. */
  static async start(options: EnsembleOptions): Promise<Ensemble> {
    const { kinds, observers = [], isNetworked = false, settings = [] } = options;
    const network = isNetworked ? await Network.make(kinds.length) : undefined;
    const folder = temporaryFolder();
    const ports = await freePorts(kinds.length * 3);
    const sites = kinds.map((_, at) => ({
      id: at + 1,
      host: network?.addressOf(at + 1) ?? "127.0.0.1",
      ports: ports.slice(at * 3, at * 3 + 3) as [number, number, number],
    }));
    const servers = sites.map(({ id, host, ports: [, quorum, election] }) => {
      const role = observers.includes(id) ? ":observer" : "";
      return `server.${id}=${host}:${quorum}:${election}${role}`;
    });
    const open = ["maxClientCnxns=0", "admin.enableServer=false", "4lw.commands.whitelist=*"];
    const members = sites.map(({ id, host, ports: [port] }) => {
      const peer = observers.includes(id) ? ["peerType=observer"] : [];
      const place = {
        id,
        host,
        port,
        folder: path.join(folder, `member-${id}`),
        settings: [...timing, ...open, ...peer, ...servers, ...settings],
        within: network?.within(id) ?? [],
      };
      return new Member(place, kinds[id - 1] as MemberKind);
    });
    const peerPorts = sites.map(({ ports: [, quorum, election] }) => ({ quorum, election }));
    const ensemble = new Ensemble(members, network, peerPorts);
    for (const member of members) member.start();
    try {
      await ensemble.serving();
    } catch (thrown) {
      await ensemble.end();
      throw thrown;
    }
    return ensemble;
  }

  /** Where clients find the members. */
  get addresses(): readonly { readonly host: string; readonly port: number }[] {
    return this.members.map(({ host, port }) => ({ host, port }));
  }

  peerPortsOf({ id }: Member): PeerPorts {
    return this.#peerPorts[id - 1] as PeerPorts;
  }

  /** Of an ensemble that is networked. */
  get network(): Network {
    if (this.#network === undefined) throw new Error("this ensemble is on loopback");
    return this.#network;
  }

  member(id: number): Member {
    const member = this.members[id - 1];
    if (member === undefined) throw new Error(`there is no member ${id}`);
    return member;
  }

  /**
   * Waits until these members, by default all that are awake, serve, one of them as the leader; gives that one. Rejects with
   * the members' logs when it takes too long.
   */
  async serving(ids?: readonly number[]): Promise<Member> {
    const deadline = performance.now() + servingTimeoutMs;
    for (;;) {
      const asked = ids?.map((id) => this.member(id)) ?? this.members.filter((one) => one.isAwake);
      const modes = await Promise.all(asked.map((member) => member.mode()));
      const leaders = asked.filter((_, at) => modes[at] === "leader");
      if (modes.every((mode) => mode !== undefined) && leaders.length === 1) {
        return leaders[0] as Member;
      }
      const dead = asked.find((member) => !member.isRunning);
      if (performance.now() > deadline || dead !== undefined) {
        const what = dead === undefined ? "do not serve" : `do not run: ${dead.id}`;
        throw new Error(`members ${what} (${modes.join(", ")})\n${this.logs()}`);
      }
      await sleep(50);
    }
  }

  /** Who says so now; undefined when nobody does. */
  async leading(): Promise<Member | undefined> {
    const modes = await Promise.all(this.members.map((member) => member.mode()));
    return this.members.find((_, at) => modes[at] === "leader");
  }

  /** Waits until this member, which runs, has lost the others and does not serve any more. */
  async left(member: Member): Promise<void> {
    const deadline = performance.now() + servingTimeoutMs;
    while ((await member.mode()) !== undefined) {
      if (performance.now() > deadline) throw new Error(`member ${member.id} serves on`);
      await sleep(50);
    }
  }

  /** Those that do not lead; observers are among them. */
  async others(leader?: Member): Promise<Member[]> {
    const leading = leader ?? (await this.serving());
    return this.members.filter((member) => member !== leading);
  }

  logs(): string {
    return this.members.map(({ id, kind, log }) => `--- ${id} (${kind})\n${log}`).join("\n");
  }

  async end(): Promise<void> {
    await Promise.all(this.members.map((member) => member.kill()));
    await this.#network?.end();
  }
}
