import { createReadStream } from "node:fs";
import { deserialize, serialize } from "node:v8";
import { z } from "zod";
import type { PeerMessage, Peers } from "../../../cluster/src/peers/peers.ts";
import { readHead } from "../../../cluster/src/peers/read-head.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { BackupFile, ShardBackup } from "../../../storage/src/shard/backup-cut.ts";
import type { Store } from "../../../storage/src/shard/store.ts";
import type { ShardOwners } from "../fan-out/cluster-source.ts";
import { cutCallMs, keepEveryMs, readBytes } from "./limits.ts";

const methods = {
  cut: "backup.cut",
  keep: "backup.keep",
  release: "backup.release",
  /** A stream of a file's bytes. */
  file: "backup.file",
} as const;

const cutSchema = z.object({
  id: z.string().max(64),
  shards: z.array(z.int().nonnegative()).max(65_536),
});
const idSchema = z.object({ id: z.string().max(64) });
const fileSchema = z.object({ id: z.string().max(64), name: z.string().max(300) });

/** A file of a cut, wherever it lies. */
export interface CutFile {
  /** `shard/name`. */
  readonly name: string;
  readonly bytes: number;
  /** Once through, exactly so many bytes; ends early where the file is shorter than it should be. */
  read(): AsyncIterable<Uint8Array>;
}

/** Of all shards at their owners, each as of one moment after the call. */
export interface ClusterCut {
  readonly shards: readonly Omit<ShardBackup, "files">[];
  readonly files: readonly CutFile[];
  readonly missing: readonly string[];
  /** Says that it is still wanted; to be called now and then. */
  keep(): void;
  release(): void;
}

/** What one node has cut, as it is told to another. */
interface NodeCut {
  readonly shards: readonly (Omit<ShardBackup, "files"> & {
    readonly files: readonly Pick<BackupFile, "name" | "bytes">[];
  })[];
  readonly missing: readonly string[];
}

export interface CutsDeps {
  readonly store: Store;
  /** Undefined where this node is all there is. */
  readonly nodes: { readonly peers: Peers; readonly owners: ShardOwners } | undefined;
  /** Holds a cut that another node asked for, until it is released or nobody keeps it any more. */
  readonly host: CutHolder;
}

/** Where cuts of other nodes are held. */
export interface CutHolder {
  hold(id: string, shards: ReadonlySet<number>): Promise<NodeCut>;
  keep(id: string): void;
  release(id: string): void;
  /** Throws `request.not-found`. */
  file(id: string, name: string): CutFile & { readonly done: () => void };
}

/** Takes cuts of the shards of all nodes, and lets other nodes take cuts of this node's. */
export class Cuts {
  readonly #deps: CutsDeps;

  constructor(deps: CutsDeps) {
    this.#deps = deps;
    const { nodes, host } = deps;
    if (nodes === undefined) return;
    const { peers } = nodes;
    peers.handle(methods.cut, async (_, { head }) => {
      const { id, shards } = readHead(cutSchema, head);
      return { head: {}, bytes: [serialize(await host.hold(id, new Set(shards)))] };
    });
    peers.handle(methods.keep, (_, { head }) => {
      host.keep(readHead(idSchema, head).id);
      return Promise.resolve(nothing);
    });
    peers.handle(methods.release, (_, { head }) => {
      host.release(readHead(idSchema, head).id);
      return Promise.resolve(nothing);
    });
    peers.handleStream(methods.file, async function* (_, { head }) {
      const { id, name } = readHead(fileSchema, head);
      const file = host.file(id, name);
      try {
        for await (const bytes of file.read()) yield { head: {}, bytes: [bytes] };
      } finally {
        file.done();
      }
    });
  }

  /** Rejects with `ingest.unavailable` for a shard without an owner, and as `Store.backupCut`. */
  async take(id: string): Promise<ClusterCut> {
    const { store, nodes } = this.#deps;
    if (nodes === undefined) return ownCut(await store.backupCut(id));
    const { peers, owners } = nodes;
    const all = Array.from({ length: owners.shardCount }, (_, shard) => shard);
    const byNode = Map.groupBy(all, (shard) => owners.nodeOf(shard));
    const [orphan] = byNode.get(undefined) ?? [];
    if (orphan !== undefined) {
      throw new ServiceError("ingest.unavailable", "a shard has no owner now", { shard: orphan });
    }
    const settled = await Promise.allSettled(
      [...byNode].map(async ([node, shards]) =>
        node === peers.self.nodeId
          ? ownCut(await store.backupCut(id, new Set(shards)))
          : remoteCut(peers, node as number, id, shards),
      ),
    );
    const cuts = settled.filter((one) => one.status === "fulfilled").map(({ value }) => value);
    const failed = settled.find((one) => one.status === "rejected");
    if (failed === undefined) return joined(cuts);
    for (const cut of cuts) cut.release();
    throw failed.reason;
  }
}

const nothing: PeerMessage = { head: {}, bytes: [] };

/** A cut of this node's own shards. */
export function ownCut({
  shards,
  missing,
  release,
}: Awaited<ReturnType<Store["backupCut"]>>): ClusterCut {
  const files = shards.flatMap(({ shard, files: own }) =>
    own.map(({ name, path, bytes }) => {
      // At most so much, should the file be longer than the manifest says.
      const read = (): AsyncIterable<Uint8Array> =>
        createReadStream(path, { end: Math.max(0, bytes - 1), highWaterMark: readBytes });
      return { name: `${shard}/${name}`, bytes, read: bytes === 0 ? empty : read };
    }),
  );
  return { shards, files, missing, keep: () => undefined, release };
}

async function remoteCut(
  peers: Peers,
  node: number,
  id: string,
  shards: readonly number[],
): Promise<ClusterCut> {
  const tell = (method: string): void => {
    // Where it is not heard, the cut goes when nobody has kept it for a while.
    peers
      .call(node, method, { head: { id }, bytes: [] }, { timeoutMs: keepEveryMs })
      .catch(() => undefined);
  };
  let cut: NodeCut;
  try {
    const question = { head: { id, shards: [...shards] }, bytes: [] };
    const { bytes } = await peers.call(node, methods.cut, question, { timeoutMs: cutCallMs });
    cut = deserialize(bytes[0] ?? Buffer.alloc(0)) as NodeCut;
  } catch (thrown) {
    tell(methods.release);
    throw thrown;
  }
  const files = cut.shards.flatMap(({ shard, files: own }) =>
    own.map(({ name: file, bytes }): CutFile => {
      const name = `${shard}/${file}`;
      return { name, bytes, read: () => remoteFile(peers, node, { id, name }) };
    }),
  );
  const { missing } = cut;
  return {
    ...{ shards: cut.shards, files, missing },
    keep: () => tell(methods.keep),
    release: () => tell(methods.release),
  };
}

async function* remoteFile(
  peers: Peers,
  node: number,
  head: z.infer<typeof fileSchema>,
): AsyncGenerator<Uint8Array> {
  for await (const { bytes } of peers.stream(node, methods.file, { head, bytes: [] }, {})) {
    yield* bytes;
  }
}

function joined(cuts: readonly ClusterCut[]): ClusterCut {
  return {
    shards: cuts.flatMap(({ shards }) => shards).toSorted((a, b) => a.shard - b.shard),
    files: cuts.flatMap(({ files }) => files),
    missing: cuts.flatMap(({ missing }) => missing),
    keep() {
      for (const cut of cuts) cut.keep();
    },
    release() {
      for (const cut of cuts) cut.release();
    },
  };
}

async function* empty(): AsyncGenerator<Uint8Array> {}
