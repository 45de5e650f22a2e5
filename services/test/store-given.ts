import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Given } from "../../cluster/test/given.ts";
import { type Settings, settingsSchema } from "../../config/src/schema.ts";
import { type Clock, systemClock } from "../../kit/src/clock.ts";
import { Lifecycle } from "../../kit/src/lifecycle.ts";
import { type Logger, silentLogger } from "../../kit/src/logger.ts";
import { openDataDirectory } from "../../storage/src/shard/data-directory.ts";
import { openReading, type Reading } from "../src/reading.ts";
import { openStorePart, type StorePart } from "../src/store-part.ts";
import { TailService } from "../src/tail-service.ts";

/** The shards of a node with their threads, and live tails over them; a coordinator is in this process. */
export interface StoreGiven {
  readonly stored: StorePart;
  readonly reading: Reading;
  readonly tails: TailService;
  readonly settings: Settings;
  readonly shardCount: number;
  close(): Promise<void>;
}

/** Opens the store of a folder, which may have been opened and closed before with the same `given`. */
export async function openStoreGiven(
  given: Given,
  folder: string,
  {
    clock = systemClock,
    logger = silentLogger,
    retention = {},
  }: { clock?: Clock; logger?: Logger; retention?: object } = {},
): Promise<StoreGiven> {
  const lifecycle = new Lifecycle();
  const storage = { arenaBytes: 64 * 1024 * 1024, workers: 2, retention };
  const settings = settingsSchema.parse({ storage });
  const data = await openDataDirectory(folder);
  lifecycle.add("data", () => data.release());
  const identity = { ...given.options().identity, diskId: data.diskId };
  const cluster = await given.cluster({ identity });
  lifecycle.add("cluster", () => cluster.close());
  const stored = await openStorePart({ settings, data, cluster, identity, clock, logger });
  lifecycle.add("store", () => stored.close());
  const { store, arena, pool } = stored;
  const reading = openReading(stored);
  const tails = new TailService({
    ...{ store, arena, pool, reading, logger },
    ...{ bufferBytes: settings.tail.bufferMaxBytes, tailsMax: 2 },
  });
  lifecycle.add("tails", () => tails.close());
  const { shards: shardCount } = cluster;
  return { stored, reading, tails, settings, shardCount, close: () => lifecycle.close() };
}

/** A coordinator and a folder for one test file; both go with `close`. */
export async function openGiven(): Promise<{
  given: Given;
  folder: string;
  close(): Promise<void>;
}> {
  const given = await Given.open();
  const folder = await mkdtemp(join(tmpdir(), "logkeep-services-"));
  return {
    given,
    folder,
    async close() {
      await given.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Stores records as a shipper's, each a line of JSON. */
export async function ship(
  { stored }: StoreGiven,
  tenant: string,
  records: readonly object[],
): Promise<void> {
  const body = records.map((record) => `${JSON.stringify(record)}\n`).join("");
  await stored.ingest.take({
    options: {
      protocol: "json-lines",
      encoding: "identity",
      streamFields: ["service"],
      timeFields: ["_time"],
      msgFields: ["_msg"],
      extra: [],
      index: undefined,
    },
    tenant,
    body: new Uint8Array(Buffer.from(body)),
    receivedMs: Date.now(),
  });
}
