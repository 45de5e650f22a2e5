import { performance } from "node:perf_hooks";
import { Decoder } from "../../ingest/src/decoder.ts";
import type { DecodeJob, DecodeOptions, Protocol } from "../../ingest/src/job.ts";
import { Prng } from "../../kit/src/prng.ts";
import { ArenaOwner, ArenaWriter } from "../../storage/src/shard/arena.ts";
import { slabBytes } from "../../storage/src/shard/limits.ts";

/*
 * Records a second of one decoder: bodies of 2,000 records of about 300 bytes, 4 shards. Prints one JSON
 * line a protocol. `node bench/src/ingest-decode.ts [protocol …]`
 */

const recordsOfBody = 2_000;
const bodyCount = 16;
const secondsOfProtocol = 4;

const random = new Prng(42);
const services = Array.from({ length: 19 }, (_, i) => `service-${i}`);
const levels = ["info", "info", "info", "warn", "error", "debug"];
const words = ["connection", "closed", "by", "peer", "request", "took", "retry", "block", "user"];

function hex(length: number): string {
  let text = "";
  while (text.length < length) text += random.u32().toString(16).padStart(8, "0");
  return text.slice(0, length);
}

function fieldsOf(number: number): Record<string, string | number> {
  const service = random.pick(services);
  const host = `${service}-${random.below(10)}`;
  const message = Array.from({ length: 10 }, () => `${random.pick(words)} ${random.below(9_999)}`);
  const quoted = random.chance(0.3) ? ` "GET /v1/items/${random.below(500)} HTTP/1.1"` : "";
  return {
    _time: new Date(1_763_600_000_000 + number * 7).toISOString(),
    service,
    host,
    level: random.pick(levels),
    ...(random.chance(0.5) ? { trace_id: hex(32) } : {}),
    status: random.pick([200, 200, 404, 500]),
    bytes: random.below(100_000),
    client_ip: `${random.below(223)}.${random.below(255)}.${random.below(255)}.1`,
    _msg: message.join(" ") + quoted,
  };
}

function bodyOf(protocol: Protocol, first: number): Buffer {
  const records = Array.from({ length: recordsOfBody }, (_, i) => fieldsOf(first + i));
  if (protocol === "loki-json") return lokiBody(records);
  const lines = records.map((record) => JSON.stringify(record));
  if (protocol === "elasticsearch-bulk") {
    return Buffer.from(lines.map((line) => `{"create":{}}\n${line}\n`).join(""));
  }
  if (protocol === "json") return Buffer.from(`[${lines.join(",")}]`);
  if (protocol === "text") return Buffer.from(records.map((each) => each["_msg"]).join("\n"));
  return Buffer.from(`${lines.join("\n")}\n`);
}

function lokiBody(records: readonly Record<string, string | number>[]): Buffer {
  const streams = new Map<string, { stream: object; values: string[][] }>();
  for (const { _time, service, host, ...rest } of records) {
    const key = `${service} ${host}`;
    const stream = streams.get(key) ?? { stream: { service, host }, values: [] };
    streams.set(key, stream);
    stream.values.push([`${Date.parse(String(_time))}000000`, JSON.stringify(rest)]);
  }
  return Buffer.from(JSON.stringify({ streams: [...streams.values()] }));
}

function measure(protocol: Protocol): object {
  const bodies = Array.from({ length: bodyCount }, (_, i) => bodyOf(protocol, i * recordsOfBody));
  const owner = new ArenaOwner(32 * slabBytes);
  const decoder = new Decoder({ arena: new ArenaWriter(owner.buffers, 0), shardCount: 4 });
  const options: DecodeOptions = {
    protocol,
    encoding: "identity",
    streamFields: protocol === "loki-json" ? undefined : ["service", "host"],
    timeFields: ["_time"],
    msgFields: ["_msg"],
    extra: [],
    index: undefined,
  };
  let bytes = 0;
  let records = 0;
  let seconds = 0;
  let storedBytes = 0;
  // The first second warms the compiler up and is not counted.
  const startMs = performance.now();
  for (let i = 0; performance.now() - startMs < (secondsOfProtocol + 1) * 1_000; i++) {
    const body = bodies[i % bodyCount] as Buffer;
    const job: DecodeJob = { options, tenant: "default", body, receivedMs: 1_763_600_000_000 };
    const began = performance.now();
    const result = decoder.run(job);
    const tookMs = performance.now() - began;
    if (result.accepted !== recordsOfBody)
      throw new Error(`not accepted: ${JSON.stringify(result)}`);
    owner.closed(result.closedSlabs);
    if (began - startMs < 1_000) continue;
    bytes += body.length;
    records += result.accepted;
    storedBytes += result.parts.reduce((sum, part) => sum + part.length, 0);
    seconds += tookMs / 1_000;
  }
  return {
    bench: "ingest-decode",
    protocol,
    recordsPerSecond: Math.round(records / seconds),
    megabytesPerSecond: Math.round(bytes / seconds / 1e6),
    bytesPerRecord: Math.round(bytes / records),
    storedBytesPerRecord: Math.round(storedBytes / records),
  };
}

const all: readonly Protocol[] = ["json-lines", "json", "elasticsearch-bulk", "loki-json", "text"];
const asked = process.argv.slice(2) as Protocol[];
for (const protocol of asked.length > 0 ? asked : all) {
  process.stdout.write(`${JSON.stringify(measure(protocol))}\n`);
}
