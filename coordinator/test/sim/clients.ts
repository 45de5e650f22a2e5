import type { WriteRequest } from "../../src/tree/prepare.ts";
import type { Outcome } from "../../src/tree/tree.ts";
import { errorNumbers, perms } from "../../src/wire/constants.ts";
import type { Ensemble } from "./ensemble.ts";
import type { Member } from "./member.ts";
import { Seat } from "./seat.ts";
import { type Txn, Violation } from "./state.ts";

interface Client {
  /** Where it is; its session may not be confirmed there yet. */
  member: Member | undefined;
  /** 0 without one. */
  session: number;
  timeoutMs: number;
  stage: "away" | "beginning" | "resuming" | "open";
  seat: Seat;
  sequence: number;
  /** The newest zxid it has seen: no server may show it an older one. */
  zxidSeen: number;
  /** Writes it waits for. */
  readonly waiting: Set<number>;
}

interface Sync {
  readonly client: Client;
  readonly seat: Seat;
  /** How many txns were known to be committed to anyone when it was asked for. */
  readonly known: number;
}

/** The longest timeout, by any clock. */
const silenceMsMax = 6000;
const clientCount = 3;
const waitingMax = 8;
const acl = [{ perms: perms.all, id: { scheme: "world", id: "anyone" } }];
const paths = ["/a", "/b", "/a/x", "/a/y", "/e"] as const;

/** Clients that write in a pipeline, read, watch, sync, and take their session from member to member. */
export class Clients {
  readonly #ensemble: Ensemble;
  readonly #clients: Client[] = [];
  readonly #syncs = new Map<number, Sync>();
  readonly #owners = new Map<number, Client>();
  #sessionLast = 0;
  /** As many txns as clients have been told of. */
  #known = 0;
  /** From this time on nobody leaves, and who speaks must stay. */
  #calmAt: number | undefined;
  #hasWritten = false;
  /** Sessions that nobody holds any more when the calm begins. */
  readonly #silent = new Set<number>();

  constructor(ensemble: Ensemble) {
    this.#ensemble = ensemble;
  }

  begin(): void {
    for (let i = 0; i < clientCount; i++) {
      const client: Client = {
        member: undefined,
        session: 0,
        timeoutMs: 0,
        stage: "away",
        seat: new Seat(),
        sequence: 0,
        zxidSeen: 0,
        waiting: new Set(),
      };
      this.#clients.push(client);
      this.#actLater(client);
    }
  }

  /** From here on nobody leaves: who speaks must keep its session, who does not must lose it. */
  calm(): void {
    this.#calmAt = this.#ensemble.timeline.now;
    const held = new Set(this.#clients.map(({ session }) => session));
    for (const session of this.#ensemble.checker.sessions.live) {
      if (!held.has(session)) this.#silent.add(session);
    }
  }

  /** After a calm longer than any timeout. */
  calmEnded(): void {
    const { live } = this.#ensemble.checker.sessions;
    const left = [...this.#silent].filter((session) => live.has(session));
    if (left.length > 0) throw new Violation(`silent sessions ${left} do not end`);
  }

  /** A write went through, and nobody waits. */
  isQuiet(): boolean {
    return this.#hasWritten && this.#clients.every(({ waiting }) => waiting.size === 0);
  }

  /** Its watches have been told of the txn before. */
  applied(member: Member, txn: Txn, outcome: Outcome): void {
    const { id, session, txn: change } = txn.body;
    if (change.type === "closeSession") this.#ended(member, session);
    const client = this.#owners.get(id);
    if (client?.member !== member || !client.waiting.delete(id)) return;
    this.#owners.delete(id);
    this.#sees(client);
    // With the answer come others' changes that were before it.
    if (client.stage === "open") this.#read(client, member);
    const at = this.#ensemble.checker.committed.findLastIndex(({ body }) => body.id === id);
    this.#known = Math.max(this.#known, at + 1);
    this.#hasWritten = true;
    if (change.type === "createSession") client.stage = "open";
    const isLost = outcome.error === errorNumbers.SESSIONMOVED;
    if (isLost || outcome.error === errorNumbers.SESSIONEXPIRED) this.#leave(client);
  }

  /** What was known to be committed anywhere when the sync began is there when it ends. */
  synced(member: Member, tag: number): void {
    const sync = this.#syncs.get(tag);
    this.#syncs.delete(tag);
    if (sync === undefined || sync.client.seat !== sync.seat) return;
    if (member.state.txns.length >= sync.known) return;
    throw new Violation(`a sync shows ${member.state.txns.length} of ${sync.known} txns`);
  }

  revalidated(member: Member, session: number, isValid: boolean): void {
    const client = this.#clients.find((each) => each.member === member && each.session === session);
    if (client?.stage !== "resuming") return;
    if (!isValid) {
      this.#leave(client);
      this.#forget(client);
      return;
    }
    client.stage = "open";
    client.seat.resume(member.state.tree, client.zxidSeen);
    this.#sees(client);
  }

  /** The member serves no more: what its clients wait for may or may not happen. */
  dropped(member: Member): void {
    for (const client of this.#clients) if (client.member === member) this.#leave(client);
  }

  /** A session's end is applied at a member: a client that is there hears of it. */
  #ended(member: Member, session: number): void {
    const client = this.#clients.find((each) => each.session === session);
    if (client === undefined) return;
    // What was silent for long before, because its member was, may be due yet.
    const { now } = this.#ensemble.timeline;
    const hasSpoken = now > (this.#calmAt ?? now) + silenceMsMax;
    if (client.stage === "open" && hasSpoken) {
      throw new Violation(`session ${session} speaks, and is expired`);
    }
    if (client.member !== member) return;
    this.#leave(client);
    this.#forget(client);
  }

  /** The connection is lost; the session may live on. */
  #leave(client: Client): void {
    client.member?.state.tree.watches.removeAll(client.seat);
    client.member = undefined;
    client.seat = new Seat(client.seat);
    client.waiting.clear();
    if (client.stage === "beginning") this.#forget(client);
    client.stage = "away";
  }

  #forget(client: Client): void {
    client.session = 0;
    client.stage = "away";
    client.seat = new Seat();
  }

  #actLater(client: Client): void {
    this.#ensemble.timeline.after(5 + this.#ensemble.timeline.prng.below(300), () => {
      const { member } = client;
      if (member === undefined || member.isDown) this.#attach(client);
      else if (member.isPaused) this.#giveUp(client);
      else this.#act(client, member);
      this.#actLater(client);
    });
  }

  /** Its member does not answer: it may leave something that is asked for there when it has long gone elsewhere. */
  #giveUp(client: Client): void {
    if (client.stage !== "open" || !this.#ensemble.timeline.prng.chance(0.2)) return;
    this.#write(client, this.#writeDraw());
    this.#leave(client);
  }

  #attach(client: Client): void {
    this.#leave(client);
    const { prng } = this.#ensemble.timeline;
    const serving = this.#ensemble.all.filter(
      ({ isServing, isDown, isPaused }) => isServing && !isDown && !isPaused,
    );
    if (serving.length === 0) return;
    const member = prng.pick(serving);
    if (member.state.zxid < client.zxidSeen) return;
    client.member = member;
    if (client.session === 0) this.#begin(client);
    else {
      client.stage = "resuming";
      member.revalidate(client.session, client.timeoutMs);
    }
  }

  #begin(client: Client): void {
    client.session = ++this.#sessionLast;
    client.stage = "beginning";
    client.timeoutMs = 2000 + 1000 * this.#ensemble.timeline.prng.below(3);
    client.sequence = 0;
    this.#write(client, { op: "createSession", timeoutMs: client.timeoutMs });
  }

  #act(client: Client, member: Member): void {
    if (client.stage !== "open") return;
    const { prng } = this.#ensemble.timeline;
    member.hear(client.session, client.timeoutMs);
    if (client.member !== member) return;
    const chance = prng.unit();
    if (chance < 0.04) {
      if (this.#calmAt === undefined) this.#goOff(client);
    } else if (chance < 0.15) this.#sync(client, member);
    else if (chance < 0.4) this.#read(client, member);
    else {
      for (let count = 1 + prng.below(4); count > 0; count--) {
        if (client.member === member) this.#write(client, this.#writeDraw());
      }
    }
  }

  /** To another member, away for good, or with a close. */
  #goOff(client: Client): void {
    const { prng } = this.#ensemble.timeline;
    const where = prng.below(4);
    if (where === 0) this.#write(client, { op: "closeSession" });
    else this.#leave(client);
    if (where === 1) this.#forget(client);
  }

  #writeDraw(): WriteRequest {
    const { prng } = this.#ensemble.timeline;
    const path = prng.pick(paths);
    const data = Buffer.from([prng.below(256)]);
    switch (prng.below(6)) {
      case 0:
        return { op: "create", path: prng.chance(0.5) ? "/s" : "/a/s", data, acl, flags: 3 };
      case 1:
        return { op: "create", path, data, acl, flags: path === "/e" ? 1 : 0 };
      case 2:
        return { op: "delete", path, version: -1 };
      case 3:
        return {
          op: "multi",
          ops: [
            { op: "create", path: "/a/m", data, acl, flags: prng.below(2) },
            { op: "setData", path, data, version: -1 },
            { op: "delete", path: "/a/m", version: -1 },
          ],
        };
      default:
        return { op: "setData", path, data, version: -1 };
    }
  }

  #write(client: Client, op: WriteRequest): void {
    const { member, session } = client;
    if (member === undefined || client.waiting.size >= waitingMax) return;
    const id = this.#ensemble.requestIdNext();
    this.#owners.set(id, client);
    client.waiting.add(id);
    member.submit({ id, session, sequence: ++client.sequence, op });
  }

  #sync(client: Client, member: Member): void {
    const tag = this.#ensemble.requestIdNext();
    this.#syncs.set(tag, { client, seat: client.seat, known: this.#known });
    member.input({ kind: "sync", tag });
  }

  /** What its member has applied; after what it wrote itself. */
  #read(client: Client, member: Member): void {
    if (client.waiting.size > 0) return;
    const { prng } = this.#ensemble.timeline;
    this.#sees(client);
    client.seat.read(
      member.state.tree,
      prng.pick([...paths, "/"]),
      prng.chance(0.7) ? "data" : "children",
    );
  }

  #sees(client: Client): void {
    if (client.member === undefined) return;
    const { zxid } = client.member.state;
    if (zxid < client.zxidSeen) {
      throw new Violation(`a session's reads go back from ${client.zxidSeen} to ${zxid}`);
    }
    client.zxidSeen = zxid;
  }
}
