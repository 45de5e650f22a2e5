import type { DecodeOptions, Protocol } from "../job.ts";
import { otlpStreamFields } from "../protocol/otlp-record.ts";

/** Fields that form the stream of plain JSON records, of those a record has. */
export const jsonStreamFields: readonly string[] = [
  "service",
  "service.name",
  "app",
  "host",
  "host.name",
  "kubernetes.namespace",
  "kubernetes.pod.name",
  "kubernetes.container.name",
];

const byProtocol: Readonly<Record<Protocol, readonly string[]>> = {
  "json-lines": jsonStreamFields,
  json: jsonStreamFields,
  text: jsonStreamFields,
  "elasticsearch-bulk": jsonStreamFields,
  // Loki's labels are given apart from the fields.
  "loki-json": [],
  "otlp-protobuf": otlpStreamFields,
  "otlp-json": otlpStreamFields,
};

/** The fields that form the streams of a request: those it names, else those of its protocol. */
export function streamFieldsOf(options: DecodeOptions): readonly string[] {
  return options.streamFields ?? byProtocol[options.protocol];
}
