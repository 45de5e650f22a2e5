import { parentPort, type Transferable, workerData } from "node:worker_threads";
import {
  PageFragments,
  type PageJob,
  pageTransferables,
} from "../../../adapters/src/elasticsearch/search/page-fragments.ts";
import { Decoder } from "../../../ingest/src/decoder.ts";
import type { DecodeJob } from "../../../ingest/src/job.ts";
import type { IngestLimits } from "../../../ingest/src/limits.ts";
import type { RetentionRule } from "../../../ingest/src/retention/rules.ts";
import {
  type FinishTask,
  finishTransferables,
  runFinish,
} from "../../../query/src/engine/finish.ts";
import type { PartTask } from "../../../query/src/engine/fragment.ts";
import { FragmentHost, transferablesOf } from "../../../query/src/engine/fragment-host.ts";
import type { PlanMessage } from "../../../query/src/plan/plan.ts";
import { TailMatcher } from "../../../query/src/tail/tail-matcher.ts";
import { type ScrubJob, scrubSegment } from "../../../storage/src/segment/scrub.ts";
import { type ArenaBuffers, ArenaWriter } from "../../../storage/src/shard/arena.ts";
import type {
  MergeJob,
  RewriteJob,
  SealJob,
  VerifyJob,
} from "../../../storage/src/shard/segment-work.ts";
import type { Evaluated } from "../asking.ts";
import type { Decoded } from "../ingest.ts";
import { type DocumentsJob, DocumentsReader } from "../mirror/documents-job.ts";
import type { TailFound, TailJob } from "../tail-service.ts";
import { KeptPlans } from "./kept-plans.ts";
import { type JobMessage, loadedId, postedErrorOf, type ReplyMessage } from "./messages.ts";
import { mergeFiles, rewriteFile, sealFile, verifyFile } from "./segment-jobs.ts";
import { StoredBlocks } from "./stored-blocks.ts";

// The entry of a worker: decodes bodies, evaluates parts of queries, writes segment files. One job at a
// time, each synchronous; joins the rooms that may not know each other.

/** What every worker is given when it starts. */
export interface WorkerShared {
  readonly arena: ArenaBuffers;
  readonly arenaLanes: number;
  readonly shardCount: number;
  /** Of decoded columns that this worker keeps. */
  readonly cacheBytes: number;
  readonly limits: IngestLimits;
  readonly retention: readonly RetentionRule[];
}

interface Done {
  readonly result: unknown;
  readonly transfer?: readonly Transferable[];
}

const port = parentPort;
if (port === null) throw new Error("this file is the entry of a worker thread");
const { arena, arenaLanes, shardCount, cacheBytes, limits, retention, index } =
  workerData as WorkerShared & { readonly index: number };
const decoder = new Decoder({
  arena: new ArenaWriter(arena, index, arenaLanes),
  ...{ shardCount, limits, retention },
});
const stored = new StoredBlocks(arena, cacheBytes);
const tails = new TailMatcher();
const tailPlans = new KeptPlans();
const documents = new DocumentsReader();
const fragments = new FragmentHost(stored);
const pages = new PageFragments();

const jobs: Readonly<Record<string, (payload: never) => Done>> = {
  decode: (job: DecodeJob) => {
    // Posted, so in memory that is this thread's alone.
    const memory = job.body.buffer as ArrayBuffer;
    const result = decoder.run(job);
    const decoded: Decoded = { result, memory };
    const { items } = result;
    return { result: decoded, transfer: items === undefined ? [memory] : [memory, items.buffer] };
  },
  fragment: ({ plan, task }: { readonly plan: PlanMessage; readonly task: PartTask }) => {
    const message = fragments.run(plan, task);
    const evaluated: Evaluated = { message, damage: stored.takeDamage() };
    return { result: evaluated, transfer: transferablesOf(message) };
  },
  finish: (task: FinishTask) => {
    const message = runFinish(task);
    return { result: message, transfer: finishTransferables(message) };
  },
  page: (job: PageJob) => {
    const evaluated = pages.run(job);
    return { result: evaluated, transfer: pageTransferables(evaluated) };
  },
  tail: (job: TailJob) => {
    const plans = tailPlans.take(job);
    const found: TailFound | undefined =
      plans &&
      job.batches.map(({ offset, length, position }) =>
        tails.match(stored.batch(offset, length, position), plans),
      );
    return { result: found };
  },
  seal: (job: SealJob) => ({ result: sealFile(job, arena) }),
  merge: (job: MergeJob) => ({ result: mergeFiles(job) }),
  rewrite: (job: RewriteJob) => ({ result: rewriteFile(job) }),
  verify: (job: VerifyJob) => ({ result: verifyFile(job) }),
  scrub: (job: ScrubJob) => ({ result: scrubSegment(job) }),
  documents: (job: DocumentsJob) => {
    const found = documents.run(job);
    const transfer = found.kind === "documents" ? [found.documents.body.buffer] : [];
    return { result: found, transfer };
  },
};

// Files that were deleted must not stay open for want of a next question, nor what was kept for one that has ended.
setInterval(() => {
  stored.closeIdle();
  fragments.closeIdle();
  documents.closeIdle();
}, 10_000).unref();

port.on("message", ({ id, kind, payload }: JobMessage) => {
  let reply: ReplyMessage;
  let transfer: readonly Transferable[] = [];
  try {
    const job = jobs[kind];
    if (job === undefined) throw new Error(`there is no job ${kind}`);
    const done = job(payload as never);
    reply = { id, result: done.result };
    transfer = done.transfer ?? [];
  } catch (thrown) {
    reply = { id, error: postedErrorOf(thrown) };
  }
  port.postMessage(reply, [...transfer]);
});

// Of no job: whoever waits for this thread knows that it has loaded, and that what ends it later is a job's doing.
port.postMessage({ id: loadedId, result: undefined } satisfies ReplyMessage);
