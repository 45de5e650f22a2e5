import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../../kit/src/clock.ts";
import { silentLogger } from "../../../kit/src/logger.ts";
import { segmentFileReader } from "../../src/replication/segment-files.ts";
import type { SegmentFilePart, SegmentSource } from "../../src/replication/segment-source.ts";
import type { AppendPart, AppendResult } from "../../src/shard/append.ts";
import { ArenaOwner, ArenaWriter } from "../../src/shard/arena.ts";
import {
  type DataDirectory,
  openDataDirectory,
  storePaths,
} from "../../src/shard/data-directory.ts";
import { slabBytes } from "../../src/shard/limits.ts";
import { openStore, type Store } from "../../src/shard/store.ts";
import type { StoreOptions } from "../../src/shard/store-options.ts";
import { PlainSegments } from "../shard/plain-segments.ts";
import { type PartOptions, readCut, writePart } from "../shard/rig.ts";
import { type MemoryLinks, MemoryNet } from "./memory-links.ts";
import { type CoordinatorSession, SharedCoordinator } from "./shared-coordinator.ts";

const shardCount = 1;

/** Nodes of one process, with a store each, over links and a coordinator in memory. */
export class Nodes {
  readonly coordinator = new SharedCoordinator();
  readonly net = new MemoryNet();
  /** Of nodes that are started from then on; see `ReplicationPorts`. */
  slowSyncMs = 0;
  readonly #directory: string;
  readonly #nodes = new Map<number, Node>();
  readonly #data = new Map<number, DataDirectory>();
  #incarnation = 0;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Makes disks, and shards whose set all of them are. */
  async found(ids: readonly number[]): Promise<void> {
    for (const id of ids) await this.#hold(id);
    this.coordinator.members = ids.map((id) => this.replica(id));
  }

  replica(id: number): string {
    return `${id}/${this.#data.get(id)!.diskId}`;
  }

  async start(id: number, over: Partial<StoreOptions> = {}): Promise<Node> {
    const data = await this.#hold(id);
    const member = `${id}/${data.diskId}`;
    const session = this.coordinator.session(`${member}/${++this.#incarnation}`);
    const links = this.net.join(member);
    const arena = new ArenaOwner(16 * slabBytes);
    const store = await openStore({
      ...{ data, member, arena, manifest: session, ownership: session, shardCount },
      ...{ work: new PlainSegments(arena), clock: systemClock, logger: silentLogger },
      ...{ logFileBytes: 256 * 1024, logBytesMax: 16 * 1024 * 1024 },
      replication: {
        ...{ ownership: session, links, source: this.#source() },
        slowSyncMs: this.slowSyncMs,
      },
      segments: { replacedKeepMs: 100 },
      ...over,
    });
    const node = new Node({ id, member, store, arena, session, links });
    this.#nodes.set(id, node);
    return node;
  }

  /** Ends a node in good order. */
  async close(id: number): Promise<void> {
    const node = this.#nodes.get(id);
    if (node === undefined) return;
    this.#nodes.delete(id);
    await node.store.close();
    this.net.leave(node.member);
    this.coordinator.expire(node.session, false);
    this.#data.get(id)!.release();
    this.#data.delete(id);
  }

  /** A node that nobody hears any more; its process knows of nothing. */
  isolate({ member, session }: Node): void {
    this.net.leave(member);
    this.coordinator.expire(session, false);
  }

  /** How many files that the manifest names are not whole at a node. */
  filesMissing(id: number): number {
    const directory = storePaths(this.#data.get(id)!, shardCount).shard(0);
    const { checkpoint, segments } = this.coordinator.node(0).manifest;
    const sizeOf = (file: string): number | undefined =>
      statSync(join(directory, file), { throwIfNoEntry: false })?.size;
    const missing = segments.filter(({ file, bytes }) => sizeOf(file) !== bytes).length;
    return missing + (checkpoint === undefined || sizeOf(checkpoint) !== undefined ? 0 : 1);
  }

  /** Names of the files that a node has of the shard. */
  files(id: number): readonly string[] {
    return readdirSync(storePaths(this.#data.get(id)!, shardCount).shard(0));
  }

  async closeAll(): Promise<void> {
    for (const id of [...this.#nodes.keys()]) await this.close(id);
    for (const data of this.#data.values()) data.release();
  }

  async #hold(id: number): Promise<DataDirectory> {
    const held = this.#data.get(id) ?? (await openDataDirectory(join(this.#directory, `${id}`)));
    this.#data.set(id, held);
    return held;
  }

  #source(): SegmentSource {
    return {
      read: async (replica: string, part: SegmentFilePart) => {
        if (this.net.end(replica) === undefined) throw new Error("no such node now");
        const id = Number(replica.split("/", 1)[0]);
        return segmentFileReader(storePaths(this.#data.get(id)!, shardCount).shard)(part);
      },
    };
  }
}

/** One of them. */
export class Node {
  readonly id: number;
  readonly member: string;
  readonly store: Store;
  readonly session: CoordinatorSession;
  readonly links: MemoryLinks;
  readonly #arena: ArenaOwner;
  readonly #writer: ArenaWriter;

  constructor(parts: {
    readonly id: number;
    readonly member: string;
    readonly store: Store;
    readonly arena: ArenaOwner;
    readonly session: CoordinatorSession;
    readonly links: MemoryLinks;
  }) {
    this.id = parts.id;
    this.member = parts.member;
    this.store = parts.store;
    this.session = parts.session;
    this.links = parts.links;
    this.#arena = parts.arena;
    this.#writer = new ArenaWriter(parts.arena.buffers, 0);
  }

  async append(records: readonly string[], over: Partial<PartOptions> = {}): Promise<AppendResult> {
    const part: AppendPart = writePart(this.#writer, records, systemClock, over);
    const results = this.store.append([part]);
    this.#arena.closed(this.#writer.takeClosed());
    return (await results)[0]!;
  }

  /** Records in a cut that this node opened; undefined when it may not. */
  async read(): Promise<string[] | undefined> {
    const cut = await this.store.cut("default", always);
    try {
      return cut.missing.length > 0 ? undefined : readCut(cut, this.#arena);
    } finally {
      cut.release();
    }
  }

  get shard(): ReturnType<Store["status"]>["shards"][number] {
    return this.store.status().shards[0]!;
  }

  get isServing(): boolean {
    return this.shard.state === "serving";
  }
}

const always = {
  from: { ms: Number.NEGATIVE_INFINITY, ns: 0 },
  to: { ms: Number.POSITIVE_INFINITY, ns: 0 },
};

/** Waits until something holds; generous, since machines are loaded. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`it never came to be: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
