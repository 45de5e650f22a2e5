import { join } from "node:path";
import { crc32 } from "node:zlib";
import { type Clock, systemClock } from "../../../kit/src/clock.ts";
import { silentLogger } from "../../../kit/src/logger.ts";
import type { AppendPart, AppendResult } from "../../src/shard/append.ts";
import { ArenaOwner, ArenaWriter } from "../../src/shard/arena.ts";
import type { StoreCut } from "../../src/shard/cut.ts";
import { type DataDirectory, openDataDirectory } from "../../src/shard/data-directory.ts";
import { slabBytes } from "../../src/shard/limits.ts";
import { openStore, type Store } from "../../src/shard/store.ts";
import type { StoreOptions } from "../../src/shard/store-options.ts";
import { FileCoordinator } from "./coordinator.ts";
import { PlainSegments, parseBatch, readBlocks } from "./plain-segments.ts";

export interface RigOptions extends Partial<Omit<StoreOptions, "data" | "arena">> {
  readonly arenaSlabs?: number;
}

/** Everything a node would put around a store, and one writer of batches. */
export interface Rig {
  readonly store: Store;
  readonly arena: ArenaOwner;
  readonly coordinator: FileCoordinator;
  readonly segments: PlainSegments;
  readonly data: DataDirectory;
  /** Stores one batch of records. */
  append(records: readonly string[], over?: Partial<PartOptions>): Promise<AppendResult>;
  part(records: readonly string[], over?: Partial<PartOptions>): AppendPart;
  /** Records of a tenant in a cut, those of a shard in the order of its log. */
  read(tenant?: string): string[];
  close(): Promise<void>;
}

export type PartOptions = Omit<AppendPart, "offset" | "length" | "bodyCrc" | "rows">;

export const always = {
  from: { ms: Number.NEGATIVE_INFINITY, ns: 0 },
  to: { ms: Number.POSITIVE_INFINITY, ns: 0 },
};

export async function openRig(directory: string, options: RigOptions = {}): Promise<Rig> {
  const { arenaSlabs = 16, ...over } = options;
  const arena = new ArenaOwner(arenaSlabs * slabBytes);
  const data = await openDataDirectory(directory);
  const member = `1/${data.diskId}`;
  const path = join(directory, "coordinator.json");
  const coordinator = new FileCoordinator(path, member, `${process.pid}-${performance.now()}`);
  const segments = new PlainSegments(arena);
  const opened = openStore({
    ...{ data, member, arena, manifest: coordinator, ownership: coordinator, work: segments },
    ...{ shardCount: 3, clock: systemClock, logger: silentLogger },
    ...{ logFileBytes: 256 * 1024, logBytesMax: 16 * 1024 * 1024 },
    ...over,
  });
  const store = await opened.catch((thrown: unknown) => {
    data.release();
    throw thrown;
  });
  const writer = new ArenaWriter(arena.buffers, 0);
  const clock = over.clock ?? systemClock;
  const part = (records: readonly string[], of: Partial<PartOptions> = {}): AppendPart =>
    writePart(writer, records, clock, of);
  return {
    ...{ store, arena, coordinator, segments, data, part },
    append: async (records, of) => {
      const results = store.append([part(records, of)]);
      arena.closed(writer.takeClosed());
      return (await results)[0]!;
    },
    read: (tenant = "default") => readAll(store, arena, tenant),
    async close() {
      await store.close();
      data.release();
    },
  };
}

export function writePart(
  writer: ArenaWriter,
  records: readonly string[],
  clock: Clock,
  over: Partial<PartOptions>,
): AppendPart {
  const time = { ms: clock.now(), ns: 0 };
  const defaults = { shard: 0, tenant: "default", class: "default", internal: false };
  const facts: PartOptions = { ...defaults, timeMin: time, timeMax: time, ...over };
  const { tenant, internal } = facts;
  const body = Buffer.from(JSON.stringify({ tenant, class: facts.class, internal, records }));
  const room = writer.reserve(body.length);
  if (room === undefined) throw new Error("the arena is full");
  room.view.set(body);
  writer.commit(body.length);
  const { offset } = room;
  return { ...facts, offset, length: body.length, bodyCrc: crc32(body), rows: records.length };
}

export function readAll(store: Store, arena: ArenaOwner, tenant: string): string[] {
  const cut = store.openCut(tenant, always);
  const records = readCut(cut, arena);
  cut.release();
  return records;
}

export function readCut(cut: StoreCut, arena: ArenaOwner): string[] {
  const found: { shard: number; position: number; records: readonly string[] }[] = [];
  for (const { shard, ref } of cut.parts) {
    if (ref.kind === "memory") {
      for (const { offset, length, position } of ref.batches) {
        found.push({ shard, position, records: parseBatch(arena.view(offset, length)).records });
      }
    } else {
      const blocks = readBlocks(ref.path).filter(
        ({ tenant, class: its, internal }, block) =>
          tenant === ref.tenant &&
          its === ref.class &&
          internal === ref.internal &&
          !ref.damagedBlocks.includes(block),
      );
      found.push(...blocks.map(({ position, records }) => ({ shard, position, records })));
    }
  }
  found.sort((a, b) => a.shard - b.shard || a.position - b.position);
  return found.flatMap(({ records }) => records);
}
