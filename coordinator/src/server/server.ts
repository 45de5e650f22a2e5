import type { Server as HttpServer } from "node:http";
import { createServer, type Server, type Socket } from "node:net";

import { messageOf } from "../../../kit/src/errors.ts";
import type { LinkId } from "../core/messages.ts";
import type { ForwardedRequest } from "../quorum/ports.ts";
import type { Outcome } from "../tree/tree.ts";
import { errorNumbers } from "../wire/constants.ts";
import { WireError } from "../wire/errors.ts";
import type { Id } from "../wire/records.ts";
import type { TxnEntry } from "../wire/txns.ts";
import { superId } from "./auth.ts";
import { Connection } from "./connection.ts";
import { ensembleOf } from "./ensemble.ts";
import { EnsembleFigures } from "./ensemble-figures.ts";
import { ExpiringZnodes } from "./expiring-znodes.ts";
import { commandAnswer, commandOf } from "./four-letter-words.ts";
import {
  connectWithinMs,
  expiryStepsPerTick,
  readOnlyAfterMs,
  traceMaskDefault,
  uncommittedBytesMax,
} from "./limits.ts";
import { metricsServer } from "./metrics-listener.ts";
import { connectionsAllowed, limitsRead } from "./open-files.ts";
import type { CoordinatorSettings } from "./options.ts";
import { Pipeline } from "./pipeline.ts";
import { Replica } from "./replica.ts";
import type { ReplicaEvent } from "./replica-options.ts";
import { RequestThrottle } from "./request-throttle.ts";
import { forwardedRequestRead } from "./requests.ts";
import { secureServer } from "./secure-listener.ts";
import { SessionHost } from "./session-host.ts";
import { readShared } from "./shared-reads.ts";
import { ServerStats } from "./stats.ts";
import { UnifiedPort } from "./unified-port.ts";

/** The TCP side of a coordinator: sockets, turns, back-pressure. One write a socket and turn, one log write a turn. */
export class CoordinatorServer {
  readonly settings: CoordinatorSettings;
  readonly replica: Replica<Connection>;
  readonly sessions: SessionHost;
  readonly totals = new ServerStats();
  readonly startedMs: number;
  readonly connections = new Set<Connection>();
  readonly figures: EnsembleFigures;
  readonly throttle: RequestThrottle;
  /** What `gtmk` and `stmk` tell of; nothing is traced by it. */
  traceMask = traceMaskDefault;
  rejected = 0;
  #txns = 0;
  readonly #pipeline: Pipeline;
  readonly #server: Server;
  readonly #unified: UnifiedPort | undefined;
  readonly #secure: Server | undefined;
  readonly #metrics: HttpServer | undefined;
  readonly #connectionsMax = connectionsAllowed(limitsRead());
  readonly #perAddress = new Map<string, number>();
  readonly #stepMs: number;
  /** A leader's. */
  #expiring: ExpiringZnodes<Connection> | undefined;
  #dirty: Connection[] = [];
  #isTurnEndDue = false;
  #isBusy = false;
  #isClosed = false;
  #closing: Promise<void> | undefined;
  #isReadOnly = false;
  #readOnlyTimer: NodeJS.Timeout | undefined;
  #stepTimer: NodeJS.Timeout | undefined;
  #stallTimer: NodeJS.Timeout | undefined;

  /** Recovers the state. Throws `storage.damaged` when it is not whole. */
  constructor(settings: CoordinatorSettings) {
    this.settings = settings;
    this.throttle = new RequestThrottle(settings.requestThrottle);
    this.startedMs = settings.clock.now();
    this.#stepMs = Math.max(5, settings.tickTimeMs / expiryStepsPerTick);
    this.replica = new Replica<Connection>(
      {
        ...settings,
        ensemble: ensembleOf(settings),
        isLocal: (id) => this.sessions.mayWriteLocally(id),
      },
      {
        onApplied: (zxid, entry, outcome) => this.#applied(zxid, entry, outcome),
        onCommitEnd: () => this.#commitEnd(),
        onRole: () => this.#roleChanged(),
        onStepped: (state) => {
          // To take leave of the others is no failure of theirs.
          if (!this.#isClosed) this.figures.see(state);
        },
        onEvent: (event) => this.#event(event),
        onFailed: (error) => this.#fail(error),
      },
    );
    this.sessions = new SessionHost(this.replica, settings, this.#stepMs);
    this.#pipeline = new Pipeline(this.replica, this.sessions, this.totals, settings);
    this.figures = new EnsembleFigures(settings, {
      counts: () => ({ txns: this.#txns, notifications: this.#pipeline.notifications }),
      synchronised: () => synchronisedCount(this.replica),
      isLeading: () => this.replica.isLeading,
    });
    this.#server = createServer((socket) => this.#guard(() => this.#accept(socket, [])));
    if (settings.clientKey !== undefined) {
      this.#unified = new UnifiedPort(settings.clientKey, settings.logger, (connection, bytes) =>
        this.#guard(() => this.#receive(connection, bytes)),
      );
    }
    if (settings.metrics !== undefined) this.#metrics = metricsServer(this, settings.metrics);
    if (settings.secure !== undefined) {
      this.#secure = secureServer(settings.secure, settings.logger, (socket, ids) =>
        this.#guard(() => this.#accept(socket, ids)),
      );
    }
  }

  /** The address that clients connect to, once it listens. */
  get address(): { readonly host: string; readonly port: number } {
    return addressOf(this.#server) ?? this.settings;
  }

  /** Where `/metrics` is answered, if it is and listens. */
  get metricsAddress(): { readonly host: string; readonly port: number } | undefined {
    return this.#metrics === undefined ? undefined : addressOf(this.#metrics);
  }

  /** The address of the port for TLS, if there is one and it listens. */
  get secureAddress(): { readonly host: string; readonly port: number } | undefined {
    return this.#secure === undefined ? undefined : addressOf(this.#secure);
  }

  async listen(): Promise<void> {
    const { host, port, secure, metrics } = this.settings;
    await this.replica.start();
    await this.#listenAt(this.#server, host, port);
    if (secure !== undefined) await this.#listenAt(this.#secure!, secure.host ?? host, secure.port);
    if (metrics !== undefined) await this.#listenAt(this.#metrics!, metrics.host, metrics.port);
    this.#stepLater();
  }

  /** Stops serving, puts on disk what was proposed, and closes. Sessions live on. */
  close(): Promise<void> {
    this.#stopServing();
    this.#closing ??= Promise.all([this.replica.close(), this.figures.close()]).then(
      () => undefined,
    );
    return this.#closing;
  }

  /** Whether clients are answered: all of them, or without a leader those that only read. */
  get isAnswering(): boolean {
    return this.replica.isServing || this.#isReadOnly;
  }

  /** As ZooKeeper names what a member is. */
  get mode(): "standalone" | "leader" | "follower" | "observer" | "read-only" | "looking" {
    const { isEnsemble, role } = this.replica;
    if (!isEnsemble) return "standalone";
    if (this.#isReadOnly) return "read-only";
    switch (role.kind) {
      case "leading":
        return "leader";
      case "following":
        return "follower";
      case "observing":
        return "observer";
      default:
        return "looking";
    }
  }

  async #listenAt(server: Server, host: string, port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host, port, backlog: 1024 }, () => {
        server.off("error", reject);
        resolve();
      });
    });
    server.on("error", (error) => this.#fail(error));
  }

  #accept(accepted: Socket, certificateIds: readonly Id[]): void {
    const socket = readShared(accepted, (bytes) =>
      this.#guard(() => this.#receive(connection, bytes)),
    );
    const connection: Connection = new Connection(
      socket,
      {
        onFrame: (from, frame) => this.#frame(from, frame),
        onDirty: (dirty) => {
          this.#dirty.push(dirty);
          this.#turnEndLater();
        },
        onClose: (closed) => this.#connectionClosed(closed),
      },
      this.settings.clock.now(),
      this.settings.frameBytes,
    );
    connection.certificateIds = certificateIds;
    const superIds = this.settings.skipAcl ? [superId] : [];
    connection.ids = [...connection.ids, ...certificateIds, ...superIds];
    const { address } = connection;
    const count = (this.#perAddress.get(address) ?? 0) + 1;
    this.#perAddress.set(address, count);
    this.connections.add(connection);
    const { connectionsPerAddress } = this.settings;
    const isTooMany = connectionsPerAddress > 0 && count > connectionsPerAddress;
    if (this.#isClosed || isTooMany || this.connections.size > this.#connectionsMax) {
      this.rejected++;
      connection.close();
      return;
    }
    if (this.#isBusy) connection.hostBusy(true);
  }

  #receive(connection: Connection, chunk: Buffer): void {
    if (this.#isClosed || connection.isClosed) return;
    if (connection.isUntouched && this.#unified?.take(connection, chunk) === true) return;
    const command = connection.isUntouched ? commandOf(chunk) : undefined;
    connection.isUntouched = false;
    if (command !== undefined) {
      connection.stats.received++;
      this.totals.received++;
      connection.socket.end(commandAnswer(command, this, chunk));
      return;
    }
    // As ZooKeeper without a quorum: the client is to ask another member.
    if (!this.isAnswering) connection.close();
    else this.#closeIfMalformed(connection, () => connection.receive(chunk));
  }

  #frame(connection: Connection, frame: Buffer): void {
    this.#closeIfMalformed(connection, () => {
      if (connection.state === "fresh") {
        connection.stats.received++;
        this.totals.received++;
        this.sessions.connect(connection, frame);
      } else {
        this.sessions.hear(connection);
        this.#request(connection, frame);
        this.#busyDecide();
      }
    });
    this.#turnEndLater();
  }

  #request(connection: Connection, frame: Buffer): void {
    const { heldSinceMs } = connection;
    if (heldSinceMs === undefined) {
      this.#pipeline.request(connection, frame);
      return;
    }
    const now = performance.now();
    const sessionTimeoutMs = connection.timeoutMs;
    const held = { frame, waitedMs: now - heldSinceMs, sessionTimeoutMs };
    const verdict = this.throttle.judge(held, now);
    if (verdict === "serve") this.#pipeline.request(connection, frame);
    else if (verdict === "drop") connection.close();
    else this.#pipeline.refuseInTurn(connection, frame, errorNumbers.THROTTLEDOP);
  }

  #closeIfMalformed(connection: Connection, work: () => void): void {
    try {
      work();
    } catch (thrown) {
      if (!(thrown instanceof WireError)) throw thrown;
      const { address, port } = connection;
      const reason = thrown.message;
      this.settings.logger.debug({ address, port, reason }, "client closed: malformed bytes");
      connection.close();
    }
  }

  #applied(zxid: number, entry: TxnEntry, outcome: Outcome): void {
    this.#txns++;
    const { txn, header } = entry;
    const { sessionId } = header;
    this.#pipeline.eventsSend();
    const connection = this.sessions.connectionOf(sessionId);
    if (txn.type === "closeSession") this.sessions.closed(sessionId, outcome);
    if (txn.type === "createSession") this.sessions.created(sessionId, txn.timeoutMs);
    else if (connection !== undefined) this.#pipeline.applied(zxid, entry, outcome, connection);
  }

  /** Who is served by another role than before is served anew: its client connects again, here or elsewhere. */
  #roleChanged(): void {
    for (const connection of this.connections) connection.close();
    this.#pipeline.reset();
    this.#expiring = undefined;
    this.#isReadOnly = false;
    clearTimeout(this.#readOnlyTimer);
    if (!this.replica.isServing) {
      this.sessions.end();
      this.#readOnlyLater();
      return;
    }
    this.sessions.begin();
    if (!this.replica.isLeading) return;
    const { tree } = this.replica;
    this.#expiring = new ExpiringZnodes(tree, this.settings, this.settings.clock.now());
  }

  /** An election is mostly over by then; reads are served only where nobody leads for longer. */
  #readOnlyLater(): void {
    const { readOnlyMode, tickTimeMs } = this.settings;
    if (!readOnlyMode || this.#isClosed) return;
    this.#readOnlyTimer = setTimeout(
      () => {
        this.#isReadOnly = true;
        this.sessions.beginReadOnly();
      },
      Math.max(readOnlyAfterMs, tickTimeMs),
    );
  }

  #event(event: ReplicaEvent): void {
    switch (event.kind) {
      case "requested":
        this.#requested(event.link, event.request);
        break;
      case "touched":
        this.sessions.touched(event.touched);
        break;
      case "revalidating":
        this.sessions.revalidating(event.link, event.sessionId, event.timeoutMs);
        break;
      case "revalidated":
        this.sessions.revalidated(event.sessionId, event.isValid);
        break;
      case "synced":
        this.#pipeline.synced(event.tag);
        break;
    }
    this.#turnEndLater();
  }

  /** A learner's client wants a write. Every request becomes a txn, for its learner waits for one. */
  #requested(owner: LinkId, request: ForwardedRequest): void {
    const { sessionId, cxid, type, payload, ids } = request;
    const write = forwardedRequestRead(type, payload, (asked) => this.replica.reconfigPlan(asked));
    this.replica.submit(write, { sessionId, ids, owner }, cxid);
  }

  #commitEnd(): void {
    this.#busyDecide();
    this.#turnEndLater();
  }

  #connectionClosed(connection: Connection): void {
    this.connections.delete(connection);
    const left = (this.#perAddress.get(connection.address) ?? 1) - 1;
    if (left === 0) this.#perAddress.delete(connection.address);
    else this.#perAddress.set(connection.address, left);
    this.replica.tree.watches.removeAll(connection);
    this.#pipeline.connectionClosed(connection);
    this.throttle.closed(connection.heldCount);
    this.sessions.connectionClosed(connection);
  }

  /** While too much waits for the disk nobody is read; the clients' own windows fill and hold them back. */
  #busyDecide(): void {
    const share = this.#isBusy ? 0.5 : 1;
    const { forwarded } = this.#pipeline;
    const { requestsMax, settings } = this.throttle;
    const outstandingMax = Math.min(this.settings.outstandingMax, requestsMax - 1);
    const isBusy =
      this.replica.uncommittedBytes + forwarded.bytes > uncommittedBytesMax * share ||
      this.replica.uncommitted + forwarded.count > outstandingMax * share;
    if (isBusy === this.#isBusy) return;
    this.#isBusy = isBusy;
    clearInterval(this.#stallTimer);
    if (isBusy && !this.#isClosed && settings.requestsMax > 0) {
      this.throttle.waits++;
      this.#stallTimer = setInterval(() => this.#guard(() => this.#stalled()), settings.stallMs);
    }
    // What one held back may make the server busy again: the others then hear the newest.
    for (const connection of this.connections) connection.hostBusy(this.#isBusy);
  }

  /** A request may have gone without a commit. */
  #stalled(): void {
    this.throttle.waits++;
    this.#busyDecide();
  }

  #turnEndLater(): void {
    if (this.#isTurnEndDue || this.#isClosed) return;
    this.#isTurnEndDue = true;
    setImmediate(() => this.#guard(() => this.#turnEnd()));
  }

  #turnEnd(): void {
    this.#isTurnEndDue = false;
    if (this.#isClosed) return;
    // The log first: the disk then works while the sockets are written.
    this.replica.flush();
    const dirty = this.#dirty;
    this.#dirty = [];
    for (const connection of dirty) connection.flush();
  }

  /** Armed again after each step, so that time lost by a pause counts as one step. */
  #stepLater(): void {
    if (this.#isClosed) return;
    this.#stepTimer = setTimeout(() => {
      // Two turns: whatever clients sent before this moment is read first.
      setImmediate(() => setImmediate(() => this.#guard(() => this.#step())));
    }, this.#stepMs);
  }

  #step(): void {
    if (this.#isClosed) return;
    this.sessions.advance();
    const now = this.settings.clock.now();
    for (const path of this.#expiring?.due(now) ?? []) {
      this.replica.submit({ op: "expire", path }, itself, 0);
    }
    for (const warning of this.replica.tree.quotas.warningsTake()) {
      this.settings.logger.warn(warning, "coordinator quota exceeded");
    }
    const before = now - connectWithinMs;
    for (const connection of this.connections) {
      if (connection.state === "fresh" && connection.establishedMs < before) connection.close();
    }
    this.#turnEndLater();
    this.#stepLater();
  }

  #guard(work: () => void): void {
    try {
      work();
    } catch (thrown) {
      this.#fail(thrown instanceof Error ? thrown : new Error(messageOf(thrown)));
    }
  }

  #fail(error: Error): void {
    if (this.#isClosed) return;
    this.#stopServing();
    this.settings.fatal(error);
  }

  #stopServing(): void {
    this.#isClosed = true;
    clearTimeout(this.#stepTimer);
    clearTimeout(this.#readOnlyTimer);
    clearInterval(this.#stallTimer);
    this.#server.close();
    this.#secure?.close();
    this.#metrics?.close();
    this.#metrics?.closeAllConnections();
    for (const connection of this.connections) connection.close();
  }
}

function addressOf(server: Server): { readonly host: string; readonly port: number } | undefined {
  const address = server.address();
  if (address === null || typeof address === "string") return undefined;
  return { host: address.address, port: address.port };
}

/** A leader knows of its learners; a learner of its leader and itself. */
function synchronisedCount({
  isLeading,
  isServing,
  isEnsemble,
  quorum,
}: Replica<Connection>): number {
  if (isLeading) return 1 + quorum.learners.filter(({ isSynced }) => isSynced).length;
  return isServing && isEnsemble ? 2 : 1;
}

/** Who proposes what no client asked for. */
const itself = { sessionId: 0n, ids: [] };
