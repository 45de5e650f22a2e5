import { spawn } from "node:child_process";
import { once } from "node:events";
import { root } from "../suites.ts";
import { type Draw, filesOf, type Job } from "./jobs.ts";

/** How a run of a job came out. Cut off: time was up; nothing is said of it. */
export type JobOutcome =
  | {
      readonly kind: "ended";
      readonly counts: Counts;
      /** Tests that did not run, and why: what the machine lacks. */
      readonly skips: readonly string[];
      readonly complaints: string;
    }
  | { readonly kind: "cut-off" };

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Output kept of one run: its end has the summary, and complaints stand near it. */
const outputBytesMax = 4 * 1024 * 1024;
/** Lines told of what failed. */
const complaintLinesMax = 60;
/** A job that takes longer than this hangs: a hundred deaths of nodes take half of it on a quiet machine. */
const jobMaxMs = 90 * 60_000;

/** Runs a job's files in a process group of their own; stops the whole group when `signal` says so. */
export async function runJob(job: Job, draw: Draw, signal: AbortSignal): Promise<JobOutcome> {
  const child = spawn(
    process.execPath,
    ["--test", "--test-reporter=tap", "--test-concurrency=1", ...filesOf(job.files)],
    {
      cwd: root,
      env: { ...process.env, ...job.env(draw) },
      stdio: ["ignore", "pipe", "pipe"],
      // A group, since tests start servers that must not outlive them.
      detached: true,
    },
  );
  let output = "";
  const keep = (text: string): void => {
    output = (output + text).slice(-outputBytesMax);
  };
  child.stdout.setEncoding("utf8").on("data", keep);
  child.stderr.setEncoding("utf8").on("data", keep);
  const end = (): void => killGroup(child.pid);
  signal.addEventListener("abort", end, { once: true });
  let isHanging = false;
  const timer = setTimeout(() => {
    isHanging = true;
    end();
  }, jobMaxMs);
  if (signal.aborted) end();
  await once(child, "close");
  clearTimeout(timer);
  signal.removeEventListener("abort", end);
  if (signal.aborted) return { kind: "cut-off" };
  return judge(output, child.exitCode === 0, isHanging);
}

/** Whatever the job left running goes with its group. */
function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nobody of the group is left.
  }
}

function judge(output: string, isFine: boolean, isHanging: boolean): JobOutcome {
  const count = (name: string): number => {
    return Number(new RegExp(`^# ${name} (\\d+)$`, "m").exec(output)?.[1] ?? 0);
  };
  const counts = { passed: count("pass"), failed: count("fail"), skipped: count("skipped") };
  const skips = [...output.matchAll(/^\s*ok \d+ - (.+) # SKIP(.*)$/gm)].map(
    ([, name, reason]) => `${name} (${(reason as string).trim()})`,
  );
  if (isFine && counts.failed === 0) return { kind: "ended", counts, skips, complaints: "" };
  const failed = Math.max(1, counts.failed);
  const complaints = isHanging ? `it took longer than ${jobMaxMs / 60_000} minutes\n` : "";
  return {
    kind: "ended",
    counts: { ...counts, failed },
    skips,
    complaints: complaints + complaintsOf(output),
  };
}

/** The blocks of tests that are not ok; all of the output's end when there is none. */
function complaintsOf(output: string): string {
  const lines = output.split("\n");
  const told: string[] = [];
  let isTold = false;
  for (const line of lines) {
    if (/^\s*not ok /.test(line)) isTold = true;
    else if (/^\s*(ok |# )/.test(line)) isTold = false;
    if (isTold) told.push(line);
  }
  return (told.length > 0 ? told : lines.slice(-40)).slice(0, complaintLinesMax).join("\n");
}

/** The same run as a line for a shell. */
export function commandOf(job: Job, draw: Draw): string {
  const variables = Object.entries(job.env(draw)).map(([name, value]) => `${name}=${value}`);
  return [...variables, "node --test", ...filesOf(job.files)].join(" ");
}
