import { hash } from "node:crypto";
import { ServiceError } from "../../kit/src/errors.ts";
import { FieldNames } from "../../storage/src/format/field-names.ts";
import type { AppendPart } from "../../storage/src/shard/append.ts";
import type { ArenaWriter } from "../../storage/src/shard/arena.ts";
import { ArenaFull, Batches, defaultClass, type RequestFacts, rejectedClass } from "./batches.ts";
import { inflate } from "./inflate.ts";
import type { DecodeJob, DecodeResult, Protocol } from "./job.ts";
import {
  fieldNamesKept,
  type IngestLimits,
  ingestLimitsDefault,
  streamsKept,
  streamTablesKept,
  tenantsKept,
} from "./limits.ts";
import { Recorder, type RecordOutput } from "./pipeline/recorder.ts";
import { RejectedRecords, rejectedLabels } from "./pipeline/rejected.ts";
import { Bulk } from "./protocol/bulk.ts";
import type { BulkItems } from "./protocol/bulk-items.ts";
import { BodyFault, DecodeFault } from "./protocol/fault.ts";
import { FieldWriter } from "./protocol/fields.ts";
import { JsonDocument } from "./protocol/json.ts";
import { JsonLines } from "./protocol/json-lines.ts";
import { JsonReader } from "./protocol/json-reader.ts";
import { JsonRecords } from "./protocol/json-record.ts";
import { LineShapes } from "./protocol/line-shapes.ts";
import { LokiJson } from "./protocol/loki-json.ts";
import { Messages } from "./protocol/messages.ts";
import { OtlpJson } from "./protocol/otlp-json.ts";
import { OtlpProtobuf } from "./protocol/otlp-protobuf.ts";
import { OtlpRecord } from "./protocol/otlp-record.ts";
import { ProtobufReader } from "./protocol/protobuf-reader.ts";
import { RecordFields } from "./protocol/record.ts";
import { SourceBytes } from "./protocol/source-bytes.ts";
import { decodeText } from "./protocol/text.ts";
import { type RetentionRule, rulesVersion, TenantRules } from "./retention/rules.ts";
import { streamFieldsOf } from "./routing/stream-fields.ts";
import { type StreamEntry, StreamTable } from "./routing/stream-table.ts";

export interface DecoderOptions {
  readonly arena: ArenaWriter;
  /** Shards of the cluster, fixed when it is made. */
  readonly shardCount: number;
  readonly limits?: IngestLimits;
  /** The first that matches a record gives it its retention class; none by default. */
  readonly retention?: readonly RetentionRule[];
}

/**
 * Turns the body of a request into batches in the arena; one for each worker. It keeps the names, streams
 * and builders it has met, all bounded, so that the next request finds them.
 */
export class Decoder {
  readonly #options: DecoderOptions;
  readonly #limits: IngestLimits;
  readonly #rulesVersion: string;
  readonly #names = new FieldNames();
  readonly #streamTexts = new FieldNames();
  readonly #fault = new DecodeFault();
  readonly #source = new SourceBytes(this.#fault);
  readonly #recorder: Recorder;
  readonly #rejected: RejectedRecords;
  readonly #decoders: Readonly<Record<Exclude<Protocol, "elasticsearch-bulk">, { decode(): void }>>;
  readonly #bulk: Bulk;
  readonly #messages: Messages;
  readonly #tables = new Map<string, StreamTable>();
  readonly #tenants = new Map<string, TenantBatches>();

  constructor(options: DecoderOptions) {
    this.#options = options;
    this.#rulesVersion = rulesVersion(options.retention ?? []);
    const source = this.#source;
    const names = this.#names;
    const limits = options.limits ?? ingestLimitsDefault;
    this.#limits = limits;
    const record = new RecordFields(source, limits.fieldsMax);
    const sink = new Recorder(source, record, names, limits);
    const reader = new JsonReader(source, this.#fault);
    const records = new JsonRecords(reader, record, names);
    const shapes = new LineShapes(reader, record, names);
    const lines = new JsonLines(reader, records, shapes, sink);
    const fields = new FieldWriter(source, record, names);
    const otlp = new OtlpRecord(source, fields, sink);
    this.#recorder = sink;
    this.#rejected = new RejectedRecords(names, limits.rejectedKeptBytes);
    this.#decoders = {
      "json-lines": lines,
      json: new JsonDocument(reader, records, sink),
      text: { decode: () => decodeText(source, sink) },
      "loki-json": new LokiJson(reader, fields, sink),
      "otlp-protobuf": new OtlpProtobuf(new ProtobufReader(source, this.#fault), otlp),
      "otlp-json": new OtlpJson(reader, otlp),
    };
    this.#messages = new Messages(reader, records, sink);
    this.#bulk = new Bulk({ reader, lines, records, fields, sink });
  }

  /** Decodes one request. Bad input makes a result too; what it throws is a fault of ours. */
  run(job: DecodeJob): DecodeResult {
    this.#forgetTooMuch();
    const batches = this.#batchesOf(job.tenant);
    const { inflatedMaxBytes } = this.#limits;
    try {
      const body = inflate(job.body, job.options.encoding, inflatedMaxBytes);
      if (body.length > inflatedMaxBytes) {
        const what = "the body is too large";
        throw new ServiceError("request.too-large", what, { inflatedMaxBytes });
      }
      return this.#decode(job, body, batches);
    } catch (thrown) {
      return this.#failed(thrown);
    } finally {
      for (const each of batches.all) each.discard();
      this.#recorder.close();
    }
  }

  #decode(job: DecodeJob, body: Uint8Array, batches: TenantBatches): DecodeResult {
    const parts: AppendPart[] = [];
    const facts = this.#factsOf(job);
    this.#source.load(body);
    this.#rejected.begin();
    const streamFields = streamFieldsOf(job.options);
    this.#recorder.open({
      options: job.options,
      streamFields,
      streams: this.#tableOf(job.tenant, streamFields),
      receivedMs: job.receivedMs,
      output: this.#outputOf(facts, job, batches, parts),
    });
    const items = this.#decodeProtocol(job);
    for (const each of batches.all) each.finish(facts, parts);
    const { acceptedCount, rejectedCount, errors } = this.#recorder;
    return {
      status: "ok",
      parts,
      closedSlabs: this.#options.arena.takeClosed(),
      accepted: acceptedCount,
      rejected: rejectedCount,
      errors,
      bodyBytes: body.length,
      ...(items === undefined ? {} : { items: items.printed(), itemErrors: items.hasErrors }),
      ...(job.idempotencyKey === undefined ? {} : { digest: hash("sha256", job.body) }),
    };
  }

  #decodeProtocol(job: DecodeJob): BulkItems | undefined {
    const { protocol, index } = job.options;
    if (job.messages !== undefined) {
      this.#messages.decode(job.messages, protocol === "text" ? "text" : "json");
      return undefined;
    }
    if (protocol === "elasticsearch-bulk") {
      return this.#bulk.decode(index, `lk${job.receivedMs.toString(36)}`);
    }
    this.#decoders[protocol].decode();
    return undefined;
  }

  /** Other rules make other parts of the same request: they must not pass for those that are stored. */
  #factsOf({ receivedMs, idempotencyKey: key }: DecodeJob): RequestFacts {
    if (key === undefined || this.#rulesVersion === "") return { receivedMs, idempotencyKey: key };
    return { receivedMs, idempotencyKey: JSON.stringify([key, this.#rulesVersion]) };
  }

  #outputOf(
    facts: RequestFacts,
    job: DecodeJob,
    batches: TenantBatches,
    parts: AppendPart[],
  ): RecordOutput {
    const source = this.#source;
    return {
      accepted: acceptedBy(batches, source, facts, parts),
      rejected: (line, reason, rawStart, rawEnd) => {
        const { options, messages } = job;
        const rejection = {
          protocol: options.protocol,
          line: messages?.numbers?.[line - 1] ?? line,
          reason,
          receivedMs: messages?.timesMs[line - 1] ?? job.receivedMs,
          origin: messages?.origin,
        };
        const made = this.#rejected;
        const storedBytes = made.compose(rejection, source.bytes, rawStart, rawEnd);
        if (storedBytes === 0) return;
        const { bytes } = made.source;
        batches.rejected.append(
          batches.rejectedStream,
          made.record,
          bytes,
          storedBytes,
          facts,
          parts,
        );
      },
    };
  }

  #failed(thrown: unknown): DecodeResult {
    const nothing = {
      parts: [],
      closedSlabs: this.#options.arena.takeClosed(),
      accepted: 0,
      rejected: 0,
      errors: [],
      bodyBytes: 0,
    };
    if (thrown instanceof ArenaFull) return { ...nothing, status: "arena-full" };
    const error = refusalOf(thrown);
    return { ...nothing, status: "refused", error };
  }

  /** Interned texts are bounded: past the bound everything that has ids of them starts anew. */
  #forgetTooMuch(): void {
    if (this.#names.count > fieldNamesKept || this.#names.isFull) this.#names.clear();
    const isStreamsFull = this.#streamTexts.count > streamsKept || this.#streamTexts.isFull;
    if (!isStreamsFull && this.#tables.size < streamTablesKept) return;
    this.#streamTexts.clear();
    this.#tables.clear();
    this.#tenants.clear();
  }

  #tableOf(tenant: string, fields: readonly string[]): StreamTable {
    const key = JSON.stringify([tenant, ...fields]);
    let table = this.#tables.get(key);
    if (table === undefined) {
      const { shardCount } = this.#options;
      table = new StreamTable({ tenant, shardCount, texts: this.#streamTexts }, fields);
      this.#tables.set(key, table);
    }
    return table;
  }

  /** The builders of a tenant; those of the tenant not met for longest go when there are too many. */
  #batchesOf(tenant: string): TenantBatches {
    const found = this.#tenants.get(tenant);
    const batches = found ?? this.#newBatches(tenant);
    this.#tenants.delete(tenant);
    this.#tenants.set(tenant, batches);
    for (const oldest of this.#tenants.keys()) {
      if (this.#tenants.size <= tenantsKept) break;
      this.#tenants.delete(oldest);
    }
    return batches;
  }

  #newBatches(tenant: string): TenantBatches {
    const { arena, shardCount } = this.#options;
    const same = { tenant, shardCount, arena, names: this.#names, streamTexts: this.#streamTexts };
    const rules = TenantRules.of(this.#options.retention ?? [], tenant, this.#names);
    const records = new Batches({ ...same, retentionClass: defaultClass, internal: false });
    const ruled = (rules?.classes ?? []).map(
      (retentionClass) => new Batches({ ...same, retentionClass, internal: false }),
    );
    const rejected = new Batches({ ...same, retentionClass: rejectedClass, internal: true });
    const rejectedStream = this.#tableOf(tenant, []).entryOfPairs(rejectedLabels);
    const all = [records, ...ruled, rejected];
    return { records, rules, ruled, rejected, rejectedStream, all };
  }
}

interface TenantBatches {
  /** Of the records that no rule puts into another class. */
  readonly records: Batches;
  /** Undefined when none is about the tenant. */
  readonly rules: TenantRules | undefined;
  /** By index of the class in `rules`. */
  readonly ruled: readonly Batches[];
  readonly rejected: Batches;
  readonly rejectedStream: StreamEntry;
  /** In the order in which their parts are numbered. */
  readonly all: readonly Batches[];
}

/** Without rules, a record costs nothing more than it would if there were none. */
function acceptedBy(
  { records, rules, ruled }: TenantBatches,
  source: SourceBytes,
  facts: RequestFacts,
  parts: AppendPart[],
): RecordOutput["accepted"] {
  if (rules === undefined) {
    return (entry, record, storedBytes) => {
      records.append(entry, record, source.bytes, storedBytes, facts, parts);
    };
  }
  return (entry, record, storedBytes) => {
    const batches = ruled[rules.classOf(entry, record, source.bytes)] ?? records;
    batches.append(entry, record, source.bytes, storedBytes, facts, parts);
  };
}

/** The error of a body that cannot be read; what is no fault of the input is thrown on. */
function refusalOf(thrown: unknown): NonNullable<DecodeResult["error"]> {
  if (thrown instanceof ServiceError) {
    return { code: thrown.code, message: thrown.message, fields: thrown.fields };
  }
  if (!(thrown instanceof BodyFault)) throw thrown;
  const code = thrown.kind === "too-large" ? "request.too-large" : "request.malformed";
  const fields = thrown.line === undefined ? {} : { line: thrown.line };
  return { code, message: thrown.message, fields };
}
