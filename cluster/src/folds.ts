import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import type { ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import { isZooKeeperError } from "../../coordinator/src/client/errors.ts";
import { steps } from "../../coordinator/src/client/multi.ts";
import { childPath } from "../../coordinator/src/client/paths.ts";
import type { Acl } from "../../coordinator/src/wire/records.ts";
import { assert } from "../../kit/src/assert.ts";
import { messageOf, ServiceError } from "../../kit/src/errors.ts";
import type { SegmentEntry } from "../../storage/src/shard/manifest.ts";
import { foldPieceBytesMax, foldRawBytesMax, znodeBytesMax } from "./limits.ts";
import { paths } from "./paths.ts";
import { decodeZnode, segmentSchema } from "./znode-data.ts";

/** Pieces that are written, read or deleted at a time. */
const piecesInFlight = 16;

/**
 * Folded manifest entries, where every node finds them: below `/logkeep/folds/<shard>`, each fold a few znodes of compressed lines, an
 * entry a line, named `<fold>.<piece>.<pieces>`. They never change; which of them counts is said by `/logkeep/segments/<shard>`.
 */
export class ZnodeFolds {
  readonly #client: ZooKeeperClient;
  readonly #acl: readonly Acl[];

  constructor(client: ZooKeeperClient, acl: readonly Acl[]) {
    this.#client = client;
    this.#acl = acl;
  }

  /** All of it is there when it resolves. `name` is new. Rejects as the coordinator does. */
  async write(shard: number, name: string, entries: readonly SegmentEntry[]): Promise<void> {
    for (const path of [paths.folds, paths.shardFolds(shard)]) await this.#create(path, null);
    const pieces = piecesOf(entries.map((entry) => `${JSON.stringify(entry)}\n`));
    const directory = paths.shardFolds(shard);
    for (let at = 0; at < pieces.length; at += piecesInFlight) {
      await Promise.all(
        pieces.slice(at, at + piecesInFlight).map((piece, index) => {
          const path = childPath(directory, `${name}.${at + index}.${pieces.length}`);
          return this.#create(path, piece);
        }),
      );
    }
  }

  /** Undefined when there is none of that name, or not all of it. Rejects with `storage.damaged` for what cannot be read, and as the coordinator does. */
  async read(shard: number, name: string): Promise<readonly SegmentEntry[] | undefined> {
    const found = (await this.#list(shard)).filter((piece) => piece.fold === name);
    const [first] = found;
    if (first === undefined || found.length < first.pieces) return undefined;
    found.sort((a, b) => a.piece - b.piece);
    const entries: SegmentEntry[] = [];
    for (let at = 0; at < found.length; at += piecesInFlight) {
      const some = found.slice(at, at + piecesInFlight);
      const read = await Promise.all(some.map(({ path }) => this.#get(path)));
      for (const [index, data] of read.entries()) {
        if (data === undefined) return undefined;
        entries.push(...decodePiece(some[index]!.path, data));
      }
    }
    return entries;
  }

  /**
   * Removes every other fold of the shard while `/logkeep/shards/<shard>` has the version, so that nobody takes away what another
   * owner has written. Rejects as the coordinator does.
   */
  async keepOnly(shard: number, name: string | null, version: number): Promise<void> {
    const gone = (await this.#list(shard)).filter(({ fold }) => fold !== name);
    for (let at = 0; at < gone.length; at += piecesInFlight) {
      const deletes = gone.slice(at, at + piecesInFlight).map(({ path }) => steps.delete(path));
      await this.#client.multi([steps.check(paths.shard(shard), version), ...deletes]);
    }
  }

  async #create(path: string, data: Buffer | null): Promise<void> {
    try {
      await this.#client.create(path, data, { acl: this.#acl });
    } catch (thrown) {
      // Of a piece: an earlier try, whose answer was lost.
      if (!isZooKeeperError(thrown, "NODEEXISTS")) throw thrown;
    }
  }

  async #get(path: string): Promise<Uint8Array | undefined> {
    try {
      return (await this.#client.getData(path)).data ?? new Uint8Array(0);
    } catch (thrown) {
      if (isZooKeeperError(thrown, "NONODE")) return undefined;
      throw thrown;
    }
  }

  async #list(shard: number): Promise<Piece[]> {
    const directory = paths.shardFolds(shard);
    try {
      const { children } = await this.#client.getChildren(directory);
      return children.flatMap((child) => pieceOf(directory, child) ?? []);
    } catch (thrown) {
      if (isZooKeeperError(thrown, "NONODE")) return [];
      throw thrown;
    }
  }
}

interface Piece {
  readonly path: string;
  readonly fold: string;
  readonly piece: number;
  readonly pieces: number;
}

function pieceOf(directory: string, child: string): Piece | undefined {
  const match = /^(.+)\.(\d+)\.(\d+)$/.exec(child);
  if (match === null) return undefined;
  const [, fold, piece, pieces] = match as unknown as [string, string, string, string];
  return { path: childPath(directory, child), fold, piece: Number(piece), pieces: Number(pieces) };
}

/** Lines in pieces that each fit a znode. */
function piecesOf(lines: readonly string[]): Buffer[] {
  const pieces: Buffer[] = [];
  let some: string[] = [];
  let bytes = 0;
  const end = (): void => {
    if (some.length === 0) return;
    pieces.push(...packed(some));
    some = [];
    bytes = 0;
  };
  for (const line of lines) {
    if (bytes + line.length > foldRawBytesMax) end();
    some.push(line);
    bytes += line.length;
  }
  end();
  return pieces;
}

/** What does not compress well enough is halved. */
function packed(lines: readonly string[]): Buffer[] {
  const piece = zstdCompressSync(Buffer.from(lines.join("")));
  if (piece.length <= foldPieceBytesMax || lines.length === 1) {
    assert(piece.length <= znodeBytesMax, "an entry fits a znode");
    return [piece];
  }
  const half = lines.length >> 1;
  return [...packed(lines.slice(0, half)), ...packed(lines.slice(half))];
}

function decodePiece(path: string, data: Uint8Array): SegmentEntry[] {
  let text: string;
  try {
    // A whole piece, or a line that alone is longer.
    const bytesMax = Math.max(foldRawBytesMax, znodeBytesMax) * 4;
    text = zstdDecompressSync(data, { maxOutputLength: bytesMax }).toString();
  } catch (thrown) {
    const reason = messageOf(thrown);
    const fields = { path, reason };
    throw new ServiceError("storage.damaged", "a folded manifest is damaged", fields, {
      cause: thrown,
    });
  }
  const lines = text.split("\n").slice(0, -1);
  return lines.map((line) => decodeZnode(segmentSchema, path, Buffer.from(line)));
}
