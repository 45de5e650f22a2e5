import type { Block, Codes, Column } from "../../kit/src/block.ts";
import type { Prng } from "../../kit/src/prng.ts";
import { type Moment, momentCompare, momentPrint } from "../../kit/src/time.ts";
import {
  type FinishMessage,
  type FinishTask,
  finishTransferables,
  runFinish,
  taskTransferables,
} from "../src/engine/finish.ts";
import { FragmentHost, transferablesOf } from "../src/engine/fragment-host.ts";
import type { FragmentPool } from "../src/engine/pool.ts";
import { type RecordLimits, recordLimits } from "../src/limits.ts";
import type { Cut, Part, PartReader, Source } from "../src/source.ts";
import { ValuesColumn, valuesOf } from "../src/table/column.ts";
import { streamLabelsOf, TableBlock } from "../src/table/table-block.ts";

/** A record as tests think of it. */
export interface TestRecord {
  readonly time: Moment;
  readonly stream: string;
  readonly shard: number;
  readonly position: number;
  readonly fields: Readonly<Record<string, string>>;
}

/** The record as it is answered: without empty fields. */
export function shown(record: TestRecord): Record<string, string> {
  const fields = Object.entries(record.fields).filter(([, value]) => value !== "");
  return {
    _time: momentPrint(record.time),
    _stream: record.stream,
    ...Object.fromEntries(fields),
  };
}

/** A block of the records, in their order, its columns in layouts drawn at random. */
export function blockOf(records: readonly TestRecord[], prng: Prng): Block {
  const names = [...new Set(records.flatMap(({ fields }) => Object.keys(fields)))].sort();
  const columns = new Map<string, Column>();
  for (const name of names) {
    columns.set(
      name,
      columnOf(
        records.map(({ fields }) => fields[name] ?? ""),
        prng,
      ),
    );
  }
  const streams = [...new Set(records.map(({ stream }) => stream))];
  return new SizedBlock({
    rowCount: records.length,
    columns,
    times: {
      ms: Float64Array.from(records, ({ time }) => time.ms),
      ns: records.some(({ time }) => time.ns !== 0)
        ? Uint32Array.from(records, ({ time }) => time.ns)
        : undefined,
    },
    streams: {
      labels: streams.map(streamLabelsOf),
      codes:
        streams.length === 1
          ? undefined
          : Uint16Array.from(records, ({ stream }) => streams.indexOf(stream)),
    },
    positions: Float64Array.from(records, ({ position }) => position),
  });
}

/** Says how large it is, as stored blocks do. */
class SizedBlock extends TableBlock {
  get byteSize(): number {
    return this.rowCount * 100;
  }
}

function columnOf(texts: readonly string[], prng: Prng): Column {
  const distinct = [...new Set(texts)];
  const [only] = distinct;
  if (distinct.length === 1 && only !== undefined && prng.chance(0.7)) {
    return new ValuesColumn("const", valuesOf([only]));
  }
  if (prng.chance(0.3)) return new ValuesColumn("rows", valuesOf(texts));
  // Values that no row has may stand in a dictionary.
  const values = [...distinct, "unused"];
  const codes = texts.map((text) => values.indexOf(text));
  return new ValuesColumn("dict", valuesOf(values), codesOf(codes, prng));
}

function codesOf(codes: readonly number[], prng: Prng): Codes {
  const kind = prng.below(3);
  if (kind === 0 && codes.every((code) => code < 256)) return Uint8Array.from(codes);
  return kind === 1 ? Uint16Array.from(codes) : Uint32Array.from(codes);
}

interface TestRef {
  readonly shard: number;
  readonly number: number;
}

/** Parts in memory: a source and a reader in one. */
export class MemoryStore implements Source, PartReader {
  readonly #blocks: (readonly Block[])[] = [];
  readonly #parts: Part[] = [];
  missing: readonly string[] = [];
  /** How often cuts were opened and released, and parts read. */
  readonly counts = { opened: 0, released: 0, read: 0 };

  add(blocks: readonly Block[], shard = 0, internal = false): void {
    const number = this.#blocks.push(blocks) - 1;
    const mins = blocks.map(({ timeMin }) => timeMin).sort(momentCompare);
    const maxs = blocks.map(({ timeMax }) => timeMax).sort(momentCompare);
    const ref: TestRef = { shard, number };
    this.#parts.push({
      timeMin: mins[0] as Moment,
      timeMax: maxs.at(-1) as Moment,
      rows: blocks.reduce((sum, { rowCount }) => sum + rowCount, 0),
      bytes: 1000,
      internal,
      identity: `${shard}/${number}`,
      ref,
    });
  }

  open(): Promise<Cut> {
    this.counts.opened++;
    const release = () => {
      this.counts.released++;
    };
    return Promise.resolve({ parts: [...this.#parts], missing: this.missing, release });
  }

  shardOf(part: Part): number {
    return (part.ref as TestRef).shard;
  }

  positionThroughOf(part: Part): number {
    const blocks = this.#blocks[(part.ref as TestRef).number] as readonly Block[];
    return Math.max(...blocks.map((block) => Math.max(...block.positions())));
  }

  blocks(part: Part): Iterable<Block> {
    this.counts.read++;
    return this.#blocks[(part.ref as TestRef).number] as readonly Block[];
  }
}

/** Two workers in this thread; what goes in and out is copied or moved as between threads. */
export class LocalPool implements FragmentPool {
  readonly size = 2;
  readonly #hosts: readonly FragmentHost[];
  #next = 0;
  /** Called before each piece of work. */
  onRun: () => void = () => undefined;

  constructor(reader: PartReader, limits: RecordLimits = recordLimits) {
    this.#hosts = [new FragmentHost(reader, limits), new FragmentHost(reader, limits)];
  }

  async run(...[plan, task]: Parameters<FragmentPool["run"]>) {
    // By threes, so that the next piece of a part goes sometimes to the worker that has what is left of it, sometimes not.
    const host = this.#hosts[Math.floor(this.#next++ / 3) % 2] as FragmentHost;
    await new Promise((resolve) => setImmediate(resolve));
    this.onRun();
    // The flag is shared between threads; a clone within one thread would refuse nothing else.
    const message = host.run(
      { ...structuredClone({ ...plan, cancelled: null }), cancelled: plan.cancelled },
      structuredClone(task),
    );
    return structuredClone(message, { transfer: transferablesOf(message) });
  }
}

/** A pool whose workers merge what is much; counts how often they did. */
export class FinishingPool extends LocalPool {
  finished = 0;

  readonly finish = (task: FinishTask): Promise<FinishMessage> => {
    this.finished++;
    const message = runFinish(structuredClone(task, { transfer: taskTransferables(task) }));
    return Promise.resolve(structuredClone(message, { transfer: finishTransferables(message) }));
  };
}

/** Limits so small that few records are many chunks. */
export function drawLimits(prng: Prng): RecordLimits {
  return {
    chunkRows: 1 + prng.below(8),
    chunkBytes: 100 + prng.below(2000),
    orderedRows: 1 + prng.below(40),
    orderedBytes: prng.below(4000),
    fewRows: prng.below(6),
    keptBytes: prng.chance(0.7) ? 1 << 20 : prng.below(4000),
  };
}

/** Splits the records into parts of one to three blocks each, by shard, cut at random. */
export function storeOf(records: readonly TestRecord[], prng: Prng): MemoryStore {
  const store = new MemoryStore();
  const shards = [...new Set(records.map(({ shard }) => shard))];
  for (const shard of shards) {
    let rest = records.filter((record) => record.shard === shard);
    while (rest.length > 0) {
      const taken = rest.slice(0, 1 + prng.below(rest.length));
      // Sealing takes some of what is there, by time or by arrival.
      rest = rest.slice(taken.length);
      const cuts = 1 + prng.below(3);
      const size = Math.ceil(taken.length / cuts);
      const ordered = prng.chance(0.5) ? taken.toSorted(byStreamAndTime) : taken;
      const blocks: Block[] = [];
      for (let at = 0; at < ordered.length; at += size) {
        blocks.push(blockOf(ordered.slice(at, at + size), prng));
      }
      store.add(blocks, shard);
    }
  }
  return store;
}

function byStreamAndTime(a: TestRecord, b: TestRecord): number {
  if (a.stream !== b.stream) return a.stream < b.stream ? -1 : 1;
  return momentCompare(a.time, b.time) || a.position - b.position;
}
