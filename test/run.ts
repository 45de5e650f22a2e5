// Runs every suite, or those named: `npm test`, `npm test -- storage query`. Prints what failed, what was
// skipped and why, seconds per suite, and last `N passed, N failed`. Ends with 1 when anything failed, and
// with 2 before it runs anything when a name is no suite's.
// Files of several suites run side by side, as many as the machine carries: a suite has ended when its last
// file has, and no core waits for it.
import path from "node:path";
import { run } from "node:test";
import { machine, root, type Suite, suites } from "./suites.ts";

/** One test file at most, also where ten other programs want its cores; a hang must not take the whole run with it. */
const fileTimeoutMs = 720_000;

/** Else each file's process would compile what all of them import: half of what many of them take. */
const compileCache = path.join(root, ".cache/compile");

/** What one suite's files came to so far. */
class Outcome {
  readonly suite: Suite;
  passed = 0;
  failed = 0;
  skipped = 0;
  readonly #pending: Set<string>;
  #startedAt = 0;

  constructor(suite: Suite) {
    this.suite = suite;
    this.#pending = new Set(suite.files);
  }

  async runFile(file: string): Promise<void> {
    if (this.#startedAt === 0) this.#startedAt = performance.now();
    const stream = run({
      files: [path.join(root, file)],
      timeout: fileTimeoutMs,
      env: { NODE_COMPILE_CACHE: compileCache, ...process.env, ...this.suite.env },
    });
    stream.on("test:pass", (event) => {
      if (event.details.type === "suite" || isFile(event.name)) return;
      const reason = event.skip ?? event.todo;
      if (reason === undefined || reason === false) this.passed++;
      else this.#skip(event.name, String(reason));
    });
    stream.on("test:fail", (event) => {
      const { error, type } = event.details;
      const cause = error.cause as { failureType?: string } | undefined;
      if (type === "suite" && cause?.failureType === "subtestsFailed") return;
      if (String(error.message).includes("subtests failed")) return;
      this.#fail(event.name, file, error);
    });
    stream.on("test:stderr", (event) => {
      if (process.env["LOGKEEP_TEST_STDERR"] !== undefined) process.stderr.write(event.message);
    });
    for await (const _ of stream) {
      // The handlers above count; the loop only waits for the end.
    }
    this.#pending.delete(file);
    if (this.#pending.size === 0) this.#print();
  }

  #skip(name: string, reason: string): void {
    this.skipped++;
    console.log(`skipped  ${this.suite.name}: ${name} (${reason})`);
  }

  #fail(name: string, file: string, error: Error): void {
    this.failed++;
    console.log(`FAILED   ${this.suite.name}: ${name}  ${file}`);
    console.log(indent(describe(error)));
  }

  #print(): void {
    const counts = `${this.passed} passed, ${this.failed} failed, ${this.skipped} skipped`;
    const seconds = (performance.now() - this.#startedAt) / 1000;
    console.log(`${this.suite.name.padEnd(12)} ${counts}  ${seconds.toFixed(1)} s`);
  }
}

/**
 * Runs the files of all suites in their order, except that one large one runs beside small ones while there
 * are both: it waits for its services where they compute.
 */
async function runAll(outcomes: readonly Outcome[]): Promise<void> {
  const waiting = outcomes.flatMap((outcome) =>
    outcome.suite.files.map((file) => ({ outcome, file, share: outcome.suite.share })),
  );
  const running = new Set<Promise<void>>();
  let free = machine;
  let large = 0;
  for (;;) {
    const fitting = waiting.filter(({ share }) => share <= free);
    const next = fitting.find(({ share }) => share > 1 === (large === 0)) ?? fitting[0];
    if (next === undefined) {
      if (running.size === 0) return;
      await Promise.race(running);
      continue;
    }
    const { outcome, file, share } = next;
    waiting.splice(waiting.indexOf(next), 1);
    free -= share;
    if (share > 1) large++;
    const ended = outcome.runFile(file).finally(() => {
      running.delete(ended);
      free += share;
      if (share > 1) large--;
    });
    running.add(ended);
  }
}

function isFile(name: string): boolean {
  return name.endsWith(".test.ts");
}

function describe(error: Error): string {
  const cause = error.cause instanceof Error ? error.cause : error;
  return cause.stack ?? cause.message;
}

function indent(text: string): string {
  return text
    .split("\n")
    .map((line) => `         ${line}`)
    .join("\n");
}

const wanted = process.argv.slice(2);
const known = suites();
const unknown = wanted.filter((name) => !known.some((suite) => suite.name === name));
if (unknown.length > 0) {
  console.error(`no suite is named ${unknown.join(" or ")}; there are:`);
  console.error(indent(known.map(({ name }) => name).join("\n")));
  process.exit(2);
}
const outcomes: Outcome[] = [];
for (const suite of known) {
  if (wanted.length > 0 ? wanted.includes(suite.name) : suite.needs === undefined) {
    outcomes.push(new Outcome(suite));
  } else if (wanted.length === 0) {
    console.log(`skipped  ${suite.name} (needs ${suite.needs}; npm test -- ${suite.name})`);
  }
}
await runAll(outcomes);
const sum = (of: "passed" | "failed" | "skipped"): number =>
  outcomes.reduce((count, outcome) => count + outcome[of], 0);
const [passed, failed, skipped] = [sum("passed"), sum("failed"), sum("skipped")];
if (passed + failed === 0) {
  console.log("every test was skipped");
  process.exitCode = 1;
}
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
if (failed > 0) process.exitCode = 1;
