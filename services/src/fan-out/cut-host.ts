import { randomUUID } from "node:crypto";
import { deserialize, serialize } from "node:v8";
import type { PeerIdentity, PeerMessage, Peers } from "../../../cluster/src/peers/peers.ts";
import { readHead } from "../../../cluster/src/peers/read-head.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { Closable } from "../../../kit/src/lifecycle.ts";
import type { FragmentPool } from "../../../query/src/engine/pool.ts";
import type { PlanMessage } from "../../../query/src/plan/plan.ts";
import type { Deletion, Part } from "../../../query/src/source.ts";
import type { SealedPart } from "../../../storage/src/shard/sealed-parts.ts";
import type { OwnSource } from "../asking.ts";
import {
  answerPieceBytes,
  cutDeletionBytesMax,
  cutsMax,
  goneKeepMs,
  partDeletionBytesMax,
} from "./limits.ts";
import {
  fragmentSchema,
  methods,
  type OpenedMessage,
  type OpenedSealedMessage,
  openSchema,
  openSealedSchema,
  type RemotePart,
  releaseSchema,
  sealedPartsSchema,
} from "./messages.ts";

/** A cut that another node holds open here. */
interface HostedCut {
  readonly node: number;
  readonly parts: readonly Part[];
  /** By their ids: most cuts have one, a resumed tail several. */
  readonly plans: Map<string, PlanMessage>;
  readonly release: () => void;
  readonly timer: NodeJS.Timeout;
  /** Pieces that are evaluated: what they read stays until they are done. */
  running: number;
  isReleased: boolean;
}

/** What a plan may be told across nodes: everything but the memory that cancels it. */
export type PortablePlan = Omit<PlanMessage, "cancelled">;

/** Opens cuts of this node's shards for queries of other nodes, and evaluates their parts. */
export class CutHost implements Closable {
  readonly #source: OwnSource;
  readonly #pool: FragmentPool;
  readonly #cuts = new Map<string, HostedCut>();
  readonly #gone = new Map<number, NodeJS.Timeout>();
  readonly #stopLinks: () => void;

  constructor(peers: Peers, source: OwnSource, pool: FragmentPool) {
    this.#source = source;
    this.#pool = pool;
    peers.handle(methods.open, (from, { head }) => this.#open(from, head));
    peers.handle(methods.openSealed, (from, { head, bytes: [sent] }) =>
      this.#openSealed(from, head, sent),
    );
    peers.handle(methods.release, (from, { head }) => {
      this.#release(keyOf(from, readHead(releaseSchema, head).cut));
      return Promise.resolve({ head: {}, bytes: [] });
    });
    peers.handleStream(methods.fragment, (from, message, signal) =>
      this.#fragment(from, message, signal),
    );
    this.#stopLinks = peers.onLink((node, link) => this.#linked(node, link !== undefined));
  }

  /** Cuts that are open for others. */
  get size(): number {
    return this.#cuts.size;
  }

  close(): Promise<void> {
    this.#stopLinks();
    for (const timer of this.#gone.values()) clearTimeout(timer);
    for (const key of [...this.#cuts.keys()]) this.#release(key);
    return Promise.resolve();
  }

  async #open(from: PeerIdentity, head: unknown): Promise<PeerMessage> {
    const { cut, tenant, range, shards, leftMs } = readHead(openSchema, head);
    const key = this.#newKey(from, cut);
    const opened = await this.#source.openShards(tenant, range, new Set(shards));
    this.#hold(key, { node: from.nodeId, parts: opened.parts, leftMs }, () => opened.release());
    const answer: OpenedMessage = {
      parts: opened.parts.map((part) => this.#remotePart(part)),
      missing: opened.missing,
      elsewhere: opened.elsewhere,
      deletions: within(cutDeletionBytesMax, this.#source.deletions(tenant)),
    };
    return { head: {}, bytes: [serialize(answer)] };
  }

  async #openSealed(
    from: PeerIdentity,
    head: unknown,
    sent: Uint8Array | undefined,
  ): Promise<PeerMessage> {
    const { cut, leftMs } = readHead(openSealedSchema, head);
    const key = this.#newKey(from, cut);
    const asked = sent === undefined ? [] : (deserialize(sent) as readonly SealedPart[]);
    readHead(sealedPartsSchema, asked);
    const opened = this.#source.openSealed(asked);
    const parts = opened.filter((part) => part !== undefined);
    this.#hold(key, { node: from.nodeId, parts, leftMs }, () => undefined);
    const held = opened.flatMap((part, index) => (part === undefined ? [] : [index]));
    const answer: OpenedSealedMessage = { held };
    return { head: {}, bytes: [serialize(answer)] };
  }

  #newKey(from: PeerIdentity, cut: string): string {
    const key = keyOf(from, cut);
    if (this.#cuts.size >= cutsMax) {
      throw new ServiceError("query.busy", "too many cuts are open for other nodes", { cutsMax });
    }
    if (this.#cuts.has(key)) {
      throw new ServiceError("request.malformed", "this cut is open already", { cut });
    }
    return key;
  }

  #hold(
    key: string,
    { leftMs, ...cut }: Pick<HostedCut, "node" | "parts"> & { readonly leftMs: number },
    release: () => void,
  ): void {
    const timer = setTimeout(() => this.#release(key), leftMs).unref();
    const plans = new Map<string, PlanMessage>();
    this.#cuts.set(key, { ...cut, plans, timer, release, running: 0, isReleased: false });
  }

  #remotePart(part: Part): RemotePart {
    const { timeMin, timeMax, rows, bytes, internal } = part;
    const shard = this.#source.shardOf(part);
    const positionThrough = this.#source.positionThroughOf(part);
    const remote = { timeMin, timeMax, rows, bytes, internal, shard, positionThrough };
    const sealed = this.#source.sealedOf(part);
    if (sealed === undefined) return remote;
    const { file, fileBytes, uuid, class: name } = sealed;
    const deletions = within(partDeletionBytesMax, sealed.deletions);
    if (deletions === undefined) return remote;
    return { ...remote, sealed: { file, fileBytes, uuid, class: name, deletions } };
  }

  async *#fragment(
    from: PeerIdentity,
    { head, bytes: [sent] }: PeerMessage,
    signal: AbortSignal,
  ): AsyncGenerator<PeerMessage> {
    const asked = readHead(fragmentSchema, head);
    const key = keyOf(from, asked.cut);
    const cut = this.#cuts.get(key);
    const part = cut?.parts[asked.part];
    if (cut === undefined || part === undefined) {
      throw new ServiceError("query.timeout", "this cut is not open any more", { cut: asked.cut });
    }
    const plan = planOf(cut, asked.planId, sent);
    cut.running++;
    let answer: Buffer;
    try {
      answer = serialize(await this.#pool.run(plan, { ...asked.task, part }, signal));
    } finally {
      cut.running--;
      this.#freeIfDone(cut);
    }
    yield { head: { bytes: answer.length }, bytes: [] };
    for (let at = 0; at < answer.length; at += answerPieceBytes) {
      yield { head: {}, bytes: [answer.subarray(at, at + answerPieceBytes)] };
    }
  }

  #release(key: string): void {
    const cut = this.#cuts.get(key);
    if (cut === undefined) return;
    this.#cuts.delete(key);
    clearTimeout(cut.timer);
    cut.isReleased = true;
    for (const { cancelled } of cut.plans.values()) {
      Atomics.store(new Int32Array(cancelled), 0, 1);
    }
    this.#freeIfDone(cut);
  }

  #freeIfDone(cut: HostedCut): void {
    if (cut.isReleased && cut.running === 0) cut.release();
  }

  /** A node that does not come back has no query that would release its cuts. */
  #linked(node: number, isThere: boolean): void {
    clearTimeout(this.#gone.get(node));
    this.#gone.delete(node);
    if (isThere) return;
    const timer = setTimeout(() => {
      this.#gone.delete(node);
      for (const [key, cut] of this.#cuts) if (cut.node === node) this.#release(key);
    }, goneKeepMs);
    this.#gone.set(node, timer.unref());
  }
}

/** Cuts are named by who asked for them, so that no other process reaches them. */
function keyOf({ nodeId, incarnation }: PeerIdentity, cut: string): string {
  return `${nodeId}/${incarnation}/${cut}`;
}

/** Undefined when they are too many to be told. */
function within(
  bytesMax: number,
  deletions: readonly Deletion[] | undefined,
): readonly Deletion[] | undefined {
  const bytes = deletions?.reduce((sum, { id, filter }) => sum + id.length + filter.length + 64, 0);
  return bytes !== undefined && bytes <= bytesMax ? deletions : undefined;
}

function planOf(cut: HostedCut, id: string, sent: Uint8Array | undefined): PlanMessage {
  const known = cut.plans.get(id);
  if (known !== undefined) return known;
  if (sent === undefined) throw new ServiceError("request.malformed", "a plan was not sent");
  const portable = deserialize(sent) as PortablePlan;
  // Threads know a plan by its id, and so by what cancels it: that of another cut may have been let go of by now.
  const plan = { ...portable, id: randomUUID(), cancelled: new SharedArrayBuffer(4) };
  cut.plans.set(id, plan);
  return plan;
}
