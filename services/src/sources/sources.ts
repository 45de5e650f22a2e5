import type { Cluster } from "../../../cluster/src/cluster.ts";
import type { SourceSettings } from "../../../config/src/source-schema.ts";
import type { Acl } from "../../../coordinator/src/wire/records.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import { SourceIntake, type SourceIntakeDeps } from "../source-intake.ts";
import type { KafkaReader, SourceStatus } from "./kafka-reader.ts";

export type { SourceStatus } from "./kafka-reader.ts";

export interface SourcesOptions extends SourceIntakeDeps {
  readonly sources: readonly SourceSettings[];
  readonly cluster: Cluster;
  /** Of what only nodes may read and write. */
  readonly acl: readonly Acl[];
  readonly logger: Logger;
}

/** The places that records are fetched from, each read by one node of the cluster. */
export class Sources {
  readonly #readers: readonly KafkaReader[];

  private constructor(readers: readonly KafkaReader[]) {
    this.#readers = readers;
  }

  /** Begins to read; what cannot be reached is tried again and holds up nobody. */
  static async open(options: SourcesOptions): Promise<Sources> {
    const { sources, cluster, acl, logger } = options;
    if (sources.length === 0) return new Sources([]);
    // The client costs memory and a moment: only those who read a topic have it.
    const { KafkaReader } = await import("./kafka-reader.ts");
    const shared = { cluster, acl, logger, intake: new SourceIntake(options), claims: new Map() };
    return new Sources(sources.map((settings) => new KafkaReader({ settings, ...shared })));
  }

  status(): readonly SourceStatus[] {
    return this.#readers.map(({ status }) => status);
  }

  /** Stores what was fetched, and ends. */
  async close(): Promise<void> {
    await Promise.all(this.#readers.map((reader) => reader.close()));
  }
}
