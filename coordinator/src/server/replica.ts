import { assert } from "../../../kit/src/assert.ts";
import { messageOf } from "../../../kit/src/errors.ts";
import type { Packing } from "../core/applied-txns.ts";
import type { Input } from "../core/effects.ts";
import type { LinkId } from "../core/messages.ts";
import { type Effects, Peer, type Role } from "../core/peer.ts";
import type { Proposal } from "../core/proposals.ts";
import { zxidOf, zxidText } from "../core/zxid.ts";
import { epochWrite } from "../log/epoch-files.ts";
import { type Recovered, recover } from "../log/recovery.ts";
import { SnapshotSpool } from "../log/spool.ts";
import { TxnLog } from "../log/txn-log.ts";
import { ensembleParse, reconfigText } from "../quorum/ensembles.ts";
import { type Membership, membershipText } from "../quorum/members.ts";
import type {
  ForwardedRequest,
  ImageSink,
  QuorumEvents,
  QuorumMessage,
  QuorumNetwork,
} from "../quorum/ports.ts";
import { WireImage } from "../tree/image.ts";
import type { LeaderSessions } from "../tree/leader-sessions.ts";
import { type Caller, Preparer, type WriteRequest } from "../tree/prepare.ts";
import type { Outcome, Tree } from "../tree/tree.ts";
import { sumText } from "../tree/tree-digest.ts";
import { type ErrorNumber, errorNumbers, opCodes } from "../wire/constants.ts";
import type { ReconfigRequest } from "../wire/records.ts";
import { TxnBytes } from "../wire/txn-bytes.ts";
import { BufferSizes } from "./buffer-sizes.ts";
import { entryOverheadBytes, handOverMs, imageBytesMax } from "./limits.ts";
import { Memberships } from "./memberships.ts";
import { PreparedTxns } from "./prepared-txns.ts";
import type { QuorumView, ReplicaEvents, ReplicaOptions } from "./replica-options.ts";
import { SnapshotKeeper } from "./snapshot-keeper.ts";

type CoreInput = Input<TxnBytes, ForwardedRequest>;

/**
 * This member's copy of the state: it performs what the core decides on its log, its tree and its network.
 * `W` is a watcher of the tree.
 */
export class Replica<W extends object> {
  /** Of snapshots and epochs. */
  readonly directory: string;
  readonly logDirectory: string;
  /** Of txns that this leader has proposed. */
  readonly proposalSizes = new BufferSizes();
  readonly #options: ReplicaOptions;
  readonly #events: ReplicaEvents;
  readonly #peer: Peer<TxnBytes, ForwardedRequest>;
  readonly #log: TxnLog;
  readonly #network: QuorumNetwork | undefined;
  readonly #memberships: Memberships | undefined;
  readonly #snapshots: SnapshotKeeper<W>;
  readonly #inputs: CoreInput[] = [];
  #tree: Tree<W>;
  #preparer: Preparer<W> | undefined;
  #role: Role = { kind: "looking" };
  #isStepping = false;
  #isFlushDue = false;
  #isClosed = false;
  /** Prepared this turn, and proposed at its end. */
  readonly #prepared = new PreparedTxns();
  #zxidLogged: number;
  #isAppended = false;
  #spool: SnapshotSpool | undefined;
  #ticker: NodeJS.Timeout | undefined;
  #stopped: (() => void) | undefined;

  /** Recovers what the directory holds. Throws `storage.damaged` when that is not whole. */
  constructor(options: ReplicaOptions, events: ReplicaEvents) {
    this.#options = options;
    this.#events = events;
    const { ensemble, serverId, logger } = options;
    const from = performance.now();
    const recentMax = ensemble === undefined ? 0 : options.commitLogCount;
    const recovered = this.#recover(recentMax);
    this.#tree = recovered.tree;
    this.directory = recovered.directory;
    this.logDirectory = recovered.logDirectory;
    this.#zxidLogged = recovered.history.zxidLast;
    const { replayed, tornBytes } = recovered;
    const directories = { snapshots: this.directory, logs: this.logDirectory };
    this.#snapshots = new SnapshotKeeper(directories, options, replayed, (zxid) =>
      this.#input({ kind: "snapshotTaken", zxid }),
    );
    const kept = { recentMax, sizeOf, packing };
    if (ensemble === undefined) {
      this.#peer = new Peer(serverId, [serverId], recovered.history, kept);
    } else {
      const memberships = new Memberships(this.directory, { ...ensemble, serverId });
      const { active, seen } = memberships.ensembles;
      const { timing, reconfigEnabled } = ensemble;
      const recent = recovered.history.recent.map((proposal) => {
        const text = reconfigEnabled ? reconfigText(proposal.body) : undefined;
        return text === undefined ? proposal : { ...proposal, ensemble: ensembleParse(text) };
      });
      const history = { ...recovered.history, recent, ...(seen && { ensembleSeen: seen }) };
      this.#peer = new Peer(serverId, active, history, { ...kept, timing, reconfigEnabled });
      this.#memberships = memberships;
      this.#network = ensemble.network(() => memberships.reachable, this.#quorumEvents());
      this.#configShow();
    }
    const logEvents = {
      onDurable: (zxid: number) => this.#input({ kind: "written", zxid }),
      onFailed: (error: Error) => events.onFailed(error),
    };
    this.#log = new TxnLog(this.logDirectory, logEvents, this.directory);
    for (const { message, fields } of recovered.warnings) logger.warn(fields, message);
    const zxid = zxidText(this.#tree.zxidLast);
    const durationMs = Math.round(performance.now() - from);
    logger.info({ zxid, replayed, tornBytes, durationMs }, "coordinator state recovered");
    this.#digestTell();
  }

  /** Another one after the log was cut or replaced, which only happens while nobody is served. */
  get tree(): Tree<W> {
    return this.#tree;
  }

  get role(): Role {
    return this.#role;
  }

  /** What the core tells of its leader and of its learners. */
  get quorum(): QuorumView {
    return this.#peer;
  }

  /** The ensemble that is in force, as far as this member knows; undefined when it is alone. */
  get membership(): Membership | undefined {
    return this.#memberships?.active;
  }

  get isEnsemble(): boolean {
    return this.#network !== undefined;
  }

  get isLeading(): boolean {
    return this.#role.kind === "leading";
  }

  /** Whether clients are served: as the leader, or as a learner that is up to date. */
  get isServing(): boolean {
    return this.#role.kind !== "looking" && this.#role.kind !== "stopped";
  }

  /** Proposals of this leader that are not committed. */
  get uncommitted(): number {
    return this.#peer.uncommitted + this.#prepared.count;
  }

  get uncommittedBytes(): number {
    return this.#peer.uncommittedBytes + this.#prepared.bytes;
  }

  get outstandingChanges(): number {
    return this.#preparer?.outstanding ?? 0;
  }

  /** The last txn of this member's log, committed or not, and prepared ones. */
  get zxidLogged(): number {
    return this.#zxidLogged + this.#prepared.count;
  }

  get syncStats(): TxnLog["syncStats"] {
    return this.#log.syncStats;
  }

  /** What a leader knows of who speaks for which session; undefined when it does not lead. */
  get leaderSessions(): LeaderSessions | undefined {
    return this.#preparer?.sessions;
  }

  /** Takes part from now on; an ensemble of one leads before this resolves. */
  async start(): Promise<void> {
    await this.#network?.listen();
    this.#input({ kind: "start" });
    const { ensemble } = this.#options;
    if (ensemble === undefined) return;
    this.#ticker = setInterval(() => this.#input({ kind: "tick" }), ensemble.tickMs);
  }

  /**
   * Prepares a request on the leader; it is proposed by the next `flush` and answered by `onApplied`. False when
   * this member does not lead, or is handing over: what became of it nobody will hear.
   */
  submit(request: WriteRequest, caller: Caller, cxid: number): boolean {
    const first = this.#peer.zxidNext;
    if (first === undefined || this.#preparer === undefined) return false;
    const zxid = first + this.#prepared.count;
    const timeMs = this.#options.clock.now();
    const { txn, digest } = this.#preparer.prepare(request, caller, { zxid, timeMs });
    const header = {
      sessionId: caller.sessionId,
      cxid,
      zxid,
      timeMs,
      type: opCodes[txn.type],
    };
    this.#prepared.add({ header, txn, digest });
    return true;
  }

  /** What a request to change the ensemble would make of it, or why it is refused. */
  reconfigPlan(request: ReconfigRequest): (zxid: number) => string | ErrorNumber {
    const memberships = this.#memberships;
    if (memberships === undefined) return () => errorNumbers.RECONFIGDISABLED;
    return memberships.plan(request, {
      isInProgress: this.#peer.isEnsembleChanging || this.#prepared.hasReconfig,
      hasSynced: (voters) => this.#peer.hasSynced(voters),
    });
  }

  /** What a learner's clients, or the host of a leader, ask of the core. What is sent for it leaves with the next `flush`. */
  ask(
    input: CoreInput & {
      readonly kind: "request" | "touch" | "revalidate" | "revalidated" | "sync";
    },
  ): void {
    this.#inputs.push(input);
    this.#step();
  }

  /** Proposes, sends and writes what came this turn: the followers first, so that their disks work beside this one's. */
  flush(): void {
    for (const input of this.#proposals()) this.#input(input);
    this.#network?.flush();
    this.#log.flush();
  }

  /** Hands over, writes what was proposed, and closes. */
  async close(): Promise<void> {
    await this.#handOver();
    this.#isClosed = true;
    clearInterval(this.#ticker);
    await this.#snapshots.abandon();
    await this.#network?.end();
    this.#spool?.abandon();
    await this.#log.close();
  }

  /** A leader commits what it has proposed and says good-bye, so that the others need not wait to miss it. */
  async #handOver(): Promise<void> {
    if (this.#network === undefined || this.#isClosed || this.#role.kind === "stopped") return;
    await new Promise<void>((resolve) => {
      const late = setTimeout(resolve, handOverMs);
      this.#stopped = () => {
        clearTimeout(late);
        resolve();
      };
      this.flush();
      this.#input({ kind: "resign", next: "stop" });
    });
  }

  #quorumEvents(): QuorumEvents {
    return {
      notified: (from, notification) => this.#input({ kind: "notification", from, notification }),
      linkUp: (link, opened) => this.#input({ kind: "linkUp", link, opened }),
      linkDown: (link) => this.#input({ kind: "linkDown", link }),
      linkRefused: () => this.#input({ kind: "linkRefused" }),
      messages: (link, messages) => this.#messages(link, messages),
      imageBegin: (_link, zxid) => this.#imageBegin(zxid),
      failed: (error) => this.#events.onFailed(error),
    };
  }

  #messages(link: LinkId, messages: readonly QuorumMessage[]): void {
    for (const message of messages) this.#inputs.push({ kind: "message", link, message });
    this.#run();
  }

  #imageBegin(zxid: number): ImageSink {
    this.#spool?.abandon();
    this.#spool = new SnapshotSpool(this.directory, zxid, { bytesMax: imageBytesMax });
    return this.#spool;
  }

  #proposals(): readonly CoreInput[] {
    const proposals = this.#prepared.take();
    for (const proposed of proposals) {
      const bodies = "bodies" in proposed ? proposed.bodies : [proposed.body];
      for (const { bytes } of bodies) this.proposalSizes.add(bytes.length);
    }
    return proposals;
  }

  #input(input: CoreInput): void {
    this.#inputs.push(input);
    this.#run();
  }

  /** Steps. A learner's disk begins at once; what is sent leaves at the end of the turn, in one write a link. */
  #run(): void {
    this.#step();
    if (this.#isStepping) return;
    if (this.#isAppended && !this.isLeading) this.#log.flush();
    this.#isAppended = false;
    if (this.#network !== undefined) this.#flushLater();
  }

  #flushLater(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    setImmediate(() => {
      this.#isFlushDue = false;
      if (!this.#isClosed) this.flush();
    });
  }

  /** Steps through what has come, one after the other, whoever brings more meanwhile. */
  #step(): void {
    if (this.#isStepping || this.#isClosed) return;
    this.#isStepping = true;
    try {
      for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) {
        // A learner's sync stands behind the writes that it forwarded before.
        if (isSyncAsked(next)) {
          for (const input of this.#proposals()) this.#perform(this.#peer.step(input));
        }
        this.#perform(this.#peer.step(next));
        this.#events.onStepped(this.#peer.zabState);
      }
    } catch (thrown) {
      this.#events.onFailed(thrown instanceof Error ? thrown : new Error(messageOf(thrown)));
    } finally {
      this.#isStepping = false;
    }
  }

  #perform(effects: Effects<TxnBytes, ForwardedRequest>): void {
    const { ensembles, truncate, install, append, epochWrite: wanted, load, commit } = effects;
    if (ensembles !== undefined) {
      this.#memberships?.change(ensembles);
      this.#configShow();
    }
    if (truncate !== undefined) this.#truncate(truncate);
    if (install !== undefined) this.#install(install);
    for (const { zxid, body } of append) {
      this.#log.append(zxid, body.bytes);
      this.#zxidLogged = zxid;
    }
    if (append.length > 0) this.#isAppended = true;
    if (wanted !== undefined) {
      epochWrite(this.directory, wanted.file, wanted.epoch);
      this.#inputs.push({ kind: "epochWritten", ...wanted });
    }
    for (const { zxid, body } of load) this.#applyOnly(zxid, body);
    for (const proposal of commit) this.#apply(proposal);
    if (commit.length > 0) this.#committed();
    this.#performOutside(effects);
    if (effects.role !== undefined) this.#roleChange(effects.role);
  }

  /** Links and other members. */
  #performOutside(effects: Effects<TxnBytes, ForwardedRequest>): void {
    const network = this.#network;
    if (network !== undefined) {
      for (const { to, notification } of effects.notify) network.notify(to, notification);
      for (const { to, message } of effects.send) this.#send(network, to, message);
      for (const link of effects.close) network.close(link);
      if (effects.connect !== undefined) network.connect(effects.connect);
    }
    for (const event of effects.events) this.#events.onEvent(event);
  }

  #send(network: QuorumNetwork, to: LinkId, message: QuorumMessage): void {
    if (message.kind !== "snap") network.send(to, message);
    else network.sendImage(to, message.zxid, new WireImage(this.#tree));
  }

  #applyOnly(zxid: number, body: TxnBytes): Outcome {
    const { header, txn, digest } = body.entry;
    const { sessionId, timeMs } = header;
    return this.#tree.apply({ sessionId, zxid, timeMs }, txn, digest);
  }

  #apply({ zxid, body }: Proposal<TxnBytes>): void {
    const { entry } = body;
    const outcome = this.#applyOnly(zxid, body);
    this.#preparer?.applied(zxid, entry.txn, entry.header.sessionId);
    body.forget();
    this.#snapshots.applied();
    this.#events.onApplied(zxid, entry, outcome);
  }

  #committed(): void {
    this.#events.onCommitEnd();
    this.#digestTell();
    if (!this.isServing || !this.#snapshots.isDue) return;
    this.#log.roll();
    void this.#snapshots.begin(this.#tree);
  }

  /** Takes a snapshot now. Resolves with its zxid once it is on disk; undefined when it failed, or the tree was replaced. */
  async snapshotTake(): Promise<number | undefined> {
    await this.#snapshots.idle();
    if (this.#isClosed || !this.isServing) return undefined;
    this.#log.roll();
    return this.#snapshots.begin(this.#tree);
  }

  #configShow(): void {
    const active = this.#memberships?.active;
    if (active !== undefined) this.#tree.configShow(membershipText(active), active.version);
  }

  #digestTell(): void {
    const untold = this.#tree.digests.untold();
    if (untold === undefined) return;
    const fields = { zxid: zxidText(untold.zxid), count: this.#tree.digests.mismatches };
    const digests = { expected: sumText(untold.expected), actual: sumText(untold.actual) };
    const message = "the tree's digest is not the one that a txn or snapshot says";
    this.#options.logger.error({ ...fields, ...digests }, message);
  }

  #recover(recentMax: number): Recovered<W> {
    const { dataDir, dataLogDir, digests } = this.#options;
    return recover<W>(dataDir, { dataLogDir, digests, recentMax });
  }

  #truncate(zxid: number): void {
    this.#replace({ kind: "truncated", zxid }, () => this.#log.truncate(zxid));
  }

  #install(zxid: number): void {
    const spool = this.#spool;
    this.#spool = undefined;
    assert(spool?.zxid === zxid, "a snapshot is installed once it has come");
    this.#replace({ kind: "installed", zxid }, () => this.#log.replaceWith(spool));
  }

  /** The disk gets another history: the tree is made of it again, before the core goes on. */
  #replace(
    done: CoreInput & { readonly kind: "truncated" | "installed" },
    change: () => Promise<void>,
  ): void {
    this.#snapshots
      .abandon()
      .then(change)
      .then(() => {
        this.#zxidLogged = done.zxid;
        const isSame = done.kind === "truncated" && this.#tree.zxidLast <= done.zxid;
        if (!isSame) {
          this.#tree = this.#recover(0).tree;
          this.#configShow();
        }
        this.#input(done);
      })
      .catch((thrown: unknown) => {
        this.#events.onFailed(thrown instanceof Error ? thrown : new Error(messageOf(thrown)));
      });
  }

  #roleChange(role: Role): void {
    const { logger } = this.#options;
    const before = this.#role.kind;
    this.#role = role;
    this.#preparer = undefined;
    this.#prepared.clear();
    if (role.kind === "leading") {
      this.#preparer = new Preparer(this.#tree, this.#options);
      this.proposalSizes.reset();
      this.#tree.zxidLast = zxidOf(role.epoch, 0);
      logger.info({ epoch: role.epoch }, "coordinator leads");
    } else if (role.kind === "following" || role.kind === "observing") {
      this.#tree.zxidLast = Math.max(this.#tree.zxidLast, zxidOf(role.epoch, 0));
      const { kind, epoch, leader } = role;
      logger.info({ epoch, leader, observes: kind === "observing" }, "coordinator follows");
    } else if (before !== "looking") logger.info({}, "coordinator looks for a leader");
    this.#events.onRole(role);
    if (role.kind === "stopped") this.#stopped?.();
  }
}

function sizeOf({ bytes }: TxnBytes): number {
  return bytes.length + entryOverheadBytes;
}

/** An applied txn is kept for learners that are behind, as bytes. */
const packing: Packing<TxnBytes> = {
  bytesOf: ({ bytes }) => bytes,
  bodyOf: ({ buffer, byteOffset, length }) => new TxnBytes(Buffer.from(buffer, byteOffset, length)),
};

function isSyncAsked(input: CoreInput): boolean {
  return input.kind === "message" && input.message.kind === "sync";
}
