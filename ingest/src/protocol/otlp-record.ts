import type { FieldWriter, Tree } from "./fields.ts";
import type { RecordSink } from "./sink.ts";
import type { SourceBytes } from "./source-bytes.ts";
import { timeMsMax } from "./times.ts";

/** Resource attributes (and any others of these names) that form the stream, unless the request says otherwise. */
export const otlpStreamFields: readonly string[] = [
  "service.namespace",
  "service.name",
  "deployment.environment",
  "deployment.environment.name",
  "host.name",
  "cloud.region",
  "k8s.cluster.name",
  "k8s.namespace.name",
  "k8s.pod.name",
  "k8s.container.name",
  "container.name",
];

/** The names of severity numbers 1 to 24, four each. */
const levels = ["trace", "debug", "info", "warn", "error", "fatal"] as const;

/**
 * How the parts of an OTLP log record become fields; both encodings put them here. Attributes of resource,
 * scope and record keep their names (those of a scope behind `scope.attributes.`), the record's winning.
 */
export class OtlpRecord {
  readonly fields: FieldWriter;
  readonly sink: RecordSink;
  /** Log records begun in this request. */
  number = 0;
  readonly #source: SourceBytes;
  #hasTime = false;

  constructor(source: SourceBytes, fields: FieldWriter, sink: RecordSink) {
    this.#source = source;
    this.fields = fields;
    this.sink = sink;
  }

  begin(): void {
    this.number++;
    this.#hasTime = false;
    this.sink.begin();
    this.fields.putHeld();
  }

  /** Nanoseconds since the epoch as halves; zero is no time. `isObserved`: only where no other is given. */
  time(high: number, low: number, isObserved: boolean): void {
    if ((high === 0 && low === 0) || (isObserved && this.#hasTime)) return;
    const { record } = this.sink;
    // 2^32 ns are 4,294 ms and 967,296 ns; nothing here passes 2^53.
    const rest = high * 967_296 + low;
    const ms = Math.floor(rest / 1_000_000);
    record.timeMs = high * 4_294 + ms;
    record.timeNs = rest - ms * 1_000_000;
    this.#hasTime = !isObserved;
  }

  severity(number: number, text: string): void {
    const name = levels[(number - 1) >> 2];
    const level = text !== "" ? text.toLowerCase() : number > 0 ? name : undefined;
    if (level !== undefined) this.fields.putText("level", level);
    if (number > 0) this.fields.putText("severity_number", String(number), false);
  }

  /** A body that is a map is a record of its own: its members become fields. */
  body(tree: Tree): void {
    if (tree instanceof Map) this.fields.putTree("", tree);
    else this.fields.putTree("_msg", tree);
  }

  /** A message that is a slice of the source. */
  message(start: number, end: number): void {
    this.sink.record.put(this.sink.msgId, start, end);
  }

  /** A field of the record that is left out when it is zero. */
  count(name: string, value: number): void {
    if (value !== 0) this.fields.putText(name, String(value), false);
  }

  scope(name: string, version: string): void {
    if (name !== "") this.fields.putText("scope.name", name);
    if (version !== "") this.fields.putText("scope.version", version);
  }

  accept(rawStart: number, rawEnd: number): void {
    if (this.sink.record.timeMs > timeMsMax) {
      this.sink.reject(this.number, "the time is not in 1970 to 2262", rawStart, rawEnd);
    } else {
      this.sink.accept(this.number, rawStart, rawEnd);
    }
  }

  /** A slice of the source as lower-case hexadecimal digits. */
  hex(start: number, end: number): string {
    return this.#source.bytes.toString("hex", start, end);
  }
}
