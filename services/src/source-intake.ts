import { hash } from "node:crypto";
import { defaultClass, rejectedClass } from "../../ingest/src/batches.ts";
import type { DecodeJob, DecodeOptions, DecodeResult } from "../../ingest/src/job.ts";
import { recordMaxBytes } from "../../ingest/src/limits.ts";
import { type RetentionRule, rulesVersion } from "../../ingest/src/retention/rules.ts";
import { crashPoint } from "../../kit/src/crash-point.ts";
import { ServiceError } from "../../kit/src/errors.ts";
import type { AppendPart } from "../../storage/src/shard/append.ts";
import { dedupeKeyBytes } from "../../storage/src/shard/dedupe-key.ts";
import type { Decoded, IngestDeps } from "./ingest.ts";
import { halvesOf, type Piece, type Positioned, piecesOf } from "./source-pieces.ts";

/** How long a batch waits for room in memory, before whoever brought it is told; an end waits as long. */
const roomWaitMs = 5_000;

/** What is decoded in one job: large enough for one commit to carry much, and well below the limit of a body. */
const pieceLimits = { itemsMax: 16_000, bytesMax: 2 << 20 } as const;

/** What of a longer item goes to the decoder, which rejects it for its length. */
const itemKeptBytes = recordMaxBytes + 1;

/** Up to where each shard has a source, by retention class: what was rejected of it is one. */
export type SourceEnds = ReadonlyMap<string, Map<number, bigint>>;

/** Everything of a source above what was stored before and at most `through`. */
export interface SourceBatch extends Positioned {
  /** Names the crash points. */
  readonly kind: "inbox" | "kafka";
  /** What source ranges call it. */
  readonly source: string;
  readonly tenant: string;
  /** The protocol is `json` or `text`: what an item is. */
  readonly options: DecodeOptions;
  readonly values: readonly Uint8Array[];
  /** The time of an item that names none. */
  readonly timesMs: Float64Array;
  /** What `_rejected` calls the line of an item, and where it came from. */
  readonly numbers?: Float64Array;
  readonly origin?: string;
}

/** Records that were stored now. */
export interface SourceStored {
  readonly records: number;
  readonly rejected: number;
}

export interface SourceIntakeDeps extends Omit<IngestDeps, "memory"> {
  /** The rules that workers decode by; none by default. */
  readonly retention?: readonly RetentionRule[];
}

/**
 * Stores what inboxes and queues hold, each item once: a part says which range of its source it stores, and its
 * shard takes it only where its own knowledge of the source ends.
 */
export class SourceIntake {
  readonly #deps: SourceIntakeDeps;
  readonly #classes: readonly string[];
  /** Under other rules a record may have another class, whose end says nothing about it: then names are others. */
  readonly #version: string;

  constructor(deps: SourceIntakeDeps) {
    this.#deps = deps;
    const rules = deps.retention ?? [];
    const ruled = rules.map(({ retentionClass }) => retentionClass);
    this.#classes = [...new Set([defaultClass, rejectedClass, ...ruled])];
    this.#version = rulesVersion(rules);
  }

  /** Asks every shard; rejects when one cannot be asked. */
  async endsOf(source: string): Promise<SourceEnds> {
    const ends = new Map<string, Map<number, bigint>>();
    for (const each of this.#classes) {
      ends.set(each, new Map(await this.#deps.store.lastStored(this.#nameOf(source, each))));
    }
    return ends;
  }

  /**
   * Resolves when every part is committed; `ends` have moved then. Rejects when one was refused or its outcome is
   * unknown: whoever asks `endsOf` again and comes with the same batch stores what is missing.
   */
  async store(batch: SourceBatch, ends: SourceEnds): Promise<SourceStored> {
    const stored = { records: 0, rejected: 0 };
    const held = [...ends.values()].flatMap((each) => [...each.values()]);
    for (const piece of piecesOf(batch, held, pieceLimits)) {
      await this.#storePiece(batch, piece, ends, stored);
    }
    return stored;
  }

  async #storePiece(
    batch: SourceBatch,
    piece: Piece,
    ends: SourceEnds,
    stored: { records: number; rejected: number },
  ): Promise<void> {
    const { pool, store, arena } = this.#deps;
    await store.room(roomWaitMs);
    const job = jobOf(batch, piece);
    const transfer = [job.body.buffer as ArrayBuffer];
    const { result } = await pool.run<Decoded>("decode", job, { lane: "ingest", transfer });
    crashPoint(`${batch.kind}.decoded`);
    const parts = missingParts(result, piece, ends);
    const halves = isOneStep(result, parts) ? undefined : halvesOf(batch, piece);
    const appended =
      halves !== undefined || parts.length === 0
        ? undefined
        : store.append(this.#rangedParts(batch, piece, parts, ends));
    // References were taken in that call, so slabs that are full may now be freed.
    arena.closed(result.closedSlabs);
    if (halves !== undefined) {
      for (const half of halves) await this.#storePiece(batch, half, ends, stored);
      return;
    }
    if (result.status !== "ok") {
      throw new ServiceError("ingest.busy", "a source's records cannot be stored now", {
        source: batch.source,
        reason: result.error?.message,
      });
    }
    crashPoint(`${batch.kind}.appended`);
    for (const outcome of (await appended) ?? []) {
      if (outcome.kind !== "source-refused") continue;
      const what = "another reader has stored parts of this source";
      throw new ServiceError("ingest.unavailable", what, { source: batch.source });
    }
    crashPoint(`${batch.kind}.stored`);
    for (const { shard, class: name, internal, rows } of parts) {
      ends.get(name)?.set(shard, piece.through);
      stored[internal ? "rejected" : "records"] += rows;
    }
  }

  /** What source ranges call the records of one class. */
  #nameOf(source: string, retentionClass: string): string {
    const base = this.#version === "" ? source : `${source}#${this.#version}`;
    if (retentionClass === defaultClass) return base;
    return `${base}/${retentionClass === rejectedClass ? "rejected" : retentionClass}`;
  }

  /** The parts, each with what it stores of the source. */
  #rangedParts(
    { source }: SourceBatch,
    { through }: Piece,
    parts: readonly AppendPart[],
    ends: SourceEnds,
  ): AppendPart[] {
    return parts.map((part, at) => {
      const { shard, class: name } = part;
      const isLast = !parts.slice(at + 1).some((o) => o.shard === shard && o.class === name);
      const called = this.#nameOf(source, name);
      // Of several parts of one position at one shard only the last moves the source's end there.
      if (!isLast) return { ...part, dedupeKey: partKey(called, through, at) };
      const previous = ends.get(name)?.get(shard) ?? 0n;
      return { ...part, sourceRange: { source: called, previous, from: previous + 1n, through } };
    });
  }
}

/** The parts whose shards do not hold this piece yet. */
function missingParts(result: DecodeResult, piece: Piece, ends: SourceEnds): readonly AppendPart[] {
  return result.parts.filter(({ shard, class: name }) => {
    return (ends.get(name)?.get(shard) ?? 0n) < piece.through;
  });
}

/** Whether what is stored and where the source ends moves in one step at every shard. */
function isOneStep({ status }: DecodeResult, parts: readonly AppendPart[]): boolean {
  // Without room, or refused as a whole, half of it may do.
  if (status !== "ok") return false;
  return new Set(parts.map((part) => `${part.shard} ${part.class}`)).size === parts.length;
}

function partKey(source: string, through: bigint, at: number): Uint8Array {
  return hash("sha256", `${source} ${through} ${at}`, "buffer").subarray(0, dedupeKeyBytes);
}

/** The items of a piece one after the other, a zero byte between two. */
function jobOf(batch: SourceBatch, { first, end }: Piece): DecodeJob {
  const values = batch.values.slice(first, end).map((value) => value.subarray(0, itemKeptBytes));
  const length = values.reduce((sum, value) => sum + value.length + 1, 0);
  const body = new Uint8Array(new ArrayBuffer(Math.max(0, length - 1)));
  const ends = new Uint32Array(values.length);
  let at = 0;
  for (const [index, value] of values.entries()) {
    body.set(value, at);
    at += value.length;
    ends[index] = at++;
  }
  const timesMs = batch.timesMs.slice(first, end);
  const { numbers, origin } = batch;
  return {
    options: batch.options,
    tenant: batch.tenant,
    body,
    receivedMs: timesMs.reduce((latest, timeMs) => Math.max(latest, timeMs), 0),
    messages: {
      ends,
      timesMs,
      ...(numbers === undefined ? {} : { numbers: numbers.slice(first, end) }),
      ...(origin === undefined ? {} : { origin }),
    },
  };
}
