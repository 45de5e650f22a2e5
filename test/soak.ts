// `npm run soak`: the long tests, with fresh seeds, more kills and more cases, until the minutes are over.
//   npm run soak -- [--minutes 30] [--suite kill,storage,…] [--fresh]
// Goes on where the last run ended (.cache/soak/ledger.json; --fresh forgets it). Prints each seed, what failed and how to run
// that again, and last `N passed, N failed`.
import { randomInt } from "node:crypto";
import { rmSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { allJobs, type Draw, type Job } from "./soak/jobs.ts";
import { Ledger } from "./soak/ledger.ts";
import { commandOf, runJob } from "./soak/run-job.ts";
import { root } from "./suites.ts";

const file = path.join(root, ".cache/soak/ledger.json");

interface Options {
  readonly minutes: number;
  readonly jobs: readonly Job[];
  readonly isFresh: boolean;
}

function optionsOf(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: "string", default: "30" },
      suite: { type: "string", multiple: true, default: [] },
      fresh: { type: "boolean", default: false },
    },
  });
  const minutes = Number(values.minutes);
  if (!(minutes > 0 && minutes <= 7 * 24 * 60)) {
    throw new Error("--minutes must be above 0 and at most a week");
  }
  const known = [...new Set(allJobs().map(({ suite }) => suite))];
  const wanted = values.suite.flatMap((text) => text.split(","));
  const unknown = wanted.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new Error(`no such suite: ${unknown.join(", ")}; there are ${known.join(", ")}`);
  }
  const jobs = allJobs().filter(({ suite }) => wanted.length === 0 || wanted.includes(suite));
  return { minutes, jobs, isFresh: values.fresh };
}

/** The job that has had the fewest runs, so that each gets its turn however short the runs of soak are. */
function nextJob(jobs: readonly Job[], ledger: Ledger): Job {
  const runs = ({ name }: Job): number => ledger.job(name).seeds.length;
  return jobs.reduce((least, job) => (runs(job) < runs(least) ? job : least));
}

async function soak({ minutes, jobs }: Options, ledger: Ledger, stop: AbortSignal): Promise<void> {
  const total = { passed: 0, failed: 0 };
  const signal = AbortSignal.any([stop, AbortSignal.timeout(minutes * 60_000)]);
  const endMs = performance.now() + minutes * 60_000;
  for (const { again, at } of ledger.failures) console.log(`failed on ${at}: ${again}`);
  while (!signal.aborted) {
    const job = nextJob(jobs, ledger);
    const { seeds, unfinished } = ledger.job(job.name);
    const startedMs = performance.now();
    const draw: Draw = {
      seed: unfinished ?? randomInt(1, 2 ** 31 - 1),
      runs: seeds.length,
      secondsLeft: (endMs - startedMs) / 1000,
    };
    ledger.began(job.name, draw.seed);
    const outcome = await runJob(job, draw, signal);
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    const what = `${job.name.padEnd(22)} SEED=${draw.seed}`;
    if (outcome.kind === "cut-off") {
      console.log(`${what}  cut off after ${seconds} s, taken up by the next run`);
      break;
    }
    ledger.ended(job.name, draw.seed);
    const { passed, failed, skipped } = outcome.counts;
    console.log(`${what}  ${passed} passed, ${failed} failed, ${skipped} skipped  ${seconds} s`);
    for (const skip of outcome.skips) console.log(`skipped  ${skip}`);
    total.passed += passed;
    total.failed += failed;
    if (failed === 0) continue;
    const again = commandOf(job, draw);
    ledger.failed({ job: job.name, seed: draw.seed, at: new Date().toISOString(), again });
    console.log(`${outcome.complaints}\nagain: ${again}`);
  }
  console.log(`${total.passed} passed, ${total.failed} failed`);
  if (total.failed > 0) process.exitCode = 1;
}

const interrupt = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => interrupt.abort());
try {
  const options = optionsOf(process.argv.slice(2));
  if (options.isFresh) rmSync(file, { force: true });
  await soak(options, new Ledger(file), interrupt.signal);
} catch (thrown) {
  console.error(`soak: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
  process.exitCode = 2;
}
