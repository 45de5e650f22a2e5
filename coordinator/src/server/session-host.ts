import type { Clock } from "../../../kit/src/clock.ts";
import type { Outcome } from "../tree/tree.ts";
import { errorNumbers } from "../wire/constants.ts";
import { JuteReader } from "../wire/reader.ts";
import { ConnectRequest, ConnectResponse } from "../wire/records.ts";
import type { Connection } from "./connection.ts";
import type { Tag } from "./pipeline.ts";
import type { Replica } from "./replica.ts";
import { isSessionPassword, SessionIds, sessionPassword } from "./session-ids.ts";
import { LiveSessions } from "./sessions-live.ts";

export interface SessionSettings {
  readonly serverId: number;
  readonly minSessionTimeoutMs: number;
  readonly maxSessionTimeoutMs: number;
  readonly clock: Clock;
}

/** Sessions from connect to close: begun, moved to another connection, and ended when silent for too long. */
export class SessionHost {
  readonly #replica: Replica<Connection, Tag>;
  readonly #settings: SessionSettings;
  readonly #live: LiveSessions;
  readonly #ids: SessionIds;
  readonly #connections = new Map<bigint, Connection>();
  #expired = 0;

  /** Every session of the recovered tree has its whole timeout from now. */
  constructor(replica: Replica<Connection, Tag>, settings: SessionSettings, stepMs: number) {
    this.#replica = replica;
    this.#settings = settings;
    this.#live = new LiveSessions(stepMs);
    this.#ids = new SessionIds(settings.serverId, settings.clock.now());
    for (const [id, timeoutMs] of replica.tree.sessions.entries()) this.#live.track(id, timeoutMs);
  }

  /** Sessions that were ended for their silence. */
  get expired(): number {
    return this.#expired;
  }

  hear(connection: Connection): void {
    this.#live.hear(connection.sessionId);
  }

  /** The first frame of a connection. Throws a `WireError` when it is no ConnectRequest. */
  connect(connection: Connection, frame: Buffer): void {
    const request = ConnectRequest.read(new JuteReader(frame));
    const { tree } = this.#replica;
    if (Number(request.lastZxidSeen) > tree.zxidLast) {
      // It has seen a later state than this server: answering would show it the past.
      connection.close();
      return;
    }
    const { minSessionTimeoutMs, maxSessionTimeoutMs } = this.#settings;
    const wanted = Math.max(request.timeoutMs, minSessionTimeoutMs);
    connection.timeoutMs = Math.min(wanted, maxSessionTimeoutMs);
    connection.knowsReadOnly = request.readOnly !== undefined;
    if (request.sessionId === 0n) {
      this.#begin(connection);
    } else if (
      tree.sessions.has(request.sessionId) &&
      isSessionPassword(request.sessionId, request.password)
    ) {
      this.#attach(connection, request.sessionId);
    } else {
      this.#refuse(connection);
    }
  }

  /** A session's creation is committed. */
  created(sessionId: bigint, timeoutMs: number, connection: Connection): void {
    this.#live.track(sessionId, timeoutMs);
    if (connection.isClosed) return;
    this.#connections.set(sessionId, connection);
    this.#welcome(connection);
  }

  /** A session's end is committed; `isExpiry`: nobody asked for it. */
  closed(sessionId: bigint, outcome: Outcome, isExpiry: boolean): void {
    if (outcome.error !== errorNumbers.OK) return;
    this.#live.remove(sessionId);
    const connection = this.#connections.get(sessionId);
    this.#connections.delete(sessionId);
    if (isExpiry) connection?.close();
  }

  connectionClosed(connection: Connection): void {
    if (this.#connections.get(connection.sessionId) === connection) {
      this.#connections.delete(connection.sessionId);
    }
  }

  /** One step of expiry; ends the sessions that were silent for their timeout. */
  advance(): void {
    for (const id of this.#live.advance()) {
      const connection = this.#connections.get(id);
      if (connection?.isHeldBack) {
        // It may have spoken: we are the ones who do not read.
        this.#live.track(id, connection.timeoutMs);
        continue;
      }
      this.#expired++;
      const caller = { sessionId: id, ids: [] };
      this.#replica.submit({ op: "closeSession" }, caller, 0, { kind: "expiry" });
    }
  }

  #begin(connection: Connection): void {
    let id = this.#ids.next();
    while (this.#replica.tree.sessions.has(id)) id = this.#ids.next();
    connection.sessionId = id;
    connection.state = "connecting";
    const { timeoutMs } = connection;
    const caller = { sessionId: id, ids: connection.ids };
    const tag: Tag = { kind: "session", connection };
    this.#replica.submit({ op: "createSession", timeoutMs }, caller, 0, tag);
  }

  #attach(connection: Connection, sessionId: bigint): void {
    this.#connections.get(sessionId)?.close();
    connection.sessionId = sessionId;
    this.#connections.set(sessionId, connection);
    this.#live.track(sessionId, connection.timeoutMs);
    this.#welcome(connection);
  }

  #welcome(connection: Connection): void {
    const { sessionId, timeoutMs } = connection;
    responseWrite(connection, { sessionId, timeoutMs, password: sessionPassword(sessionId) });
    connection.open();
  }

  #refuse(connection: Connection): void {
    responseWrite(connection, { sessionId: 0n, timeoutMs: 0, password: Buffer.alloc(16) });
    connection.closeAfterFlush();
  }
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
  const readOnly = connection.knowsReadOnly ? false : undefined;
  ConnectResponse.write(connection.out, { protocolVersion: 0, ...response, readOnly });
  connection.out.frameEnd(start);
}
