import { Counter, Gauge, type Registry } from "prom-client";
import type { SourceStatus, Sources } from "./sources.ts";

const counters = {
  records: "Records stored from a source.",
  rejected: "Messages of a source that are no records, kept in _rejected.",
  lost: "Messages that the source's retention deleted before they were read.",
  errors: "Failures of reading a source or storing what it has.",
} as const;

/** Shows what each source does, by its name; lag by topic and partition, too. */
export function registerSourceMetrics(registry: Registry, sources: Sources): void {
  for (const [name, help] of Object.entries(counters) as [keyof typeof counters, string][]) {
    new Counter({
      name: `logkeep_source_${name}_total`,
      help,
      labelNames: ["source"],
      registers: [registry],
      collect() {
        this.reset();
        for (const status of sources.status()) this.inc({ source: status.name }, status[name]);
      },
    });
  }
  partitionGauge(registry, sources, {
    name: "logkeep_source_lag",
    help: "Messages of a partition that are not stored.",
    read: ({ lag }) => lag,
  });
  partitionGauge(registry, sources, {
    name: "logkeep_source_stopped",
    help: "1 for a partition that is not read any more, because going on would lose or repeat messages.",
    read: ({ stopped }) => (stopped === undefined ? 0 : 1),
  });
  new Gauge({
    name: "logkeep_source_failing",
    help: "1 while nothing can be read from a source.",
    labelNames: ["source"],
    registers: [registry],
    collect() {
      this.reset();
      for (const { name, fault } of sources.status()) {
        this.set({ source: name }, fault === undefined ? 0 : 1);
      }
    },
  });
}

interface PartitionFigure {
  readonly name: string;
  readonly help: string;
  readonly read: (partition: SourceStatus["partitions"][number]) => number;
}

/** Of the partitions that this node reads. */
function partitionGauge(registry: Registry, sources: Sources, figure: PartitionFigure): void {
  new Gauge({
    name: figure.name,
    help: figure.help,
    labelNames: ["source", "topic", "partition"],
    registers: [registry],
    collect() {
      this.reset();
      for (const { name, topic, partitions } of sources.status()) {
        for (const each of partitions) {
          this.set({ source: name, topic, partition: each.partition }, figure.read(each));
        }
      }
    },
  });
}
