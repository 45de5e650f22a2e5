import { readFile } from "node:fs/promises";
import { KafkaSource } from "../../../adapters/src/kafka/source.ts";
import type { Cluster } from "../../../cluster/src/cluster.ts";
import { paths } from "../../../cluster/src/paths.ts";
import type { SourceSettings } from "../../../config/src/source-schema.ts";
import type { RoleElection, RoleTerm } from "../../../coordinator/src/recipes/role-election.ts";
import type { Acl } from "../../../coordinator/src/wire/records.ts";
import { crashPoint } from "../../../kit/src/crash-point.ts";
import { messageOf, ServiceError } from "../../../kit/src/errors.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import { pause } from "../../../kit/src/pause.ts";
import type { SourceIntake } from "../source-intake.ts";
import { KafkaTerm, type SourceCounts } from "./kafka-term.ts";
import { passwordFileMaxBytes, resumeMs } from "./limits.ts";
import { type Reading, Resume } from "./resume.ts";

export interface KafkaReaderOptions {
  readonly settings: SourceSettings;
  readonly cluster: Cluster;
  readonly acl: readonly Acl[];
  readonly intake: SourceIntake;
  /** Which source reads a topic: what is stored of it is kept by topic, so that no two may. */
  readonly claims: Map<string, KafkaReader>;
  readonly logger: Logger;
}

export interface SourcePartitionStatus {
  readonly partition: number;
  /** Messages that are in the topic and not stored. */
  readonly lag: number;
  /** Every message below this offset is stored. */
  readonly stored: number;
  /** Why it is not read any more. */
  readonly stopped: string | undefined;
}

export interface SourceStatus extends Readonly<SourceCounts> {
  readonly name: string;
  readonly topic: string;
  /** Whether this node reads it; without it there are no partitions. */
  readonly isReader: boolean;
  /** Why nothing is read at the moment. */
  readonly fault: string | undefined;
  readonly errors: number;
  /** Messages that retention deleted before they were read. */
  readonly lost: number;
  readonly partitions: readonly SourcePartitionStatus[];
}

/** Reads one topic while this node holds the role `source-<name>`. */
export class KafkaReader {
  readonly #options: KafkaReaderOptions;
  readonly #election: RoleElection;
  readonly #counts: SourceCounts = { records: 0, rejected: 0, storeFailures: 0 };
  /** Of terms that have ended. */
  readonly #ended = { errors: 0, lost: 0 };
  #source: KafkaSource | undefined;
  #commitFault: string | undefined;
  /** What the group was told last, as text. */
  #committed = "";

  constructor(options: KafkaReaderOptions) {
    const { cluster, settings, logger } = options;
    this.#options = options;
    this.#election = cluster.elect(roleOf(settings), {
      run: (term) => this.#run(term),
      onFailure: (thrown) =>
        logger.warn({ err: thrown, source: settings.name }, "source is not read, trying again"),
    });
  }

  get status(): SourceStatus {
    const { name, kafka } = this.#options.settings;
    const status = this.#source?.status;
    return {
      ...this.#counts,
      name,
      topic: kafka.topic,
      isReader: status !== undefined,
      fault: status?.fault,
      errors: this.#ended.errors + this.#counts.storeFailures + (status?.faults ?? 0),
      lost: this.#ended.lost + (status?.lost ?? 0),
      partitions: (status?.partitions ?? []).map(
        ({ partition, stored, highWatermark, stopped }) => ({
          ...{ partition, stored, stopped },
          lag: Math.max(0, highWatermark - stored),
        }),
      ),
    };
  }

  close(): Promise<void> {
    return this.#election.close();
  }

  async #run(term: RoleTerm): Promise<void> {
    const { settings, cluster, acl, intake, claims, logger } = this.#options;
    const { client } = cluster;
    const path = `${paths.role(roleOf(settings))}/resume`;
    const kafkaTerm = new KafkaTerm({
      topic: settings.kafka.topic,
      from: settings.kafka.from,
      reading: readingOf(settings),
      ...{ intake, counts: this.#counts, logger },
      signal: term.signal,
      claim: (topic) => this.#claim(topic),
      openResume: (source) => Resume.open({ client, path, acl, term, source }),
      resign: () => term.resign(),
    });
    const source = new KafkaSource({
      brokers: settings.kafka.brokers,
      topic: settings.kafka.topic,
      clientId: `logkeep-${settings.name}`,
      tls: settings.kafka.tls,
      sasl: () => saslOf(settings),
      sink: kafkaTerm,
      logger,
    });
    this.#source = source;
    const over = new AbortController();
    const saving = this.#keepSaving(kafkaTerm, source, over.signal);
    try {
      await source.run(term.signal);
    } finally {
      over.abort();
      await saving;
      await this.#save(kafkaTerm, source);
      for (const [topic, reader] of claims) if (reader === this) claims.delete(topic);
      this.#source = undefined;
      this.#ended.errors += source.status.faults;
      this.#ended.lost += source.status.lost;
    }
  }

  #claim(topic: string): void {
    const { claims } = this.#options;
    const other = claims.get(topic);
    if (other !== undefined && other !== this) {
      const what = `the source ${other.#options.settings.name} reads this topic`;
      throw new ServiceError("config.invalid", what);
    }
    claims.set(topic, this);
  }

  async #keepSaving(term: KafkaTerm, source: KafkaSource, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await pause(resumeMs, signal);
      if (!signal.aborted) await this.#save(term, source);
    }
  }

  /** What is not written down now is so the next time; what never is, is read again and skipped. */
  async #save({ resume }: KafkaTerm, source: KafkaSource): Promise<void> {
    const { settings, cluster, logger } = this.#options;
    if (resume === undefined) return;
    try {
      if (await resume.save()) crashPoint("kafka.resume");
    } catch (thrown) {
      logger.debug({ err: thrown, source: settings.name }, "offsets were not written down");
      return;
    }
    const offsets = resume.offsets();
    const text = JSON.stringify([...offsets]);
    if (text === this.#committed) return;
    const group = settings.kafka.group ?? `logkeep-${cluster.id.slice(0, 8)}-${settings.name}`;
    try {
      if (!(await source.commit(group, offsets))) return;
      this.#commitFault = undefined;
      this.#committed = text;
    } catch (thrown) {
      const reason = messageOf(thrown);
      const facts = { source: settings.name, group, reason };
      if (reason !== this.#commitFault) logger.warn(facts, "offsets were not told to the group");
      this.#commitFault = reason;
    }
    crashPoint("kafka.committed");
  }
}

function roleOf({ name }: SourceSettings): string {
  return `source-${name}`;
}

function readingOf({ tenant, format, stream, time, msg, extra }: SourceSettings): Reading {
  return { tenant, format, ...(stream === undefined ? {} : { stream }), time, msg, extra };
}

async function saslOf({ name, kafka }: SourceSettings) {
  const { sasl } = kafka;
  if (sasl === undefined) return undefined;
  const { mechanism, username, passwordFile } = sasl;
  const bytes = await readFile(passwordFile).catch((thrown: unknown) => {
    const facts = { source: name, passwordFile };
    const what = `the password file cannot be read: ${messageOf(thrown)}`;
    throw new ServiceError("config.invalid", what, facts, { cause: thrown });
  });
  if (bytes.length > passwordFileMaxBytes) {
    throw new ServiceError("config.invalid", "the password file is too long", { passwordFile });
  }
  return { mechanism, username, password: bytes.toString().trimEnd() };
}
