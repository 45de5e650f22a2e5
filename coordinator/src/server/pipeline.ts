import { isAllowed } from "../tree/acl.ts";
import { aclOpen } from "../tree/acl-pool.ts";
import type { Outcome } from "../tree/tree.ts";
import type { FiredWatch } from "../tree/watches.ts";
import { ByteSlab } from "../wire/byte-slab.ts";
import { errorNumbers, opCodes, perms } from "../wire/constants.ts";
import { WireError } from "../wire/errors.ts";
import { JuteReader } from "../wire/reader.ts";
import type { TxnEntry } from "../wire/txns.ts";
import { type AuthSettings, authenticate, isRefusedUnproved, saslStep } from "./authenticate.ts";
import type { Connection, Waiting } from "./connection.ts";
import { readAnswer } from "./reads.ts";
import type { Replica } from "./replica.ts";
import { eventWrite, outcomeWrite, replyPlain } from "./replies.ts";
import { forwardedRequestRead, isWrite, writeRequestRead } from "./requests.ts";
import type { SessionHost } from "./session-host.ts";
import type { ServerStats } from "./stats.ts";

interface RequestHead {
  readonly xid: number;
  readonly type: number;
  readonly at: number;
}

type Sync = Waiting & { readonly kind: "sync" };

/**
 * Requests of open sessions, in order: a session's requests are answered one after the other, reads
 * at once when no write of the same session is under way, and events before the answer that shows their change.
 */
export class Pipeline {
  readonly #replica: Replica<Connection>;
  readonly #totals: ServerStats;
  readonly #auth: AuthSettings;
  readonly #sessions: SessionHost;
  /** Syncs that the leader has not answered, by their tags. */
  readonly #syncs = new Map<number, { readonly connection: Connection; readonly waiting: Sync }>();
  readonly #bodies = new ByteSlab();
  #syncTag = 0;
  #forwarded = 0;
  #forwardedBytes = 0;
  #notifications = 0;

  constructor(
    replica: Replica<Connection>,
    sessions: SessionHost,
    totals: ServerStats,
    auth: AuthSettings,
  ) {
    this.#replica = replica;
    this.#sessions = sessions;
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
    } else if (connection.isReadOnly && isRefusedReadOnly(type)) {
      this.#refuse(connection, { xid, type, at }, errorNumbers.NOTREADONLY);
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

  /** Answers a request that is not looked at, in its turn. Throws a `WireError` when not even its header can be read. */
  refuseInTurn(connection: Connection, frame: Buffer, error: number): void {
    const from = new JuteReader(frame);
    const request = { xid: from.int(), type: from.int(), at: performance.now() };
    connection.stats.received++;
    this.#totals.received++;
    this.#answerInTurn(connection, request, error);
  }

  /** Requests that a learner has sent to the leader, and their bytes. */
  get forwarded(): { readonly count: number; readonly bytes: number } {
    return { count: this.#forwarded, bytes: this.#forwardedBytes };
  }

  /** Events of watches that were sent. */
  get notifications(): number {
    return this.#notifications;
  }

  /** Nobody is served any more: all connections are closed. */
  reset(): void {
    this.#syncs.clear();
    this.#forwarded = 0;
    this.#forwardedBytes = 0;
  }

  /** A txn of this connection's session is committed: if one of its requests is meant, that is answered. */
  applied(zxid: number, entry: TxnEntry, outcome: Outcome, connection: Connection): void {
    const head = connection.waiting[0];
    if (connection.isClosed || zxid <= connection.attachedZxid) return;
    if (head?.kind !== "write" || head.xid !== entry.header.cxid) return;
    connection.waiting.shift();
    const { xid, type, at } = head;
    this.#forwardedForget(head.bytes);
    outcomeWrite(
      connection.out,
      { xid, zxid, type },
      entry.txn,
      outcome,
      this.#replica.tree.znodes,
    );
    this.#answered(connection, { xid, type, zxid, at });
    // A client that has moved on is told where it still speaks; nothing more of it is heard here.
    const error = outcome.parts?.[0]?.error ?? outcome.error;
    const isOver = type === opCodes.closeSession || error === errorNumbers.SESSIONMOVED;
    if (isOver) connection.closeAfterFlush();
    else this.#drain(connection);
  }

  /** Watches that went off go to those who may read what they speak of. */
  eventsSend(): void {
    const { watches, acls } = this.#replica.tree;
    if (watches.fired.length === 0) return;
    const fired = watches.fired;
    watches.fired = [];
    for (const event of fired) {
      if (!mayHear(event, acls)) continue;
      eventWrite(event.watcher.out, event);
      this.#notifications++;
    }
  }

  /** Everything that was committed when this sync was asked for is applied. */
  synced(tag: number): void {
    const sync = this.#syncs.get(tag);
    if (sync === undefined) return;
    this.#syncs.delete(tag);
    sync.waiting.isDone = true;
    this.#drain(sync.connection);
  }

  /** What it had sent to the leader is not waited for any more. */
  connectionClosed(connection: Connection): void {
    for (const waiting of connection.waiting) {
      if (waiting.kind === "write") this.#forwardedForget(waiting.bytes);
    }
    connection.waiting.length = 0;
  }

  #write(
    connection: Connection,
    { xid, type, at }: { readonly xid: number; readonly type: number; readonly at: number },
    frame: Buffer,
  ): void {
    const body = frame.subarray(headerBytes);
    const isLocal = this.#sessions.isLocal(connection.sessionId);
    if (isLocal && !this.#localTake(connection, { xid, type, at }, body)) return;
    if (!this.#replica.isLeading) {
      const { sessionId, ids } = connection;
      connection.enqueue({ kind: "write", xid, type, at, bytes: body.length });
      this.#forwarded++;
      this.#forwardedBytes += body.length;
      const request = { sessionId, cxid: xid, type, payload: body, ids };
      this.#replica.ask({ kind: "request", request });
      return;
    }
    try {
      // The txn keeps views of it until it is applied.
      const kept = this.#bodies.copy(body);
      const request = writeRequestRead(type, new JuteReader(kept), (asked) =>
        this.#replica.reconfigPlan(asked),
      );
      const { sessionId, ids } = connection;
      const caller = { sessionId, ids, owner: "self" } as const;
      if (!this.#replica.submit(request!, caller, xid)) connection.close();
      else connection.enqueue({ kind: "write", xid, type, at, bytes: 0 });
    } catch (thrown) {
      if (!(thrown instanceof WireError)) throw thrown;
      this.#answerInTurn(connection, { xid, type, at }, errorNumbers.MARSHALLINGERROR);
    }
  }

  /** What a session that only this member knows must do before its write is proposed; false when it is not to be. */
  #localTake(connection: Connection, request: RequestHead, body: Buffer): boolean {
    if (request.type === opCodes.closeSession) {
      this.#sessions.localEnd(connection.sessionId);
      this.#answerInTurn(connection, request, errorNumbers.OK);
      return false;
    }
    const write = forwardedRequestRead(request.type, body, (asked) =>
      this.#replica.reconfigPlan(asked),
    );
    const error = this.#sessions.upgradeFor(connection, write);
    if (error !== undefined) this.#answerInTurn(connection, request, error);
    return error === undefined;
  }

  #answerInTurn(connection: Connection, request: RequestHead, error: number): void {
    connection.enqueue({ kind: "refused", ...request, error });
    this.#drain(connection);
  }

  #sync(connection: Connection, frame: Buffer, at: number): void {
    const waiting: Sync = { kind: "sync", frame: Buffer.from(frame), at, isDone: false };
    connection.enqueue(waiting);
    const tag = ++this.#syncTag;
    this.#syncs.set(tag, { connection, waiting });
    this.#replica.ask({ kind: "sync", tag });
  }

  #forwardedForget(bytes: number): void {
    if (bytes === 0) return;
    this.#forwarded--;
    this.#forwardedBytes -= bytes;
  }

  #drain(connection: Connection): void {
    for (let head = connection.waiting[0]; head !== undefined; head = connection.waiting[0]) {
      if (connection.isClosed || head.kind === "write") break;
      if (head.kind === "sync" && !head.isDone) break;
      connection.waiting.shift();
      if (head.kind === "refused") this.#refuse(connection, head, head.error);
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
    if (type === opCodes.closeSession) connection.closeAfterFlush();
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
    const kind = isWrite(request.type) ? "update" : "read";
    this.#totals.requestAnswered(kind, now - request.at, now);
    connection.lastResponseMs = now;
    connection.lastType = request.type;
    connection.lastZxid = request.zxid;
    if (request.xid >= 0) connection.lastCxid = request.xid;
  }
}

function isRefusedReadOnly(type: number): boolean {
  return isWrite(type) || type === opCodes.sync;
}

/** xid and type. */
const headerBytes = 8;

function mayHear(
  event: FiredWatch<Connection>,
  acls: Replica<Connection>["tree"]["acls"],
): boolean {
  if (event.watcher.isClosed) return false;
  if (event.acl === aclOpen || !acls.has(event.acl)) return event.acl === aclOpen;
  return isAllowed(acls.list(event.acl), perms.read, event.watcher.ids);
}
