import { Counter, Gauge, type Registry } from "prom-client";
import type { Mirror } from "./mirror.ts";

/** Adds what the mirror does to `/metrics`. */
export function registerMirrorMetrics(registry: Registry, mirror: Mirror, now: () => number): void {
  const registers = [registry];
  const counter = (name: string, help: string, read: () => number): void => {
    new Counter({
      ...{ name: `logkeep_mirror_${name}_total`, help, registers },
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  };
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({
      ...{ name: `logkeep_mirror_${name}`, help, registers },
      collect() {
        this.set(read());
      },
    });
  };
  const { counts } = mirror.sink;
  counter("documents", "Documents that Elasticsearch has taken.", () => counts.documents);
  counter("repeats", "Documents that it had already.", () => counts.repeats);
  counter("bytes", "Bytes of answered _bulk requests.", () => counts.bytes);
  counter("retries", "Requests sent again, whole or in part.", () => counts.retries);
  counter("failures", "Requests that were not answered item by item.", () => counts.failures);
  counter("dead_letters", "Documents that it refused for good.", () => counts.deadLetters);
  counter("lost_dead_letters", "Dead letters that it refused as well.", () => counts.lost);
  counter(
    "dropped_records",
    "Records that retention dropped before they were mirrored.",
    () => mirror.droppedRecords,
  );
  counter("damaged_blocks", "Blocks that could not be read.", () => mirror.damagedBlocks);
  gauge("connected", "1 while Elasticsearch answers.", () => (mirror.sink.isConnected ? 1 : 0));
  gauge("lag_records", "Sealed records not mirrored yet.", () => mirror.lag().records);
  gauge("lag_bytes", "Bytes of segments not mirrored yet.", () => mirror.lag().bytes);
  gauge("lag_seconds", "Since the oldest of them was received.", () => {
    const { sinceMs } = mirror.lag();
    return sinceMs === undefined ? 0 : Math.max(0, (now() - sinceMs) / 1000);
  });
}
