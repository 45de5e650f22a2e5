import type { Client } from "@elastic/elasticsearch";
import { messageOf } from "../../../kit/src/errors.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import {
  type BulkAnswer,
  type BulkItems,
  halvesOf,
  isBusy,
  linesOf,
  pickItems,
  requestRefusal,
  sendBulk,
} from "./bulk.ts";
import { Health } from "./health.ts";
import { deadLetterIndex } from "./index-name.ts";
import { deadLetterLengthMax, targetKnownMs } from "./limits.ts";
import { indexTemplates } from "./template.ts";

export interface ElasticsearchMirrorOptions {
  readonly client: Client;
  readonly prefix: string;
  readonly logger: Logger;
  /** 0 to 1, drawn anew at each call. */
  readonly random: () => number;
}

/** What a mirror has done since it was made. */
export interface MirrorCounts {
  /** Documents that Elasticsearch has taken. */
  documents: number;
  /** Documents that were there already. */
  repeats: number;
  bytes: number;
  /** Tries after the first: of requests, and of items that were answered "later". */
  retries: number;
  /** Requests without an answer for each item. */
  failures: number;
  deadLetters: number;
  /** Dead letters that Elasticsearch refused as well: they are in the log. */
  lost: number;
}

/** Another cluster, or an emptied one, answers where documents were to go: what it should have is sent anew. */
export class TargetChanged extends Error {}

interface Refused {
  readonly index: string;
  readonly id: string;
  readonly document: string;
  readonly reason: string;
}

/** Puts documents into Elasticsearch, each until it is there or in the index of dead letters. */
export class ElasticsearchMirror {
  readonly counts: MirrorCounts = {
    ...{ documents: 0, repeats: 0, bytes: 0, retries: 0, failures: 0, deadLetters: 0, lost: 0 },
  };
  readonly #options: ElasticsearchMirrorOptions;
  /** Who answered last, and when; undefined after a failure. */
  #known: { readonly target: string; readonly ms: number } | undefined;
  /** Who was given our templates, and has answered since. */
  #prepared: string | undefined;
  #targetTold: string | undefined;
  #preparing: Promise<string> | undefined;
  readonly #health: Health;

  constructor(options: ElasticsearchMirrorOptions) {
    this.#options = options;
    this.#health = new Health(options.logger, options.random);
  }

  /** Whether the last request was answered. */
  get isConnected(): boolean {
    return this.#health.isConnected;
  }

  /**
   * Waits until the cluster answers and has our templates; names it, by its uuid and our prefix. Rejects only
   * with the signal's reason.
   */
  async prepare(signal: AbortSignal): Promise<string> {
    for (;;) {
      const known = this.#known;
      if (known !== undefined && performance.now() - known.ms < targetKnownMs) return known.target;
      try {
        this.#preparing ??= this.#prepare(signal).finally(() => {
          this.#preparing = undefined;
        });
        return await this.#preparing;
      } catch (thrown) {
        signal.throwIfAborted();
        this.#forget();
        await this.#health.failed(messageOf(thrown), signal);
      }
    }
  }

  /**
   * Resolves when every item is there. Rejects with `TargetChanged` when `target` is no longer who answers, and
   * with the signal's reason.
   */
  async send(items: BulkItems, target: string, signal: AbortSignal): Promise<void> {
    const refused = await this.#deliver(items, target, signal);
    if (refused.length === 0) return;
    this.counts.deadLetters += refused.length;
    const { index, id, reason } = refused[0] as Refused;
    const fields = { count: refused.length, index, id, reason };
    this.#options.logger.warn(fields, "Elasticsearch refused documents, kept as dead letters");
    const lost = await this.#deliver(this.#deadLetters(refused), target, signal);
    this.counts.lost += lost.length;
    for (const { id: lostId, reason: why } of lost) {
      const facts = { id: lostId, reason: why };
      this.#options.logger.error(
        facts,
        "Elasticsearch refused a dead letter, it is not kept there",
      );
    }
  }

  /** Gives what is refused for good. */
  async #deliver(items: BulkItems, target: string, signal: AbortSignal): Promise<Refused[]> {
    const refused: Refused[] = [];
    const left: BulkItems[] = [items];
    for (let piece = left.pop(); piece !== undefined; piece = left.pop()) {
      if ((await this.prepare(signal)) !== target) throw new TargetChanged();
      const tried = await this.#try(piece, signal);
      refused.push(...tried.refused);
      left.push(...tried.pieces);
      if (tried.isProgress) this.#health.fine();
      const { pause } = tried;
      if (pause === undefined) continue;
      this.counts.retries++;
      if (pause.isBusy) await this.#health.busy(pause.reason, signal);
      else await this.#health.failed(pause.reason, signal);
    }
    return refused;
  }

  /** One request, and what it leaves to do. */
  async #try(piece: BulkItems, signal: AbortSignal): Promise<Tried> {
    let answer: BulkAnswer;
    try {
      answer = await sendBulk(this.#options.client, piece, signal);
    } catch (thrown) {
      signal.throwIfAborted();
      return this.#unanswered(piece, thrown);
    }
    this.counts.documents += answer.created;
    this.counts.repeats += answer.repeated;
    this.counts.bytes += piece.body.length;
    const refused = answer.refused.map(({ item, reason }) => ({ ...linesOf(piece, item), reason }));
    const isProgress = answer.again.length < piece.offsets.length - 1;
    const pieces = answer.again.length === 0 ? [] : [pickItems(piece, answer.again)];
    const { reason } = answer;
    const pause = reason === undefined ? undefined : { reason, isBusy: true };
    return { pieces, refused, isProgress, pause };
  }

  #unanswered(piece: BulkItems, thrown: unknown): Tried {
    const reason = requestRefusal(thrown);
    if (reason !== undefined && piece.offsets.length > 2) {
      // What it is about lies in one of the halves, and the other is taken.
      return { pieces: [...halvesOf(piece)], refused: [], isProgress: false, pause: undefined };
    }
    if (reason !== undefined && !isDeadLetter(piece, this.#options.prefix)) {
      const refused = [{ ...linesOf(piece, 0), reason }];
      return { pieces: [], refused, isProgress: true, pause: undefined };
    }
    this.counts.failures++;
    const pause = { reason: messageOf(thrown), isBusy: isBusy(thrown) };
    // It may have been started anew without our templates, or be another one.
    if (!pause.isBusy) this.#forget();
    return { pieces: [piece], refused: [], isProgress: false, pause };
  }

  #deadLetters(refused: readonly Refused[]): BulkItems {
    const index = deadLetterIndex(this.#options.prefix);
    const now = new Date().toISOString();
    const lines = refused.map(({ index: target, id, document, reason }) => {
      const action = { create: { _index: index, _id: id } };
      const kept = document.slice(0, deadLetterLengthMax);
      const letter = { "@timestamp": now, target, id, reason, document: kept };
      return Buffer.from(`${JSON.stringify(action)}\n${JSON.stringify(letter)}\n`);
    });
    const offsets = new Uint32Array(lines.length + 1);
    for (const [i, line] of lines.entries()) offsets[i + 1] = (offsets[i] as number) + line.length;
    return { body: Buffer.concat(lines), offsets };
  }

  async #prepare(signal: AbortSignal): Promise<string> {
    const { client, prefix, logger } = this.#options;
    const info = await client.info({}, { signal });
    const uuid = info.cluster_uuid;
    // A cluster that has not formed yet says so in this place.
    if (uuid === "_na_") throw new Error("the cluster has not formed yet");
    const target = `${uuid}/${prefix}`;
    if (this.#prepared !== target) await this.#putTemplates(signal);
    this.#prepared = target;
    this.#known = { target, ms: performance.now() };
    this.#health.reached();
    if (this.#targetTold !== target) {
      const { number } = info.version;
      logger.info({ cluster: info.cluster_name, version: number, prefix }, "Elasticsearch answers");
    }
    this.#targetTold = target;
    return target;
  }

  async #putTemplates(signal: AbortSignal): Promise<void> {
    const { client, prefix } = this.#options;
    for (const { name, body } of indexTemplates(prefix)) {
      const path = `/_index_template/${encodeURIComponent(name)}`;
      await client.transport.request({ method: "PUT", path, body: { ...body } }, { signal });
    }
  }

  #forget(): void {
    this.#known = undefined;
    this.#prepared = undefined;
  }
}

interface Tried {
  readonly pieces: readonly BulkItems[];
  readonly refused: readonly Refused[];
  /** Whether any item was settled. */
  readonly isProgress: boolean;
  /** Why to wait before the next request; undefined: go on. */
  readonly pause: { readonly reason: string; readonly isBusy: boolean } | undefined;
}

/** A refused request with one dead letter says that nothing is taken at all: another one would be lost, too. */
function isDeadLetter(piece: BulkItems, prefix: string): boolean {
  return linesOf(piece, 0).index === deadLetterIndex(prefix);
}
