import { assert } from "../../../kit/src/assert.ts";
import { isAllowed } from "../tree/acl.ts";
import { aclOpen } from "../tree/acl-pool.ts";
import type { Outcome } from "../tree/tree.ts";
import type { FiredWatch } from "../tree/watches.ts";
import { errorNumbers, opCodes, perms } from "../wire/constants.ts";
import { WireError } from "../wire/errors.ts";
import { JuteReader } from "../wire/reader.ts";
import type { TxnEntry } from "../wire/txns.ts";
import { type AuthSettings, authenticate, isRefusedUnproved, saslStep } from "./authenticate.ts";
import type { Connection } from "./connection.ts";
import { readAnswer } from "./reads.ts";
import type { Replica } from "./replica.ts";
import { eventWrite, outcomeWrite, replyPlain } from "./replies.ts";
import { isWrite, writeRequestRead } from "./requests.ts";
import type { LatencyStats } from "./stats.ts";

/** What waits for a commit: a client's request, a new session's connection, or nobody. */
export type Tag =
  | { readonly kind: "request"; readonly connection: Connection }
  | { readonly kind: "session"; readonly connection: Connection }
  | { readonly kind: "expiry" };

/**
 * Requests of open sessions, in order: a session's requests are answered one after the other, reads
 * at once when no write of the same session is under way, and events before the answer that shows their change.
 */
export class Pipeline {
  readonly #replica: Replica<Connection, Tag>;
  readonly #totals: LatencyStats;
  readonly #auth: AuthSettings;
  /** Syncs that wait for a commit which need not be of their own session; in order of zxid. */
  #syncs: { readonly zxid: number; readonly connection: Connection }[] = [];

  constructor(replica: Replica<Connection, Tag>, totals: LatencyStats, auth: AuthSettings) {
    this.#replica = replica;
    this.#totals = totals;
    this.#auth = auth;
  }

  /** A frame of an open session. Throws a `WireError` when not even its header can be read. */
  request(connection: Connection, frame: Buffer): void {
    const from = new JuteReader(frame);
    const xid = from.int();
    const type = from.int();
    connection.stats.received++;
    this.#totals.received++;
    const at = performance.now();
    if (type === opCodes.auth) {
      const zxid = this.#replica.tree.zxidLast;
      authenticate(connection, from, { superDigest: this.#auth.superDigest, zxid });
      this.#answered(connection, { xid, type, zxid, at });
    } else if (type === opCodes.sasl) {
      saslStep(connection, xid, from, this.#auth);
      this.#answered(connection, { xid, type, zxid: 0, at });
    } else if (isRefusedUnproved(connection, { xid, type }, this.#auth)) {
      this.#answered(connection, { xid, type, zxid: 0, at });
    } else if (isWrite(type)) {
      this.#write(connection, { xid, type, at }, frame);
    } else if (type === opCodes.sync) {
      this.#sync(connection, frame, at);
    } else if (connection.waiting.length > 0) {
      connection.enqueue({ kind: "read", frame: Buffer.from(frame), at });
    } else {
      this.#read(connection, frame, at);
    }
  }

  /** A client's write is committed: tells whom it concerns, then answers. */
  applied(zxid: number, entry: TxnEntry, outcome: Outcome, connection: Connection): void {
    this.eventsSend();
    if (connection.isClosed) return;
    const head = connection.waiting.shift();
    assert(head?.kind === "write", "a commit meets its request at the head of its queue");
    const { xid, type, at } = head;
    outcomeWrite(
      connection.out,
      { xid, zxid, type },
      entry.txn,
      outcome,
      this.#replica.tree.znodes,
    );
    this.#answered(connection, { xid, type, zxid, at });
    if (type === opCodes.closeSession) connection.closeAfterFlush();
    else this.#drain(connection);
  }

  /** Watches that went off go to those who may read what they speak of. */
  eventsSend(): void {
    const { watches, acls } = this.#replica.tree;
    if (watches.fired.length === 0) return;
    const fired = watches.fired;
    watches.fired = [];
    for (const event of fired) {
      if (mayHear(event, acls)) eventWrite(event.watcher.out, event);
    }
  }

  /** After a group of commits: answers the syncs that waited for them. */
  committed(): void {
    const { zxidLast } = this.#replica.tree;
    const due = this.#syncs.findIndex(({ zxid }) => zxid > zxidLast);
    const ready = this.#syncs.splice(0, due === -1 ? this.#syncs.length : due);
    for (const { connection } of ready) this.#drain(connection);
  }

  #write(
    connection: Connection,
    { xid, type, at }: { readonly xid: number; readonly type: number; readonly at: number },
    frame: Buffer,
  ): void {
    try {
      // Copied: the txn keeps views of it until it is applied, and the socket's bytes go before.
      const request = writeRequestRead(type, new JuteReader(Buffer.from(frame), headerBytes));
      const caller = { sessionId: connection.sessionId, ids: connection.ids };
      this.#replica.submit(request!, caller, xid, { kind: "request", connection });
      connection.enqueue({ kind: "write", xid, type, at });
    } catch (thrown) {
      if (!(thrown instanceof WireError)) throw thrown;
      connection.enqueue({ kind: "refused", xid, type, at });
      this.#drain(connection);
    }
  }

  #sync(connection: Connection, frame: Buffer, at: number): void {
    const zxid = this.#replica.zxidProposed;
    if (connection.waiting.length === 0 && this.#replica.tree.zxidLast >= zxid) {
      this.#read(connection, frame, at);
      return;
    }
    connection.enqueue({ kind: "sync", frame: Buffer.from(frame), zxid, at });
    this.#syncs.push({ zxid, connection });
  }

  #drain(connection: Connection): void {
    for (let head = connection.waiting[0]; head !== undefined; head = connection.waiting[0]) {
      if (connection.isClosed || head.kind === "write") break;
      if (head.kind === "sync" && head.zxid > this.#replica.tree.zxidLast) break;
      connection.waiting.shift();
      if (head.kind === "refused") this.#refuse(connection, head, errorNumbers.MARSHALLINGERROR);
      else this.#read(connection, head.frame, head.at);
    }
    connection.proceed();
  }

  #read(connection: Connection, frame: Buffer, at: number): void {
    const from = new JuteReader(frame);
    const xid = from.int();
    const type = from.int();
    const { tree } = this.#replica;
    let error: number;
    try {
      error = readAnswer({ tree, connection, xid, type, from });
    } catch (thrown) {
      if (!(thrown instanceof WireError)) throw thrown;
      error = errorNumbers.MARSHALLINGERROR;
    }
    if (error !== errorNumbers.OK) this.#refuse(connection, { xid, type, at }, error);
    else this.#answered(connection, { xid, type, zxid: tree.zxidLast, at });
  }

  #refuse(
    connection: Connection,
    { xid, type, at }: { readonly xid: number; readonly type: number; readonly at: number },
    error: number,
  ): void {
    const zxid = this.#replica.tree.zxidLast;
    replyPlain(connection.out, xid, zxid, error);
    this.#answered(connection, { xid, type, zxid, at });
  }

  #answered(
    connection: Connection,
    request: {
      readonly xid: number;
      readonly type: number;
      readonly zxid: number;
      readonly at: number;
    },
  ): void {
    const now = performance.now();
    connection.stats.answered(now - request.at);
    this.#totals.answered(now - request.at);
    connection.lastResponseMs = now;
    connection.lastType = request.type;
    connection.lastZxid = request.zxid;
    if (request.xid >= 0) connection.lastCxid = request.xid;
  }
}

/** xid and type. */
const headerBytes = 8;

function mayHear(
  event: FiredWatch<Connection>,
  acls: Replica<Connection, Tag>["tree"]["acls"],
): boolean {
  if (event.watcher.isClosed) return false;
  if (event.acl === aclOpen || !acls.has(event.acl)) return event.acl === aclOpen;
  return isAllowed(acls.list(event.acl), perms.read, event.watcher.ids);
}
