import { globSync } from "node:fs";
import { root } from "../suites.ts";

/** What one run of a job draws. */
export interface Draw {
  /** For tests that take one seed. */
  readonly seed: number;
  /** How often the job has been run before: for tests that take a count of seeds, which grows. */
  readonly runs: number;
  /** Until time is up: for tests that take a count of rounds, each of some seconds. */
  readonly secondsLeft: number;
}

/** Test files, run with variables that make them longer than `npm test` has time for. */
export interface Job {
  readonly suite: string;
  /** Unique among all jobs. */
  readonly name: string;
  /** Globs from the root of the checkout. */
  readonly files: readonly string[];
  readonly env: (draw: Draw) => Readonly<Record<string, string>>;
}

/** Runs after which counts grow no more, so that one run of a job stays a matter of minutes. */
const doublingsMax = 4;

/** A count that doubles with each run: the first seeds are the ones every run has, the last ones are new. */
function growing({ runs }: Draw, first: number): string {
  return String(first * 2 ** Math.min(runs, doublingsMax));
}

/** Rounds of a test with kills of the whole service: 100, and fewer where they would not come to their end. */
function rounds({ secondsLeft }: Draw, secondsEach: number): string {
  return String(Math.max(5, Math.min(100, Math.floor(secondsLeft / secondsEach))));
}

/** Rounds of every story of an ensemble, which together take so long; bounded, as one run of a job is. */
function roundsOfStories({ secondsLeft }: Draw, secondsEach: number): string {
  return String(Math.max(2, Math.min(8, Math.floor(secondsLeft / secondsEach) - 1)));
}

function seedOf({ seed }: Draw): Readonly<Record<string, string>> {
  return { SEED: String(seed) };
}

/** Every job; a job whose files are not there yet is left out. */
export function allJobs(): readonly Job[] {
  return jobs.filter(({ files }) => filesOf(files).length > 0);
}

/** The files of globs, relative to the root. */
export function filesOf(globs: readonly string[]): string[] {
  return globSync([...globs], { cwd: root }).sort();
}

const jobs: readonly Job[] = [
  {
    suite: "kill",
    name: "kill",
    files: ["test/faults/kill.test.ts"],
    env: (draw) => ({ ...seedOf(draw), LOGKEEP_ROUNDS: rounds(draw, 5) }),
  },
  {
    suite: "storage",
    name: "storage-kill",
    files: ["storage/test/shard/kill.test.ts"],
    env: (draw) => ({ ...seedOf(draw), LOGKEEP_ROUNDS: rounds(draw, 1) }),
  },
  {
    suite: "storage",
    name: "storage-model",
    files: ["storage/test/shard/model.test.ts"],
    env: (draw) => ({ LOGKEEP_SOAK_SEEDS: growing(draw, 100) }),
  },
  {
    suite: "storage",
    name: "storage-model-seed",
    files: ["storage/test/shard/model.test.ts"],
    env: seedOf,
  },
  {
    suite: "storage",
    name: "storage-formats",
    files: [
      "storage/test/format/*.test.ts",
      "storage/test/segment/*.test.ts",
      "storage/test/log/*.test.ts",
    ],
    env: (draw) => ({ LOGKEEP_SOAK_SEEDS: growing(draw, 100) }),
  },
  {
    suite: "coordinator",
    name: "coordinator-kill",
    files: ["coordinator/test/server-kill.test.ts"],
    env: (draw) => ({ LOGKEEP_ROUNDS: rounds(draw, 1) }),
  },
  {
    suite: "coordinator",
    name: "coordinator-tree",
    files: ["coordinator/test/tree-model.test.ts", "coordinator/test/wire-codec.test.ts"],
    env: (draw) => ({ LOGKEEP_SOAK_SEEDS: growing(draw, 100) }),
  },
  {
    suite: "coordinator",
    name: "coordinator-tree-seed",
    files: ["coordinator/test/tree-model.test.ts"],
    env: seedOf,
  },
  {
    suite: "coordinator",
    name: "coordinator-sim",
    files: ["coordinator/test/core-sim.test.ts", "coordinator/test/core-sim-crash.test.ts"],
    env: (draw) => ({ LOGKEEP_SOAK_SEEDS: growing(draw, 2_000) }),
  },
  {
    suite: "coordinator",
    name: "coordinator-reconfig",
    files: ["coordinator/test/core-reconfig*.test.ts"],
    env: (draw) => ({ LOGKEEP_SOAK_SEEDS: growing(draw, 500) }),
  },
  {
    suite: "coordinator",
    name: "coordinator-fuzz",
    files: ["server", "server-admin"].map((name) => `coordinator/test/${name}-fuzz.test.ts`),
    env: (draw) => ({ LOGKEEP_FUZZ_FRAMES: growing(draw, 10_000) }),
  },
  {
    suite: "ensemble",
    name: "ensemble",
    files: ["test/ensemble/*.test.ts"],
    env: (draw) => ({ ...seedOf(draw), LOGKEEP_ROUNDS: roundsOfStories(draw, 110) }),
  },
  {
    suite: "ensemble",
    name: "ensemble-hostile",
    files: ["test/ensemble/hostile.test.ts"],
    env: (draw) => ({
      ...seedOf(draw),
      LOGKEEP_FUZZ_FRAMES: growing(draw, 20_000),
      LOGKEEP_IDLE: "1500",
    }),
  },
  {
    suite: "mixed",
    name: "mixed",
    files: ["test/mixed/*.test.ts"],
    env: (draw) => ({
      ...seedOf(draw),
      LOGKEEP_ROUNDS: roundsOfStories(draw, 120),
      LOGKEEP_MIXED: "all",
    }),
  },
  {
    suite: "cluster",
    name: "cluster",
    files: [
      "cluster/test/faults.test.ts",
      "cluster/test/manifest.test.ts",
      "cluster/test/store.test.ts",
    ],
    env: (draw) => ({ ...seedOf(draw), LOGKEEP_SOAK_SEEDS: growing(draw, 60) }),
  },
  {
    suite: "cluster",
    name: "replication-sim",
    files: ["storage/test/replication-sim.test.ts"],
    env: (draw) => ({ LOGKEEP_SOAK_SEEDS: growing(draw, 2_000) }),
  },
  {
    suite: "cluster",
    name: "cluster-reading",
    files: ["services/test/reading-once.test.ts"],
    env: (draw) => ({ LOGKEEP_SOAK_SEEDS: growing(draw, 10), LOGKEEP_DRAWN_STEPS: "60" }),
  },
  {
    suite: "cluster-house",
    name: "cluster-kills",
    files: ["test/cluster/kills.test.ts"],
    env: (draw) => ({ ...seedOf(draw), LOGKEEP_ROUNDS: rounds(draw, 20) }),
  },
  {
    suite: "cluster-house",
    name: "cluster-moves",
    files: ["test/cluster/moves.test.ts"],
    env: (draw) => ({ LOGKEEP_ROUNDS: rounds(draw, 45) }),
  },
  {
    suite: "cluster-house",
    name: "cluster-apache",
    files: ["test/mixed/cluster.test.ts"],
    env: (draw) => ({ LOGKEEP_ROUNDS: rounds(draw, 45) }),
  },
  {
    suite: "cluster-house",
    name: "cluster-faults",
    files: [
      "test/cluster/quorum.test.ts",
      ...["partitions", "members", "damage", "disks"].map(
        (name) => `test/cluster-faults/${name}.test.ts`,
      ),
    ],
    env: () => ({ LOGKEEP_FAULT_MS: "30000", LOGKEEP_QUORUM_LOST_MS: "60000" }),
  },
  {
    suite: "cluster-house",
    name: "cluster-steady",
    files: ["test/soak/steady.test.ts"],
    env: ({ secondsLeft }) => ({
      LOGKEEP_STEADY_MS: String(Math.max(30, Math.min(300, Math.floor(secondsLeft / 2))) * 1000),
    }),
  },
  {
    suite: "cluster-house",
    name: "cluster-forms",
    files: ["upgrade", "recover", "roles", "grow", "shrink", "straggler"].map(
      (name) => `test/cluster/${name}.test.ts`,
    ),
    env: () => ({ LOGKEEP_NODES_BACK: "3" }),
  },
  {
    suite: "inbox",
    name: "inbox",
    files: ["cluster/test/inbox*.test.ts", "test/faults/inbox*.test.ts"],
    env: (draw) => ({ ...seedOf(draw), LOGKEEP_ROUNDS: "100" }),
  },
  {
    suite: "query",
    name: "query",
    files: ["query/test/**/*.test.ts"],
    env: (draw) => ({ LOGKEEP_SOAK_SEEDS: growing(draw, 1_000) }),
  },
  {
    suite: "query",
    name: "query-seed",
    files: ["query/test/engine-differential.test.ts", "query/test/tail.test.ts"],
    env: seedOf,
  },
  {
    suite: "ingest",
    name: "ingest",
    files: ["ingest/test/fuzz.test.ts", "ingest/test/json-property.test.ts"],
    env: (draw) => ({ ...seedOf(draw), LOGKEEP_SOAK_SEEDS: "50" }),
  },
  {
    suite: "cli",
    name: "cli-kill",
    files: ["cli/test/kill.test.ts"],
    env: seedOf,
  },
  {
    suite: "cli",
    name: "cli-formats",
    files: ["cli/test/formats.test.ts", "config/test/load.test.ts"],
    env: (draw) => ({ LOGKEEP_SOAK_RUNS: growing(draw, 10_000) }),
  },
  {
    suite: "engines",
    name: "engines-kill",
    files: ["test/engines/kill.test.ts"],
    env: (draw) => ({ ...seedOf(draw), LOGKEEP_ROUNDS: rounds(draw, 8) }),
  },
  {
    suite: "alerts",
    name: "alerts",
    files: ["alerts/test/*.test.ts", "test/alerts/crash.test.ts"],
    env: (draw) => ({ ...seedOf(draw), LOGKEEP_SOAK_SEEDS: growing(draw, 500) }),
  },
  {
    suite: "hostile",
    name: "hostile",
    files: ["test/faults/hostile.test.ts"],
    env: seedOf,
  },
  {
    suite: "helm",
    name: "helm-growth",
    files: ["test/helm-growth/*.test.ts"],
    env: () => ({}),
  },
];
