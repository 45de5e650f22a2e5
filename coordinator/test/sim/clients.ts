import type { PeerId } from "../../src/core/vote.ts";
import type { Checker } from "./checker.ts";
import type { Member } from "./member.ts";
import { type Body, type Txn, Violation } from "./state.ts";
import type { Timeline } from "./timeline.ts";

interface Client {
  member: Member | undefined;
  session: number;
  sequence: number;
  /** The newest zxid it has seen: no server may show it an older one. */
  zxidSeen: number;
  /** Writes it waits for. */
  readonly waiting: Set<number>;
}

interface Sync {
  readonly client: Client;
  readonly session: number;
  /** How many txns were known to be committed to anyone when it was asked for. */
  readonly known: number;
}

const clientCount = 3;
const waitingMax = 8;

/** Clients that write in a pipeline, read, and sync, each at one member until it is lost. */
export class Clients {
  readonly #timeline: Timeline;
  readonly #checker: Checker;
  readonly #members: ReadonlyMap<PeerId, Member>;
  readonly #clients: Client[] = [];
  readonly #syncs = new Map<number, Sync>();
  readonly #owners = new Map<number, Client>();
  #idLast = 0;
  #sessionLast = 0;
  /** As many txns as clients have been told of. */
  #known = 0;
  #lastProbe = 0;

  constructor(timeline: Timeline, checker: Checker, members: ReadonlyMap<PeerId, Member>) {
    this.#timeline = timeline;
    this.#checker = checker;
    this.#members = members;
  }

  begin(): void {
    for (let i = 0; i < clientCount; i++) {
      const client: Client = {
        member: undefined,
        session: 0,
        sequence: 0,
        zxidSeen: 0,
        waiting: new Set(),
      };
      this.#clients.push(client);
      this.#actLater(client);
    }
  }

  applied(member: Member, txn: Txn): void {
    const client = this.#owners.get(txn.body.id);
    if (client?.member !== member || !client.waiting.delete(txn.body.id)) return;
    this.#sees(client);
    const at = this.#checker.committed.findLastIndex(({ body }) => body.id === txn.body.id);
    this.#known = Math.max(this.#known, at + 1);
    this.#lastProbe = this.#timeline.now;
  }

  /** What was known to be committed anywhere when the sync began is there when it ends. */
  synced(member: Member, tag: number): void {
    const sync = this.#syncs.get(tag);
    this.#syncs.delete(tag);
    if (sync === undefined || sync.client.session !== sync.session) return;
    if (member.state.txns.length >= sync.known) return;
    throw new Violation(`a sync shows ${member.state.txns.length} of ${sync.known} txns`);
  }

  /** The member serves no more: what its clients wait for may or may not happen. */
  dropped(member: Member): void {
    for (const client of this.#clients) if (client.member === member) this.#leave(client);
  }

  /** A write went through after all was quiet, and nobody waits. */
  isQuiet(): boolean {
    return this.#clients.every(({ waiting }) => waiting.size === 0) && this.#lastProbe > 0;
  }

  #leave(client: Client): void {
    client.member = undefined;
    client.waiting.clear();
  }

  #actLater(client: Client): void {
    this.#timeline.after(5 + this.#timeline.prng.below(300), () => {
      if (client.member === undefined || client.member.isDown) this.#attach(client);
      else this.#act(client, client.member);
      this.#actLater(client);
    });
  }

  #attach(client: Client): void {
    this.#leave(client);
    const { prng } = this.#timeline;
    const serving = [...this.#members.values()].filter((each) => each.isServing && !each.isDown);
    if (serving.length === 0) return;
    const member = prng.pick(serving);
    if (member.state.zxid < client.zxidSeen) return;
    client.member = member;
    client.session = ++this.#sessionLast;
    client.sequence = 0;
    this.#sees(client);
    const sessionId = BigInt(client.session);
    member.input({ kind: "revalidate", sessionId, timeoutMs: 4000 });
  }

  #act(client: Client, member: Member): void {
    const { prng } = this.#timeline;
    member.input({ kind: "touch", sessionId: BigInt(client.session), timeoutMs: 4000 });
    const chance = prng.unit();
    if (chance < 0.02) this.#leave(client);
    else if (chance < 0.15) this.#sync(client, member);
    else if (chance < 0.35) this.#sees(client);
    else {
      for (let count = 1 + prng.below(4); count > 0; count--) this.#write(client, member);
    }
  }

  #write(client: Client, member: Member): void {
    if (client.waiting.size >= waitingMax) return;
    const body: Body = {
      id: ++this.#idLast,
      session: client.session,
      sequence: ++client.sequence,
    };
    this.#owners.set(body.id, client);
    client.waiting.add(body.id);
    if (member.role.kind === "leading") member.input({ kind: "propose", body });
    else member.input({ kind: "request", request: body });
  }

  #sync(client: Client, member: Member): void {
    const tag = ++this.#idLast;
    this.#syncs.set(tag, { client, session: client.session, known: this.#known });
    member.input({ kind: "sync", tag });
  }

  /** A read: of what its member has applied. */
  #sees(client: Client): void {
    if (client.member === undefined) return;
    const { zxid } = client.member.state;
    if (zxid < client.zxidSeen) {
      throw new Violation(`a session's reads go back from ${client.zxidSeen} to ${zxid}`);
    }
    client.zxidSeen = zxid;
  }
}
