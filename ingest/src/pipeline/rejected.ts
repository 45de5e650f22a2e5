import type { FieldNames } from "../../../storage/src/format/field-names.ts";
import {
  recordMaxBytes,
  rejectedKeptBytes,
  rejectedKeptMax,
  rejectedKeptTotalBytes,
} from "../limits.ts";
import { DecodeFault } from "../protocol/fault.ts";
import { RecordFields } from "../protocol/record.ts";
import { SourceBytes } from "../protocol/source-bytes.ts";

/** The labels of the stream that rejected records of a tenant go to. */
export const rejectedLabels: readonly (readonly [string, string])[] = [["stream", "_rejected"]];

export interface Rejection {
  readonly protocol: string;
  readonly line: number;
  readonly reason: string;
  readonly receivedMs: number;
  /** Where it came from, when the protocol does not say it. */
  readonly origin?: string | undefined;
}

/**
 * Makes a record out of one that was rejected: what was sent in `_msg`, cut, bytes that are no UTF-8 replaced.
 * So many are kept of one request and no more; all are counted.
 */
export class RejectedRecords {
  readonly record: RecordFields;
  readonly source: SourceBytes;
  #kept = 0;
  #keptBytes = 0;
  readonly #names: FieldNames;
  readonly #keptOfRecord: number;

  /** `keptBytes`: of each record. */
  constructor(names: FieldNames, keptBytes: number = rejectedKeptBytes) {
    this.#keptOfRecord = Math.min(keptBytes, recordMaxBytes);
    const fault = new DecodeFault();
    this.source = new SourceBytes(fault);
    this.record = new RecordFields(this.source);
    this.#names = names;
  }

  /** Forgets what was kept of the request before. */
  begin(): void {
    this.#kept = 0;
    this.#keptBytes = 0;
  }

  /** Fills `record`; false when no more are kept of this request. Returns the bytes of its values. */
  compose(rejection: Rejection, bytes: Buffer, rawStart: number, rawEnd: number): number {
    if (this.#kept >= rejectedKeptMax || this.#keptBytes >= rejectedKeptTotalBytes) return 0;
    const { record, source } = this;
    source.load(new Uint8Array(0));
    record.begin();
    record.timeMs = rejection.receivedMs;
    const cut = bytes.toString("utf8", rawStart, Math.min(rawEnd, rawStart + this.#keptOfRecord));
    this.#putText("stream", "_rejected");
    this.#putText("protocol", rejection.protocol);
    this.#putText("line", String(rejection.line));
    this.#putText("reason", rejection.reason);
    if (rejection.origin !== undefined) this.#putText("origin", rejection.origin);
    const start = source.scratch;
    source.scratch += source.bytes.write(cut, start, this.#keptOfRecord, "utf8");
    record.put(this.#names.idOfText("_msg"), start, source.scratch);
    this.#kept++;
    this.#keptBytes += source.scratch;
    return source.scratch;
  }

  #putText(name: string, value: string): void {
    const start = this.source.putText(value);
    this.record.put(this.#names.idOfText(name), start, this.source.scratch);
  }
}
