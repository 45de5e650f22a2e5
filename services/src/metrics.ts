import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { AlertFigures } from "../../alerts/src/engine.ts";
import type { StoreStatus } from "../../storage/src/shard/status.ts";
import type { StorePart } from "./store-part.ts";

/** Latencies from a tenth of a millisecond to half a minute. */
const secondsBuckets = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30];

/** What `/metrics` shows. Counters are of this process since it started. */
export class Metrics {
  readonly registry = new Registry();
  readonly httpSeconds = new Histogram({
    name: "logkeep_http_request_seconds",
    help: "Time from the request line to the last byte of the answer.",
    labelNames: ["route", "status"],
    buckets: secondsBuckets,
    registers: [this.registry],
  });
  readonly refused = new Counter({
    name: "logkeep_ingest_refused_requests_total",
    help: "Requests of shippers that were refused as a whole.",
    labelNames: ["receiver", "code"],
    registers: [this.registry],
  });
  readonly queries = new Counter({
    name: "logkeep_queries_total",
    help: "Queries by how they ended.",
    labelNames: ["status"],
    registers: [this.registry],
  });
  readonly scannedBytes = new Counter({
    name: "logkeep_query_scanned_bytes_total",
    help: "Stored bytes that queries looked at.",
    registers: [this.registry],
  });

  constructor({ store, ingest, pool }: StorePart, alerts: () => AlertFigures) {
    collectDefaultMetrics({ register: this.registry });
    const { counts } = ingest;
    this.#counter("logkeep_ingest_records_total", "Records acknowledged.", () => counts.records);
    this.#counter(
      "logkeep_ingest_rejected_records_total",
      "Records rejected.",
      () => counts.rejected,
    );
    this.#counter("logkeep_ingest_bytes_total", "Bytes of bodies, inflated.", () => counts.bytes);
    const status = () => store.status();
    this.#gauge(
      "logkeep_storage_memory_bytes",
      "Of batches not sealed yet.",
      () => status().arenaLiveBytes,
    );
    this.#gauge(
      "logkeep_storage_arena_used_bytes",
      "Claimed slabs of the arena.",
      () => status().arenaUsedBytes,
    );
    this.#gauge("logkeep_storage_log_bytes", "Of the commit log.", () => status().logBytes);
    this.#disk(status);
    this.#gauge("logkeep_storage_segments", "Live segment files.", () =>
      sum(status().shards, "segments"),
    );
    this.#gauge("logkeep_storage_segment_bytes", "Of live segment files.", () =>
      sum(status().shards, "segmentBytes"),
    );
    this.#gauge(
      "logkeep_storage_damaged_blocks",
      "Blocks set aside.",
      () => status().damagedBlocks.length,
    );
    this.#gauge("logkeep_shards_serving", "Shards that take appends here.", () => {
      return status().shards.filter(({ state }) => state === "serving").length;
    });
    this.#gauge("logkeep_storage_lost_segments", "Segment files set aside as a whole.", () =>
      status().shards.reduce((count, { lostSegments }) => count + lostSegments.length, 0),
    );
    for (const name of [
      "seals",
      "merges",
      "drops",
      "droppedBytes",
      "droppedRows",
      "rewrites",
      "rowsDeleted",
      "maintenanceFailures",
      "repeats",
    ] as const) {
      this.#counter(
        `logkeep_storage_${snakeOf(name)}_total`,
        `${name} of this process.`,
        () => status().counts[name],
      );
    }
    this.#writtenBytes(() => status().counts);
    this.#gauge(
      "logkeep_worker_jobs_waiting",
      "Jobs that no worker has yet.",
      () => pool.waitingCount("ingest") + pool.waitingCount("query"),
    );
    this.#alerts(alerts);
  }

  #disk(status: () => StoreStatus): void {
    const gauges = {
      disk_used_share: ["Of the disk that records lie on, in use.", shareUsed],
      disk_own_bytes: ["Of segments, commit log and trash.", (disk) => disk.ownBytes],
      disk_full: ["1 while records are refused for want of room.", (disk) => Number(disk.isFull)],
    } satisfies Record<string, readonly [string, (disk: StoreStatus["disk"]) => number]>;
    for (const [name, [help, read]] of Object.entries(gauges)) {
      this.#gauge(`logkeep_storage_${name}`, help, () => read(status().disk));
    }
    this.#gauge(
      "logkeep_storage_disk_strained",
      "1 while shards go to other nodes, since the disk is full or its syncs are slow.",
      () => Number(status().strain !== undefined),
    );
    this.#gauge(
      "logkeep_storage_retention_waiting",
      "1 while nothing is dropped for its age, since the clocks of most nodes do not agree.",
      () => Number(status().isRetentionWaiting),
    );
  }

  /** Deletes by query that are not done. */
  deletes(live: () => number): void {
    this.#gauge("logkeep_deletes_live", "Deletes whose records still lie in files.", live);
  }

  /** Files that are held for copies, and read. */
  backups(figures: () => { readonly heldCount: number; readonly bytesRead: number }): void {
    const held = () => figures().heldCount;
    this.#gauge("logkeep_backups_held", "Cuts whose files are held for a backup.", held);
    const read = () => figures().bytesRead;
    this.#counter("logkeep_backup_bytes_total", "Bytes of files given to backups.", read);
  }

  #alerts(figures: () => AlertFigures): void {
    const gauges = {
      rules: "Rules of all tenants.",
      pending: "Alerts whose condition holds, not for long enough yet.",
      firing: "Alerts that fire.",
      outboxWaiting: "Deliveries that have not ended.",
    } as const;
    for (const [name, help] of Object.entries(gauges) as [keyof typeof gauges, string][]) {
      this.#gauge(`logkeep_alerts_${snakeOf(name)}`, help, () => figures()[name]);
    }
    const counters = {
      evaluations: "Evaluations of thresholds.",
      evaluationFailures: "Evaluations that failed and are made again.",
      evaluationSeconds: "Time that evaluations took.",
      matched: "Records that matched rules.",
    } as const;
    for (const [name, help] of Object.entries(counters) as [keyof typeof counters, string][]) {
      this.#counter(`logkeep_alerts_${snakeOf(name)}_total`, help, () => figures()[name]);
    }
    const outcomes = ["delivered", "refused", "expired", "failed"] as const;
    new Counter({
      name: "logkeep_alerts_notifications_total",
      help: "Deliveries by how they ended; failed: attempts that are made again.",
      labelNames: ["outcome"],
      registers: [this.registry],
      collect() {
        this.reset();
        for (const outcome of outcomes) this.inc({ outcome }, figures()[outcome]);
      },
    });
  }

  /** Over `logkeep_ingest_bytes_total`, the write amplification. */
  #writtenBytes(counts: () => StoreStatus["counts"]): void {
    const kinds = { log: "loggedBytes", seal: "sealedBytes", merge: "mergedBytes" } as const;
    new Counter({
      name: "logkeep_storage_bytes_written_total",
      help: "Bytes put into the commit log, into segments by seals, and into segments by merges.",
      labelNames: ["kind"],
      registers: [this.registry],
      collect() {
        this.reset();
        const written = counts();
        for (const [kind, name] of Object.entries(kinds)) this.inc({ kind }, written[name]);
      },
    });
  }

  #gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.registry],
      collect() {
        this.set(read());
      },
    });
  }

  /** A counter that is kept elsewhere. */
  #counter(name: string, help: string, read: () => number): void {
    new Counter({
      name,
      help,
      registers: [this.registry],
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  }
}

function shareUsed({ usedBytes, totalBytes }: StoreStatus["disk"]): number {
  return totalBytes === 0 ? 0 : usedBytes / totalBytes;
}

function snakeOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function sum<Name extends string>(
  items: readonly Readonly<Record<Name, number>>[],
  name: Name,
): number {
  return items.reduce((total, item) => total + item[name], 0);
}
