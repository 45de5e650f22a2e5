import type { Clock } from "../../../kit/src/clock.ts";
import type { LinkId, Touch } from "../core/messages.ts";
import { LocalSessions } from "../tree/local-sessions.ts";
import type { WriteRequest } from "../tree/prepare.ts";
import type { Outcome } from "../tree/tree.ts";
import { type ErrorNumber, errorNumbers, opCodes } from "../wire/constants.ts";
import { JuteReader } from "../wire/reader.ts";
import { ConnectRequest, ConnectResponse, type Id } from "../wire/records.ts";
import type { Connection } from "./connection.ts";
import {
  ConnectionThrottle,
  type ConnectionThrottleSettings,
  type SessionKind,
} from "./connection-throttle.ts";
import type { Replica } from "./replica.ts";
import { isSessionPassword, SessionIds, sessionPassword } from "./session-ids.ts";
import { LiveSessions } from "./sessions-live.ts";

export interface SessionSettings {
  readonly serverId: number;
  readonly minSessionTimeoutMs: number;
  readonly maxSessionTimeoutMs: number;
  /** Whether sessions are this member's own until they make an ephemeral (`localSessionsEnabled`). */
  readonly localSessions: boolean;
  /** Whether they may (`localSessionsUpgradingEnabled`). */
  readonly localSessionUpgrades: boolean;
  readonly connectionThrottle: ConnectionThrottleSettings;
  readonly clock: Clock;
}

/** Sessions from connect to close: begun, moved to another connection, and ended when silent for too long. */
export class SessionHost {
  /** Who may connect now. */
  readonly throttle: ConnectionThrottle;
  readonly #replica: Replica<Connection>;
  readonly #settings: SessionSettings;
  readonly #stepMs: number;
  readonly #ids: SessionIds;
  readonly #connections = new Map<bigint, Connection>();
  /** Serves reads without a leader: its sessions are its own. */
  #isReadOnly = false;
  /** Connections whose session is being created, or looked for by the leader. */
  readonly #waiting = new Map<bigint, Connection>();
  /** A leader's: who was heard of when. */
  #live: LiveSessions | undefined;
  /** Sessions that only this member knows, and who of them was heard of when. */
  #local: { readonly sessions: LocalSessions; readonly live: LiveSessions } | undefined;
  /** Connections that were heard of since the last step of time. */
  #heard: Connection[] = [];
  #expired = 0;

  constructor(replica: Replica<Connection>, settings: SessionSettings, stepMs: number) {
    this.#replica = replica;
    this.#settings = settings;
    this.#stepMs = stepMs;
    this.#ids = new SessionIds(settings.serverId, settings.clock.now());
    const { connectionThrottle, clock } = settings;
    this.throttle = new ConnectionThrottle(connectionThrottle, Math.random, clock.monotonicMs());
  }

  /** Sessions that this member ended for their silence. */
  get expired(): number {
    return this.#expired;
  }

  /** This member serves from now on. A new leader grants every session its whole timeout. */
  begin(): void {
    this.end();
    const { localSessions, localSessionUpgrades: mayUpgrade, serverId } = this.#settings;
    if (localSessions) {
      const sessions = new LocalSessions({ serverId, mayUpgrade });
      this.#local = { sessions, live: new LiveSessions(this.#stepMs) };
    }
    if (!this.#replica.isLeading) return;
    this.#live = new LiveSessions(this.#stepMs);
    for (const [id, timeoutMs] of this.#replica.tree.sessions.entries()) {
      this.#live.track(id, timeoutMs);
    }
  }

  /** This member answers reads from now on, of those who are content with that. */
  beginReadOnly(): void {
    this.end();
    this.#isReadOnly = true;
  }

  /** This member serves nobody from now on. */
  end(): void {
    this.#isReadOnly = false;
    this.#live = undefined;
    this.#local = undefined;
    this.#heard = [];
    this.#connections.clear();
    this.#waiting.clear();
  }

  hear(connection: Connection): void {
    if (connection.isHeard) return;
    connection.isHeard = true;
    this.#heard.push(connection);
  }

  /** Whose session this is, if its client is connected here. */
  connectionOf(sessionId: bigint): Connection | undefined {
    return this.#connections.get(sessionId);
  }

  /** The first frame of a connection. Throws a `WireError` when it is no ConnectRequest. */
  connect(connection: Connection, frame: Buffer): void {
    const request = ConnectRequest.read(new JuteReader(frame));
    const { tree } = this.#replica;
    if (!this.throttle.admit(this.#kindOf(request), this.#settings.clock.monotonicMs())) {
      connection.close();
      return;
    }
    if (Number(request.lastZxidSeen) > tree.zxidLast) {
      // It has seen a later state than this server: answering would show it the past.
      connection.close();
      return;
    }
    const { minSessionTimeoutMs, maxSessionTimeoutMs } = this.#settings;
    const wanted = Math.max(request.timeoutMs, minSessionTimeoutMs);
    connection.timeoutMs = Math.min(wanted, maxSessionTimeoutMs);
    connection.knowsReadOnly = request.readOnly !== undefined;
    const { sessionId } = request;
    if (this.#isReadOnly) {
      this.#connectReadOnly(connection, request);
      return;
    }
    if (sessionId === 0n) this.#begin(connection);
    else if (!isSessionPassword(sessionId, request.password)) refuse(connection);
    else this.#revalidate(connection, sessionId);
  }

  /** Whether only this member knows the session. */
  isLocal(sessionId: bigint): boolean {
    return this.#local?.sessions.has(sessionId) ?? false;
  }

  /** Whether a leader takes the writes of a session that its tree does not know. */
  mayWriteLocally(sessionId: bigint): boolean {
    return this.#local?.sessions.mayWrite(sessionId) ?? false;
  }

  /** Makes a session known to all, when this request of it needs that. Returns why it may not be. */
  upgradeFor(connection: Connection, request: WriteRequest): ErrorNumber | undefined {
    if (this.#local === undefined) return undefined;
    const { sessions, live } = this.#local;
    const { sessionId } = connection;
    const upgrade = sessions.upgradeFor(sessionId, request);
    if (upgrade.kind === "refuse") return upgrade.error;
    if (upgrade.kind === "upgrade") {
      live.remove(sessionId);
      if (!this.#create(sessionId, upgrade.timeoutMs, connection.ids)) connection.close();
    }
    return undefined;
  }

  /** The client of a session that only this member knows says good-bye. */
  localEnd(sessionId: bigint): void {
    this.#local?.sessions.remove(sessionId);
    this.#local?.live.remove(sessionId);
    this.#connections.delete(sessionId);
  }

  /** A session's creation is committed. */
  created(sessionId: bigint, timeoutMs: number): void {
    this.#live?.track(sessionId, timeoutMs);
    this.#local?.sessions.upgraded(sessionId);
    const connection = this.#waiting.get(sessionId);
    if (connection === undefined) return;
    this.#waiting.delete(sessionId);
    if (!connection.isClosed) this.#attach(connection, sessionId);
  }

  /** A session's end is committed; a connection that did not ask for it is closed. */
  closed(sessionId: bigint, outcome: Outcome): void {
    if (outcome.error !== errorNumbers.OK) return;
    this.#live?.remove(sessionId);
    const connection = this.#connections.get(sessionId);
    this.#connections.delete(sessionId);
    const head = connection?.waiting[0];
    const isAsked = head?.kind === "write" && head.type === opCodes.closeSession;
    if (!isAsked) connection?.close();
  }

  connectionClosed(connection: Connection): void {
    const { sessionId } = connection;
    if (this.#connections.get(sessionId) === connection) this.#connections.delete(sessionId);
    if (this.#waiting.get(sessionId) === connection) this.#waiting.delete(sessionId);
  }

  /** A learner's clients were heard of. */
  touched(touched: readonly Touch[]): void {
    for (const { sessionId } of touched) this.#live?.hear(sessionId);
  }

  /** A client has moved to a learner, which asks whether its session is still there. */
  revalidating(link: LinkId, sessionId: bigint, timeoutMs: number): void {
    const isValid = this.#replica.leaderSessions?.revalidate(sessionId, link) ?? false;
    if (isValid) this.#live?.track(sessionId, timeoutMs);
    // Its client is at the learner now.
    if (isValid) this.#connections.get(sessionId)?.close();
    this.#replica.ask({ kind: "revalidated", link, sessionId, isValid });
  }

  /** What the leader says of a session whose client has moved here. */
  revalidated(sessionId: bigint, isValid: boolean): void {
    const connection = this.#waiting.get(sessionId);
    this.#waiting.delete(sessionId);
    if (connection === undefined || connection.isClosed) return;
    if (isValid) this.#attach(connection, sessionId);
    else refuse(connection);
  }

  /** One step of time: a leader ends the sessions that were silent for their timeout, a learner tells of those that were not. */
  advance(): void {
    for (const connection of this.#connections.values()) {
      // It may have spoken: we are the ones who do not read.
      if (connection.isHeldBack) this.hear(connection);
    }
    const heard = this.#heard;
    this.#heard = [];
    for (const connection of heard) {
      connection.isHeard = false;
      const { sessionId, timeoutMs } = connection;
      // Its session may have moved on since.
      if (this.#connections.get(sessionId) !== connection) continue;
      if (this.isLocal(sessionId)) this.#local?.live.hear(sessionId);
      else if (this.#live !== undefined) this.#live.hear(sessionId);
      else if (!this.#isReadOnly) this.#replica.ask({ kind: "touch", sessionId, timeoutMs });
    }
    for (const id of this.#local?.live.advance() ?? []) {
      this.#expired++;
      this.#local?.sessions.remove(id);
      this.#connections.get(id)?.close();
    }
    for (const id of this.#live?.advance() ?? []) {
      this.#expired++;
      this.#replica.submit({ op: "closeSession" }, { sessionId: id, ids: [] }, 0);
    }
  }

  #kindOf({ sessionId }: ConnectRequest): SessionKind {
    if (sessionId !== 0n) return "renew";
    return this.#settings.localSessions ? "local" : "global";
  }

  #connectReadOnly(connection: Connection, request: ConnectRequest): void {
    const { sessionId, password, readOnly } = request;
    connection.isReadOnly = true;
    if (readOnly !== true) connection.close();
    else if (sessionId === 0n) this.#attach(connection, this.#idNext());
    else if (isSessionPassword(sessionId, password) && this.#replica.tree.sessions.has(sessionId)) {
      this.#attach(connection, sessionId);
    } else refuse(connection);
  }

  #idNext(): bigint {
    let id = this.#ids.next();
    while (this.#replica.tree.sessions.has(id)) id = this.#ids.next();
    return id;
  }

  #begin(connection: Connection): void {
    const id = this.#idNext();
    if (this.#local !== undefined) {
      this.#local.sessions.begin(id, connection.timeoutMs);
      this.#attach(connection, id);
      return;
    }
    connection.sessionId = id;
    connection.state = "connecting";
    this.#waiting.set(id, connection);
    if (!this.#create(id, connection.timeoutMs, connection.ids)) connection.close();
  }

  /** Has a session made known to all. False when this member hands over. */
  #create(sessionId: bigint, timeoutMs: number, ids: readonly Id[]): boolean {
    if (this.#replica.isLeading) {
      const caller = { sessionId, ids, owner: "self" } as const;
      return this.#replica.submit({ op: "createSession", timeoutMs }, caller, 0);
    }
    const payload = Buffer.allocUnsafe(4);
    payload.writeInt32BE(timeoutMs, 0);
    const request = { sessionId, cxid: 0, type: opCodes.createSession, payload, ids };
    this.#replica.ask({ kind: "request", request });
    return true;
  }

  #revalidate(connection: Connection, sessionId: bigint): void {
    if (this.isLocal(sessionId)) {
      this.#attach(connection, sessionId);
      return;
    }
    if (this.#live !== undefined) {
      const isValid = this.#replica.leaderSessions?.revalidate(sessionId, "self") ?? false;
      if (isValid) this.#attach(connection, sessionId);
      else refuse(connection);
      return;
    }
    const { timeoutMs } = connection;
    connection.sessionId = sessionId;
    connection.state = "connecting";
    // The newer connection is the client's; the other one was given up.
    this.#waiting.get(sessionId)?.close();
    this.#waiting.set(sessionId, connection);
    this.#replica.ask({ kind: "revalidate", sessionId, timeoutMs });
  }

  #attach(connection: Connection, sessionId: bigint): void {
    const { timeoutMs } = connection;
    this.#connections.get(sessionId)?.close();
    connection.sessionId = sessionId;
    this.#connections.set(sessionId, connection);
    connection.attachedZxid = this.#replica.zxidLogged;
    const live = this.isLocal(sessionId) ? this.#local?.live : this.#live;
    live?.track(sessionId, timeoutMs);
    this.hear(connection);
    responseWrite(connection, { sessionId, timeoutMs, password: sessionPassword(sessionId) });
    connection.open();
  }
}

function refuse(connection: Connection): void {
  responseWrite(connection, { sessionId: 0n, timeoutMs: 0, password: Buffer.alloc(16) });
  connection.closeAfterFlush();
}

function responseWrite(
  connection: Connection,
  response: {
    readonly sessionId: bigint;
    readonly timeoutMs: number;
    readonly password: Uint8Array;
  },
): void {
  const start = connection.out.frameStart();
  const readOnly = connection.knowsReadOnly ? connection.isReadOnly : undefined;
  ConnectResponse.write(connection.out, { protocolVersion: 0, ...response, readOnly });
  connection.out.frameEnd(start);
}
